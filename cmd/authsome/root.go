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
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
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
	f.BoolVar(&a.noColor, "no-color", false, "use no colour (there is none yet; NO_COLOR likewise)")
	f.BoolVar(&a.verbose, "verbose", false, "write the debug log to stderr")
	f.StringVar(&a.logFile, "log-file", defaultLogFile, "write the log to `FILE`; empty for none")
	root.AddCommand(
		newInitCmd(a), newListCmd(a), newInspectCmd(a), newLoginCmd(a), newLogoutCmd(a), newRemoveCmd(a), newGetCmd(a),
		newDefaultCmd(a), newRegisterCmd(a), newNewProviderCmd(a), newWhyCmd(a), newWhoamiCmd(a), newVersionCmd(a),
		newLogCmd(a), newDoctorCmd(a), newProfileCmd(a), newRunCmd(a), newProxyCmd(a), newDemoCmd(a), newManCmd(a),
	)
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
