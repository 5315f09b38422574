package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/internal/home"
)

// exactArgs requires one argument for each name.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return exit.Usagef("%s takes %s", cmd.Name(), strings.Join(names, " and "))
	}
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

// showHelp is what a command does that only groups others.
func showHelp(cmd *cobra.Command, _ []string) error { return cmd.Help() }

// unknownCommand names the command that was probably meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	switch near := cmd.SuggestionsFor(name); len(near) {
	case 0:
		return exit.Usagef("unknown command %q", name)
	case 1:
		return exit.WithCommand(exit.Usagef("unknown command %q", name), "%s", strings.TrimSpace(commandName(cmd)+" "+near[0]))
	default:
		return exit.Usagef("unknown command %q: did you mean %s?", name, strings.Join(near, " or "))
	}
}

// checkName checks the name of a connection that a flag gives. An empty one means
// the default.
func checkName(flag, name string) error {
	if name == "" {
		return nil
	}
	if err := home.ValidateName(name); err != nil {
		return exit.Usagef("%s: %v", flag, err)
	}
	return nil
}
