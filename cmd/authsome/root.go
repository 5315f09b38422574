package main

import (
	"context"
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
	err := root.ExecuteContext(ctx)
	a.close()
	if err != nil {
		return a.fail(err)
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
		Version:          versionLine(),
		SilenceErrors:    true,
		SilenceUsage:     true,
		Args:             cobra.ArbitraryArgs,
		PersistentPreRun: func(cmd *cobra.Command, _ []string) { cmd.SetContext(a.watched(cmd.Context())) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			err := usageErrorf("no command %q", args[0])
			if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
				return withHint(err, "did you mean authsome %s?", strings.Join(near, " or authsome "))
			}
			return err
		},
	}
	root.SuggestionsMinimumDistance = 2
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return withHint(usageErrorf("%v", err), "%s --help", cmd.CommandPath())
	})
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
		{"Look after the home", []*cobra.Command{newProfileCmd(a), newConnectionCmd(a), newKeyCmd(a), newVaultCmd(a), newWhoamiCmd(a), newInitCmd(a)}},
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
		return withHint(usageErrorf("%s takes %s", cmd.Name(), strings.Join(names, " and ")), "%s --help", cmd.CommandPath())
	}
}
