package main

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
)

// exactArgs requires one argument for each name. An argument CONNECTION must be a valid
// name.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return exit.Usagef("%s takes %s", cmd.Name(), strings.Join(names, " and "))
		}
		if i := slices.Index(names, "CONNECTION"); i >= 0 {
			return checkName("CONNECTION", args[i])
		}
		return nil
	}
}

// providerArgs requires a provider, and allows one of its connections.
func providerArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 1 || len(args) == 2 {
		return nil
	}
	return exit.Usagef("%s takes PROVIDER and optionally CONNECTION", cmd.Name())
}

// noArgs refuses arguments. For a command that only groups others, an argument is the
// name of a command that does not exist.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		return unknownCommand(cmd, args[0])
	}
	return exit.Usagef("%s takes no arguments", cmd.Name())
}

// optionalArg allows one argument.
func optionalArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return exit.Usagef("%s takes one %s", cmd.Name(), name)
		}
		return nil
	}
}

// showHelp is the action of a command that only groups others.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// unknownCommand is the error for a name that is not a command below cmd. The hint
// does not repeat the arguments, because one of them may be a secret.
func unknownCommand(cmd *cobra.Command, name string) error {
	err := exit.Usagef("unknown command %q", name)
	switch near := similar(cmd, name); len(near) {
	case 0:
		return err
	case 1:
		return exit.WithCommand(err, "%s", strings.TrimSpace(commandName(cmd)+" "+near[0]))
	default:
		return exit.Usagef("%v: did you mean %s?", err, strings.Join(near, " or "))
	}
}

// similar returns the names of the commands below cmd that are similar to name.
func similar(cmd *cobra.Command, name string) []string {
	cmd.SuggestionsMinimumDistance = 2
	return cmd.SuggestionsFor(name)
}

// fileCause is the reason of an error about a file, without the file's name, which may
// be that of a temporary file.
func fileCause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// checkDirectory returns an error if dir, into which a command writes, is not a directory.
// The flag that names it, if any, is how the error begins.
func checkDirectory(dir, flag string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return exit.WithAdvice(exit.Usagef("%s%s does not exist", flag, dir), "mkdir -p %s", suggest.Words(dir))
	case err != nil:
		return exit.Usagef("%s%s: %v", flag, dir, fileCause(err))
	case !info.IsDir():
		return exit.Usagef("%s%s is not a directory", flag, dir)
	}
	return nil
}

// checkConnectionFlag checks the flag --connection of commands in which it is the name
// of a connection.
func checkConnectionFlag(cmd *cobra.Command) error {
	name, err := cmd.Flags().GetString("connection")
	if err != nil {
		return nil // the command does not have the flag, or it is PROVIDER=NAME
	}
	return checkName("--connection", name)
}

// checkName checks the name of a connection in a flag. An empty name means the
// default connection.
func checkName(flag, name string) error {
	if name == "" {
		return nil
	}
	if err := home.ValidateName(name); err != nil {
		return exit.Usagef("%s: %v", flag, err)
	}
	return nil
}

// checkNewName refuses a key as the name of something new: names are shown.
func checkNewName(flag, name string) error {
	if providers.LooksLikeKey(name) {
		return exit.Usagef("%s: this looks like a key, and names are not secret", flag)
	}
	return nil
}
