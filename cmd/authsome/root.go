package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/providers"
)

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, a *app, args []string) int {
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		a.JSON = a.JSON || wantsJSON(root, args) // parsing ended at the wrong flag
		return exit.Usagef("%s", flagProblem(err))
	})
	cmd, err := root.ExecuteContextC(ctx)
	a.close()
	if err != nil {
		return a.Fail(withNext(cmd, err))
	}
	return exit.OK
}

// group is the commands for one task in the help.
type group struct {
	title    string
	commands []*cobra.Command
}

// commandGroups are in the order of a first hour.
func commandGroups(a *app) []group {
	return []group{
		{"Start here", []*cobra.Command{newDemoCmd(a), newLoginCmd(a), newRunCmd(a), newListCmd(a)}},
		{"Find out what happened", []*cobra.Command{newWhyCmd(a), newDoctorCmd(a), newLogCmd(a)}},
		{"Manage credentials", []*cobra.Command{
			newGetCmd(a), newExportCmd(a), newImportCmd(a), newDefaultCmd(a), newConnectionCmd(a), newLogoutCmd(a), newRevokeCmd(a), newRemoveCmd(a),
		}},
		{"Manage providers", []*cobra.Command{newInspectCmd(a), newRegisterCmd(a), newProviderCmd(a)}},
		{"Serve containers and other processes", []*cobra.Command{newProxyCmd(a), newCACmd(a)}},
		{"Manage the home", []*cobra.Command{newProfileCmd(a), newVaultCmd(a), newKeyCmd(a), newInitCmd(a), newWhoamiCmd(a)}},
		{"Other", []*cobra.Command{newHelpCmd(), newCompletionCmd(), newVersionCmd(a)}},
	}
}

func newRootCmd(a *app) *cobra.Command {
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
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			cmd.SetContext(a.Watch(cmd.Context()))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	cobra.EnableCommandSorting = false // the help is in the order of the groups
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetUsageTemplate(usageTemplate)
	root.CompletionOptions.DisableDefaultCmd = true
	f := root.PersistentFlags()
	f.StringVar(&a.Profile, "profile", "", "use the profile `NAME` (default: AUTHSOME_PROFILE, else the configured default)")
	f.BoolVar(&a.JSON, "json", false, "print JSON to stdout, including errors")
	f.BoolVarP(&a.Quiet, "quiet", "q", false, "print only results, warnings and errors")
	f.BoolVar(&a.NoColor, "no-color", false, "do not use colour on terminals (default: if NO_COLOR is set)")
	f.BoolP("help", "h", false, "explain the command")
	f.BoolVar(&a.verbose, "verbose", false, "write the debug log to stderr")
	f.StringVar(&a.logFile, "log-file", opener.DefaultLogFile, "write the log to `FILE`; empty for none")
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
	root.AddCommand(newManCmd(a), newNewProviderCmd(a))
	a.complete(root)
	return root
}

// wantsJSON reports whether --json is among authsome's own flags. The flags of the
// command that authsome run starts are not authsome's.
func wantsJSON(root *cobra.Command, args []string) bool {
	cmd, rest, err := root.Find(args)
	if err != nil {
		return false
	}
	f := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	f.ParseErrorsAllowlist.UnknownFlags = true
	f.SetInterspersed(cmd.Name() != "run")
	// The flags of the command, without what they do and what values they allow.
	add := func(flag *pflag.Flag) {
		if f.Lookup(flag.Name) != nil {
			return
		}
		if flag.Value.Type() == "bool" {
			f.BoolP(flag.Name, flag.Shorthand, false, "")
		} else {
			f.StringP(flag.Name, flag.Shorthand, "", "")
		}
	}
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	f.Parse(rest)
	json, err := f.GetBool("json")
	return err == nil && json
}

// flagProblem says what is wrong with a flag. The errors of the flag package quote
// Go's own parsers.
func flagProblem(err error) string {
	if e, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		expected := map[string]string{
			"int": "a whole number", "int64": "a whole number", "duration": "a duration such as 30s, 5m or 1h", "bool": "true or false",
		}[e.GetFlag().Value.Type()]
		return "--" + e.GetFlag().Name + " " + e.GetValue() + ": expected " + cmp.Or(expected, "another form of value")
	}
	return err.Error()
}

// withNext adds what to do next where only the command line says it.
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
			return exit.WithCommand(err, "%s", commandName(cmd)+" "+strings.Join(args, " "))
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

// commandName is the command's name without the program's.
func commandName(cmd *cobra.Command) string {
	_, name, _ := strings.Cut(cmd.CommandPath(), " ")
	return name
}

// repeated is the command as it was typed, with one more flag, or with another value
// of that flag. Global flags are left out.
func repeated(cmd *cobra.Command, flag string) string {
	words := append([]string{commandName(cmd)}, cmd.Flags().Args()...)
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
	return strings.Join(append(words, flag), " ")
}
