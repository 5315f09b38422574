package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
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
	if e, ok := errors.AsType[*providers.NotFoundError](err); ok && e.Near != "" && strings.Contains(cmd.Use, "PROVIDER") {
		args := cmd.Flags().Args()
		if i := slices.Index(args, e.Name); i >= 0 {
			args[i] = e.Near
			return exit.WithCommand(err, "%s %s", commandName(cmd), suggest.Words(args...))
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

// repeated is the command as it was typed, with one more flag. If the flag was given
// with another value, it is replaced. Global flags are left out.
func repeated(cmd *cobra.Command, flag string) string {
	words := append(strings.Fields(commandName(cmd)), cmd.Flags().Args()...)
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
		default:
			for _, value := range values {
				words = append(words, "--"+f.Name, value)
			}
		}
	})
	return suggest.Words(words...) + " " + flag
}
