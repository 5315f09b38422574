package signin

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// question is how values are asked for.
type question struct {
	purpose  string   // for the form, as sentences
	create   string   // what to do at keyURL, such as "Create a key"
	keyURL   string   // may be empty
	steps    []string // what to do there, in order; may be empty
	redirect string   // the redirect URL of an OAuth client; may be empty
	hosts    []string // the only hosts that the values are sent to
	also     string   // an optional field that the user is asked for all the same
	optional bool     // the terminal asks for optional secrets, too
	// accept checks all values together; see [loopback.Form]. If nil, all are accepted.
	accept func(ctx context.Context, values providers.Values) error
}

// collect finds a value for each field: given, in a variable, by default, or from the
// user. q.accept also checks values that the user is not asked for.
func (l *Login) collect(ctx context.Context, fields []loopback.Field, q question) (providers.Values, error) {
	values := make(providers.Values)
	open, err := l.findAll(fields, values)
	if err != nil {
		return nil, err
	}
	missing, err := l.readKeyStdin(open, values)
	if err != nil {
		return nil, err
	}
	accept := func(ctx context.Context, entered map[string]secret.String) error {
		maps.Copy(values, entered)
		if q.accept == nil {
			return nil
		}
		return q.accept(ctx, values)
	}
	asked := missing
	if l.asks() {
		asked = append(slices.Clip(missing), named(open, q.also)...)
	}
	switch {
	case len(asked) == 0:
		return values, accept(ctx, defaults(open, values))
	case !l.asks():
	case l.browser != nil:
		return values, l.askInForm(ctx, open, q, accept)
	default:
		asked := slices.DeleteFunc(open, func(f loopback.Field) bool {
			return (f.Optional || f.Value != "") && !(q.optional && f.Secret) && f.Name != q.also
		})
		return values, l.askOnTerminal(ctx, asked, q, accept)
	}
	return nil, exit.WithHint(l.missingValues(missing), l.commandFor(missing))
}

// asks reports whether the user can be asked: not in a script, nor without a browser and a
// terminal.
func (l *Login) asks() bool {
	return !l.o.KeyStdin && !l.o.SecretsStdin && (l.browser != nil || l.terminal != nil)
}

// findAll looks for values without asking, and returns the fields that have none.
func (l *Login) findAll(fields []loopback.Field, values providers.Values) (open []loopback.Field, err error) {
	for _, field := range fields {
		found, err := l.find(field)
		if err != nil {
			return nil, err
		}
		if found.IsZero() {
			open = append(open, field)
			continue
		}
		if values[field.Name], err = field.Take(found.Reveal()); err != nil {
			return nil, l.invalid(field.Name, field.Label, err)
		}
	}
	return open, nil
}

// find looks for one value without asking.
func (l *Login) find(field loopback.Field) (secret.String, error) {
	if given, ok := l.given[field.Name]; ok {
		if given.IsZero() {
			return secret.String{}, l.invalid(field.Name, field.Label, errors.New("the value is empty"))
		}
		return given.String, nil
	}
	if l.o.KeyStdin && field.Name == valueKey {
		return secret.String{}, nil
	}
	for _, v := range l.variables(field.Name) {
		text := l.console.Getenv(v.Name)
		if text == "" {
			continue
		}
		if providers.HasPlaceholder(text) {
			l.console.Infof("ignoring %s: it holds a placeholder of authsome", v.Name)
			continue
		}
		values, err := l.d.ReadVariable(v, text)
		if err != nil {
			l.console.Infof("ignoring a variable: %v", err)
			continue
		}
		if value := values[field.Name]; !value.IsZero() {
			l.console.Infof("using the %s from the environment: %s", show.LowerFirst(field.Label), v.Name)
			return value, nil
		}
	}
	return secret.String{}, nil
}

// variables are the environment variables that may contain a value.
func (l *Login) variables(value string) []providers.Variable {
	all := slices.DeleteFunc(l.d.Variables(), func(v providers.Variable) bool { return !slices.Contains(l.d.VariablesOf(value), v.Name) })
	if o := l.d.OAuth; o != nil {
		if name := map[string]string{valueClientID: o.ClientIDEnv, valueClientSecret: o.ClientSecretEnv}[value]; name != "" {
			all = append(all, providers.Variable{Name: name, Field: value})
		}
	}
	return all
}

// required are the fields that are not optional and have no initial value.
func required(fields []loopback.Field) []loopback.Field {
	return slices.DeleteFunc(slices.Clone(fields), func(f loopback.Field) bool { return f.Optional || f.Value != "" })
}

// named are the optional fields of that name.
func named(open []loopback.Field, name string) []loopback.Field {
	return slices.DeleteFunc(slices.Clone(open), func(f loopback.Field) bool { return !f.Optional || f.Name != name })
}

// defaults are the initial values of the fields that still have no value.
func defaults(open []loopback.Field, values providers.Values) map[string]secret.String {
	all := make(map[string]secret.String)
	for _, field := range open {
		if values[field.Name].IsZero() && field.Value != "" {
			all[field.Name] = secret.New(field.Value)
		}
	}
	return all
}

// readKeyStdin uses standard input for the one secret that has no value yet, and returns
// the required fields that are still missing. An optional secret is meant only if none is
// required.
func (l *Login) readKeyStdin(open []loopback.Field, values providers.Values) (missing []loopback.Field, err error) {
	missing = required(open)
	if !l.o.KeyStdin || l.keyRead {
		return missing, nil
	}
	isSecret := func(f loopback.Field) bool { return f.Secret }
	candidates := missing
	if !slices.ContainsFunc(missing, isSecret) {
		candidates = open
	}
	secrets := slices.DeleteFunc(slices.Clone(candidates), func(f loopback.Field) bool { return !f.Secret })
	switch len(secrets) {
	case 0:
		return nil, exit.WithHint(exit.Usagef("--key-stdin reads one secret, but %s needs none", l.d.Name), l.command(""))
	case 1:
	default:
		return nil, exit.WithHint(exit.Usagef("--key-stdin reads one secret, but %s needs %s", l.d.Name, show.Plural(len(secrets), "secret")), l.commandFor(append(missing, secrets...)))
	}
	field := secrets[0]
	key, err := readKey(l.console.In)
	if errors.Is(err, errEmptyInput) {
		return nil, l.notGiven(err, missing)
	}
	if err != nil {
		return nil, err
	}
	if values[field.Name], err = field.Take(key.Reveal()); err != nil {
		return nil, l.invalid(field.Name, field.Label, err)
	}
	return slices.DeleteFunc(missing, isSecret), nil
}

// invalid is the error for a value that was found without asking.
func (l *Login) invalid(name, label string, err error) error {
	flag := l.given[name].flag
	return exit.WithHint(&valueError{provider: l.d.Name, label: label, flag: flag, err: err}, l.repeat(flag))
}
