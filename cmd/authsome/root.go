package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, a *app, args []string) int {
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error {
		// Parsing ends at a wrong flag, and --json may stand behind it.
		a.json = a.json || slices.Contains(args, "--json")
		return usageErrorf("%v", err)
	})
	cmd, err := root.ExecuteContextC(ctx)
	a.close()
	if err != nil {
		return a.fail(advise(cmd, err))
	}
	return exitOK
}

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "authsome",
		Short: "Give agents access to APIs without giving them the keys",
		Long: `Authsome keeps credentials in an encrypted vault and puts them on the requests
of an agent on their way out. The agent itself sees placeholders.`,
		Example: `  authsome login openai
  authsome run -- COMMAND
  authsome demo`,
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			a.profileNamed = a.profileName
			cmd.SetContext(a.watched(cmd.Context()))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return noCommand(cmd, args[0])
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	f := root.PersistentFlags()
	f.StringVar(&a.profileName, "profile", "", "use the profile `NAME` (default: AUTHSOME_PROFILE, else the configured one)")
	f.BoolVar(&a.json, "json", false, "write JSON to stdout, errors too")
	f.BoolVarP(&a.quiet, "quiet", "q", false, "say nothing but what was asked for, warnings and errors")
	f.BoolVar(&a.noColor, "no-color", false, "use no colour on terminals (default: as NO_COLOR says)")
	f.BoolVar(&a.verbose, "verbose", false, "write the debug log to stderr")
	f.StringVar(&a.logFile, "log-file", defaultLogFile, "write the log to `FILE`; empty for none")
	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Connect services", []*cobra.Command{
			newLoginCmd(a), newListCmd(a), newInspectCmd(a), newDefaultCmd(a), newGetCmd(a), newExportCmd(a), newImportCmd(a),
			newLogoutCmd(a), newRevokeCmd(a), newRemoveCmd(a),
		}},
		{"Run agents", []*cobra.Command{newRunCmd(a), newProxyCmd(a), newWhyCmd(a), newDoctorCmd(a), newLogCmd(a), newDemoCmd(a)}},
		{"Add services", []*cobra.Command{newRegisterCmd(a), newNewProviderCmd(a)}},
		{"Look after the home", []*cobra.Command{newProfileCmd(a), newConnectionCmd(a), newKeyCmd(a), newVaultCmd(a), newCACmd(a), newWhoamiCmd(a), newInitCmd(a)}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title + ":"})
		for _, cmd := range group.commands {
			cmd.GroupID = group.title
			root.AddCommand(cmd)
		}
	}
	root.AddCommand(newVersionCmd(a), newManCmd(a))
	a.complete(root)
	return root
}

// exactArgs is cobra's, with our words.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		return usageErrorf("%s takes %s", cmd.Name(), strings.Join(names, " and "))
	}
}

// noArgs is cobra's, with our words. A group of commands was given the name of
// one that it does not have.
func noArgs(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasAvailableSubCommands():
		return noCommand(cmd, args[0])
	}
	return usageErrorf("%s takes no argument", cmd.Name())
}

// oneArg lets one argument be left out.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usageErrorf("%s takes one %s", cmd.Name(), name)
		}
		return nil
	}
}

// noCommand names the command that may have been meant.
func noCommand(cmd *cobra.Command, name string) error {
	cmd.SuggestionsMinimumDistance = 2
	switch near := cmd.SuggestionsFor(name); len(near) {
	case 0:
		return usageErrorf("no command %q", name)
	case 1:
		return withHint(usageErrorf("no command %q", name), "%s %s", cmd.CommandPath(), near[0])
	default:
		return usageErrorf("no command %q: did you mean %s?", name, strings.Join(near, " or "))
	}
}
