package main

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/near"
	"github.com/authsome/authsome/providers"
)

// withNext adds the next command to an error if it depends on the command line.
func withNext(cmd *cobra.Command, err error) error {
	if e, ok := errors.AsType[*exit.FlagError](err); ok {
		return exit.WithCommand(err, "%s", repeated(cmd, e.Flag))
	}
	if exit.HasHint(err) {
		return err
	}
	if _, ok := errors.AsType[*exit.HiddenError](err); ok {
		return exit.WithHint(err, suggest.Outside("%s", asTyped(cmd)))
	}
	if e, ok := errors.AsType[*providers.NotFoundError](err); ok && e.Near != "" && strings.Contains(cmd.Use, "PROVIDER") {
		args := slices.Clone(cmd.Flags().Args())
		if i := slices.Index(args, e.Name); i >= 0 {
			args[i] = e.Near
			return exit.WithCommand(err, "%s", repeatedWith(cmd, args, ""))
		}
	}
	if e, ok := errors.AsType[*auth.NoDefaultError](err); ok {
		if line := withConnection(cmd, "", e.Connections[0]); line != "" {
			return exit.WithCommand(err, "%s", line)
		}
	}
	if e, ok := errors.AsType[*auth.LoginRequiredError](err); ok && e.Connection != "" && len(e.Others) > 0 {
		if line := withConnection(cmd, e.Connection, cmp.Or(near.Nearest(e.Connection, e.Others, 2), e.Others[0])); line != "" {
			return exit.WithCommand(err, "%s", line)
		}
	}
	if _, ok := errors.AsType[*exit.UsageError](err); ok {
		if cmd == cmd.Root() {
			return exit.WithCommand(err, "help")
		}
		return exit.WithCommand(err, "%s --help", commandName(cmd))
	}
	return err
}

// commandName is the path of a command without the name of the program.
func commandName(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}

// withConnection is the command as it was typed, for another connection than the one
// that was named, if any. It is empty if the command does not act on one connection.
func withConnection(cmd *cobra.Command, named, connection string) string {
	switch args := slices.Clone(cmd.Flags().Args()); {
	case strings.Contains(cmd.Use, "CONNECTION"):
		if i := slices.Index(args, named); i > 0 {
			args[i] = connection
			return repeatedWith(cmd, args, "")
		}
		return repeatedWith(cmd, append(args, connection), "")
	case strings.Contains(cmd.Use, "PROVIDER") && cmd.Flags().Lookup("connection") != nil:
		return repeated(cmd, "--connection "+suggest.Words(connection))
	}
	return ""
}

// repeated is the command as it was typed, with one more flag. If the flag was given
// with another value, it is replaced. Global flags are left out.
func repeated(cmd *cobra.Command, flag string) string {
	return repeatedWith(cmd, cmd.Flags().Args(), flag)
}

// repeatedWith is [repeated] with other arguments. What was read from standard input
// must be given again.
func repeatedWith(cmd *cobra.Command, args []string, flag string) string {
	words := append(strings.Fields(commandName(cmd)), args...)
	stdin := ""
	name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), " ")
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		switch {
		case !f.Changed || f.Name == name:
		case f.Value.Type() == "bool":
			words = append(words, "--"+f.Name)
			if f.Name == "key-stdin" || f.Name == "secrets-stdin" {
				stdin = " < FILE"
			}
		default:
			for _, value := range values {
				words = append(words, "--"+f.Name, value)
			}
		}
	})
	return strings.TrimSpace(suggest.Words(words...)+" "+flag) + stdin
}
