package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
)

// publicValues are the flags whose values are long and not secret. Only what begins as a
// key does is a key there.
var publicValues = []string{"--client-id", "--recipient", "--run"}

// keysIn returns the words of a command line that look like keys, the longest first.
// Other users can see them, but what this program prints may be kept for longer.
func keysIn(args []string) []string {
	var keys []string
	for i, arg := range args {
		name, value, isFlag := strings.Cut(arg, "=")
		if isFlag = isFlag && strings.HasPrefix(arg, "-"); isFlag {
			arg = value
		}
		public := isFlag && slices.Contains(publicValues, name) || i > 0 && slices.Contains(publicValues, args[i-1])
		assignment := strings.Contains(strings.TrimRight(arg, "="), "=") // such as the value of --param, which may be any identifier
		if !public && !assignment && providers.LooksLikeKey(arg) {
			keys = append(keys, arg)
			continue
		}
		for word := range strings.FieldsFuncSeq(arg, func(r rune) bool { return !strings.ContainsRune(keyCharacters, r) }) {
			if providers.HasKeyPrefix(word) {
				keys = append(keys, word)
			}
		}
	}
	slices.SortFunc(keys, func(a, b string) int { return len(b) - len(a) })
	return slices.Compact(keys)
}

const keyCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

// withoutKeys is [withNext] for a command line that may contain a key: the next command
// does not. The key is also left out of what is printed; see
// [console.Console].
func (a *app) withoutKeys(cmd *cobra.Command, args []string, err error) error {
	keys, advised := a.Keys(), exit.HasHint(err)
	err = withNext(cmd, err)
	e, unknown := errors.AsType[*providers.NotFoundError](err)
	asProvider := unknown && (slices.Contains(keys, e.Name) || e.Near == "" && e.File == nil && providers.MayBeKey(e.Name))
	if len(keys) == 0 && !asProvider {
		return err
	}
	hint := exit.Judge(err).Next.In("")
	repeats := slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(hint, key) })
	if asProvider {
		err = &misplacedKey{err}
	}
	_, usage := errors.AsType[*exit.UsageError](err)
	switch {
	case cmd.Name() == "login" && (usage && !advised || asProvider || repeats):
		return exit.WithHint(err, a.loginWith(args))
	case asProvider || repeats:
		return exit.WithCommand(err, "%s", strings.TrimSpace(commandName(cmd)+" --help"))
	}
	return err
}

// misplacedKey is the error for a key in the place of the name of a provider.
type misplacedKey struct{ error }

func (e *misplacedKey) Error() string {
	return "expected the name of a provider, and got what looks like a key; other users can see arguments, so replace that key if others use this machine"
}

func (e *misplacedKey) Unwrap() error { return e.error }

// loginWith is the login with a key that args contain: to the provider that they name,
// else to the one with such keys. If the named provider takes no keys, it is the help, because
// the key may be anyone's.
func (a *app) loginWith(args []string) suggest.Suggestion {
	provider := "PROVIDER"
	// An invalid command line does not open the home, which would create it.
	dir, err := home.DefaultDir(a.Getenv)
	if err != nil {
		return suggest.Command("login %s --key-stdin < FILE", provider)
	}
	if set, err := providers.Load((&home.Home{Dir: dir}).ProvidersDir()); err == nil {
		for _, key := range a.Keys() {
			if owner := set.KeyOwner(key); owner != "" {
				provider = owner
			}
		}
		for _, arg := range args {
			d, err := set.Lookup(set.Resolve(arg))
			switch {
			case err != nil:
				continue
			case d.HasFlow(providers.FlowAPIKey):
				provider = d.Name
			case d.TokenProvider != "":
				provider = d.TokenProvider
			default:
				return suggest.Command("login --help")
			}
			break
		}
	}
	return suggest.Command("login %s --key-stdin < FILE", provider)
}
