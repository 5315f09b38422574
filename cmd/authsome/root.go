package main

import (
	"context"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/remote"
)

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, a *app, args []string) int {
	return executeRoot(ctx, a, newRootCmd(a), args)
}

func executeRoot(ctx context.Context, a *app, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	a.Keys = sync.OnceValue(func() []string { return keysIn(args) })
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		a.JSON = a.JSON || wantsJSON(root, args) // parsing stopped at the invalid flag
		// Flags after the name of a command that does not exist are not the problem.
		if found, rest, _ := root.Find(args); found.HasAvailableSubCommands() && len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			return unknownCommand(found, rest[0])
		}
		return exit.Usagef("%s", flagProblem(err))
	})
	cmd, err := root.ExecuteContextC(ctx)
	if err != nil && exit.Judge(err).Code == exit.CredentialMissing {
		a.suggestImport(ctx)
	}
	a.close()
	if err != nil {
		return a.Fail(a.withoutKeys(cmd, args, err))
	}
	return exit.OK
}

// group is a group of commands in the help.
type group struct {
	title    string
	commands []*cobra.Command
}

// commandGroups lists the commands in the order in which a new user needs them.
func commandGroups(a *app) []group {
	return []group{
		{"Start here", []*cobra.Command{newDemoCmd(a), newLoginCmd(a), newRunCmd(a), a.fromProxy(newListCmd(a))}},
		{"Find out what happened", []*cobra.Command{a.fromProxy(newStatusCmd(a)), a.fromProxy(newWhyCmd(a)), newDoctorCmd(a), newLogCmd(a)}},
		{"Manage credentials", []*cobra.Command{
			newGetCmd(a), newExportCmd(a), newImportCmd(a), newDefaultCmd(a), newConnectionCmd(a), newLogoutCmd(a), newRevokeCmd(a), newRemoveCmd(a),
		}},
		{"Manage providers", []*cobra.Command{newInspectCmd(a), newProviderCmd(a), newRegisterCmd(a)}},
		{"Serve containers and other processes", []*cobra.Command{newProxyCmd(a), newCACmd(a)}},
		{"Manage the home", []*cobra.Command{newProfileCmd(a), newVaultCmd(a), newKeyCmd(a), newInitCmd(a), a.fromProxy(newWhoamiCmd(a))}},
		{"Other", []*cobra.Command{newCompletionCmd(), newManCmd(a), newVersionCmd(a), newHelpCmd()}},
	}
}

func newRootCmd(a *app) *cobra.Command {
	cobra.EnableCommandSorting = false // keep the order of the groups
	root := newBareRootCmd(a)
	for _, g := range commandGroups(a) {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, cmd := range g.commands {
			cmd.GroupID = g.title
			root.AddCommand(cmd)
			if cmd.Name() == "help" {
				root.SetHelpCommand(cmd)
			}
		}
	}
	root.AddCommand(newNewProviderCmd(a))
	a.complete(root)
	return root
}

// newBareRootCmd is the root command without other commands.
func newBareRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "authsome",
		Short: "Give agents access to APIs without giving them the keys",
		Long: `Authsome keeps credentials in an encrypted vault and adds them to an agent's
requests on their way out. The agent itself has only placeholders.

Documentation: ` + docsURL,
		Example: `  authsome login openai
  authsome run -- COMMAND
  authsome demo`,
		Version:       versionLine(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		PersistentPreRunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Name() == cobra.ShellCompRequestCmd {
				a.In, a.Err = strings.NewReader(""), io.Discard // a shell that completes a line cannot pass on a question
			}
			if err := a.refuseBehindProxy(cmd); err != nil {
				return err
			}
			cmd.SetContext(a.Watch(cmd.Context()))
			if err := checkConnectionFlag(cmd); err != nil {
				return err
			}
			if remote.Serves(commandName(cmd)) {
				return nil // fromProxy does it, if this process reads the home
			}
			return a.resolveProvider(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageTemplate(usageTemplate)
	root.CompletionOptions.DisableDefaultCmd = true
	f := root.PersistentFlags()
	f.StringVar(&a.Profile, "profile", "", "use the profile `NAME` (default: AUTHSOME_PROFILE, else the configured default)")
	f.BoolVar(&a.JSON, "json", false, "print results and errors as JSON to stdout")
	f.BoolVarP(&a.Quiet, "quiet", "q", false, "print only results, warnings and errors")
	f.BoolVar(&a.NoColor, "no-color", false, "do not use colour on terminals (default: only if NO_COLOR is set)")
	f.BoolP("help", "h", false, "explain the command")
	f.BoolVar(&a.verbose, "verbose", false, "write the log to stderr too, with debug messages")
	f.StringVar(&a.logFile, "log-file", opener.DefaultLogFile, "write the log to `FILE`, or to stderr if it is -; an empty name turns it off")
	root.Flags().BoolP("version", "v", false, "show the version") // cobra would add it only when the command runs
	return root
}
