package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/providers"
)

func newCompletionCmd() *cobra.Command {
	var plain bool
	cmd := &cobra.Command{
		Use: "completion SHELL", Short: "Print a completion script for a shell",
		Long: `Completion prints a script for bash, zsh, fish or powershell. After the shell has
read it, Tab completes commands, flags, providers, connections and profiles.`,
		Example: `  source <(authsome completion bash)
  authsome completion zsh > "${fpath[1]}/_authsome"
  authsome completion fish > ~/.config/fish/completions/authsome.fish`,
		ValidArgs: []string{"bash", "zsh", "fish", "powershell"},
		Args:      exactArgs("SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, !plain)
			case "zsh":
				if plain {
					return root.GenZshCompletionNoDesc(out)
				}
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, !plain)
			case "powershell":
				if plain {
					return root.GenPowerShellCompletion(out)
				}
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return exit.Usagef("unknown shell %q: use bash, zsh, fish or powershell", args[0])
		},
	}
	cmd.Flags().BoolVar(&plain, "no-descriptions", false, "leave out the descriptions of commands and flags")
	return cmd
}

// complete sets the functions that complete arguments and flags. They offer only
// what they can read without asking for a passphrase.
func (a *app) complete(root *cobra.Command) {
	known := cobra.FixedCompletions
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "inspect", "login":
			cmd.ValidArgsFunction = only(1, a.completeProviders)
		case "get", "export", "logout", "revoke", "remove":
			cmd.ValidArgsFunction = only(1, a.completeConnected)
		case "default":
			cmd.ValidArgsFunction = a.completeConnection
		case "connection":
			for _, sub := range cmd.Commands() {
				sub.ValidArgsFunction = a.completeConnection
				sub.RegisterFlagCompletionFunc("to", a.completeProfiles)
			}
		case "ca":
			for _, sub := range cmd.Commands() {
				if sub.Name() == "export" {
					sub.RegisterFlagCompletionFunc("format", known([]string{"pem", "der", "p12"}, cobra.ShellCompDirectiveNoFileComp))
				}
			}
		case "profile":
			for _, sub := range cmd.Commands() {
				if sub.Name() == "use" || sub.Name() == "delete" {
					sub.ValidArgsFunction = only(1, a.completeProfiles)
				}
			}
		}
		for flag, f := range map[string]cobra.CompletionFunc{
			"connection": a.completeConnections,
			"provider":   a.completeConnected,
			"category":   a.completeCategories,
			"flow":       a.completeFlows,
			"trust":      known([]string{runtimeJava, runtimePHP}, cobra.ShellCompDirectiveNoFileComp),
			"unmatched":  known([]string{"allow", "deny"}, cobra.ShellCompDirectiveNoFileComp),
			"format":     known([]string{"env", "shell", "json"}, cobra.ShellCompDirectiveNoFileComp),
		} {
			if cmd.Flags().Lookup(flag) != nil {
				cmd.RegisterFlagCompletionFunc(flag, f)
			}
		}
	}
	root.RegisterFlagCompletionFunc("profile", a.completeProfiles)
}

// only limits a completion function to the first n arguments.
func only(n int, f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return f(cmd, args, prefix)
	}
}

// matching returns the choices that begin with prefix. Not every shell filters them
// itself.
func matching(choices []string, prefix string) ([]string, cobra.ShellCompDirective) {
	others := func(choice string) bool { return !strings.HasPrefix(choice, prefix) }
	return slices.DeleteFunc(choices, others), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeProviders(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, d := range a.definitions() {
		names = append(names, d.Name+"\t"+d.DisplayName)
	}
	return matching(names, prefix)
}

func (a *app) definitions() []*providers.Definition {
	set, err := a.providers()
	if err != nil {
		return nil
	}
	return set.All()
}

// stored returns the connections of the profile in use, or none if they cannot be
// read.
func (a *app) stored(cmd *cobra.Command) []auth.Connection {
	p, err := a.profile()
	if err != nil {
		return nil
	}
	all, err := p.Connections(cmd.Context())
	if err != nil {
		return nil
	}
	return all
}

func (a *app) completeConnected(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, c := range a.stored(cmd) { // sorted by provider
		names = append(names, c.Provider)
	}
	return matching(slices.Compact(names), prefix)
}

// completeConnections offers the connections of the provider that is the first
// argument; for run, proxy and why it offers PROVIDER=CONNECTION.
func (a *app) completeConnections(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if set, err := a.providers(); err == nil && len(args) > 0 {
		args = []string{set.Resolve(args[0])}
	}
	pairs := cmd.Name() == "run" || cmd.Name() == "proxy" || cmd.Name() == "why"
	for _, c := range a.stored(cmd) {
		switch {
		case pairs:
			names = append(names, c.Provider+"="+c.Name)
		case len(args) > 0 && c.Provider == args[0]:
			names = append(names, c.Name)
		}
	}
	return matching(names, prefix)
}

// completeConnection offers a provider for the first argument and one of its
// connections for the second.
func (a *app) completeConnection(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 1 {
		return a.completeConnections(cmd, args, prefix)
	}
	return only(1, a.completeConnected)(cmd, args, prefix)
}

func (a *app) completeProfiles(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	h, err := a.home()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, err := h.Profiles()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return matching(names, prefix)
}

func (a *app) completeCategories(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return matching(slices.Clone(providers.Categories[:]), prefix)
}

func (a *app) completeFlows(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var flows []string
	for _, d := range a.definitions() {
		if len(args) > 0 && d.Name == args[0] {
			flows = append(flows, d.Flows...)
		}
	}
	return matching(flows, prefix)
}
