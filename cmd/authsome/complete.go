package main

import (
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/child"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
)

// complete sets the functions that complete arguments and flags. They offer what can be
// read without asking, unlocking or changing anything, and nothing if there is an error.
func (a *app) complete(root *cobra.Command) {
	arguments := map[string]cobra.CompletionFunc{
		"login": only(1, a.completeProviders), "inspect": only(1, a.completeProviders), "list": only(1, a.completeProviders),
		"get": only(1, a.completeConnected), "export": only(1, a.completeConnected),
		"logout": only(1, a.completeConnected), "revoke": only(1, a.completeConnected), "remove": only(1, a.completeConnected), "status": only(1, a.completeConnected),
		"default": a.completeConnection, "connection accept": a.completeConnection, "connection copy": a.completeConnection, "connection move": a.completeConnection,
		"connection prefer": a.completePrefer,
		"profile use":       only(1, a.completeProfiles), "profile delete": only(1, a.completeProfiles),
		"key mode": only(1, choices(keyModes...)), "completion": only(1, choices(shells...)), "help": completeCommands,
		"man": files(cobra.ShellCompDirectiveFilterDirs),
		// These take files, or the command of another program.
		"doctor": nil, "register": nil, "run": nil, "vault backup": nil, "vault restore": nil,
	}
	for cmd := range everyCommand(root) {
		if f, ok := arguments[commandName(cmd)]; ok {
			cmd.ValidArgsFunction = f
		} else {
			cmd.ValidArgsFunction = cobra.NoFileCompletions
		}
		cmd.ValidArgs = nil
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { cmd.RegisterFlagCompletionFunc(f.Name, a.completeFlag(cmd, f)) })
	}
}

// everyCommand yields a command and all below it.
func everyCommand(cmd *cobra.Command) iter.Seq[*cobra.Command] {
	return func(yield func(*cobra.Command) bool) {
		if !yield(cmd) {
			return
		}
		for _, sub := range cmd.Commands() {
			for c := range everyCommand(sub) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// completeFlag returns the function that completes the value of a flag.
func (a *app) completeFlag(cmd *cobra.Command, f *pflag.Flag) cobra.CompletionFunc {
	switch f.Name {
	case "provider":
		if takesConnection(cmd) {
			return a.completeChoices
		}
		return a.completeConnected
	case "connection":
		return a.completeConnections
	case "profile", "to":
		return a.completeProfiles
	case "category":
		return choices(providers.Categories[:]...)
	case "flow":
		return a.completeFlows
	case "scopes":
		return elements(a.completeScopes)
	case "param":
		return a.completeParams
	case "field":
		return choices(fieldNames...)
	case "event":
		return choices(audit.Events...)
	case "trust":
		return elements(choices(append(slices.Clone(child.Runtimes), child.AllRuntimes)...))
	case "isolate":
		return choices(home.IsolateModes...)
	case "unmatched":
		return choices("allow", "deny")
	case "method":
		return choices(http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions)
	case "format":
		if commandName(cmd) == "ca export" {
			return choices(slices.Sorted(maps.Keys(caFormats))...)
		}
		return choices(slices.Sorted(maps.Keys(exportFormats))...)
	}
	switch value, _ := pflag.UnquoteUsage(f); value {
	case "FILE":
		return files(cobra.ShellCompDirectiveDefault)
	case "DIR":
		return files(cobra.ShellCompDirectiveFilterDirs)
	}
	return cobra.NoFileCompletions
}

// files lets the shell complete the names of files.
func files(directive cobra.ShellCompDirective) cobra.CompletionFunc {
	return cobra.FixedCompletions(nil, directive)
}

// choices offers values.
func choices(values ...string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return matching(slices.Clone(values), prefix)
	}
}

// elements offers the next element of a list with commas.
func elements(f cobra.CompletionFunc) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		before := prefix[:strings.LastIndex(prefix, ",")+1]
		next, _ := f(cmd, args, prefix[len(before):])
		given := strings.Split(before, ",")
		next = slices.DeleteFunc(next, func(e string) bool { return slices.Contains(given, e) })
		for i, e := range next {
			next[i] = before + e
		}
		return next, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
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

// peek reads names from the home.
func (a *app) peek() *opener.Peek {
	return opener.NewPeek(opener.Options{Getenv: a.Getenv, Profile: a.Profile})
}

func (a *app) completeProviders(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	for _, d := range a.peek().Definitions() {
		names = append(names, d.Name+"\t"+d.DisplayName)
	}
	return matching(names, prefix)
}

func (a *app) completeConnected(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return matching(slices.Sorted(maps.Keys(a.peek().Connections(cmd.Context()))), prefix)
}

// takesConnection reports whether --provider and --connection of a command can name a
// provider's connection, as PROVIDER=CONNECTION.
func takesConnection(cmd *cobra.Command) bool {
	return slices.Contains([]string{"run", "proxy", "why"}, cmd.Name())
}

// completeChoices offers a provider, and after its = a connection.
func (a *app) completeChoices(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if strings.Contains(prefix, "=") {
		return a.completeConnections(cmd, args, prefix)
	}
	return a.completeConnected(cmd, args, prefix)
}

// completeConnections offers the connections of the provider that is the first
// argument; for run, proxy and why it offers PROVIDER=CONNECTION.
func (a *app) completeConnections(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	stored := a.peek().Connections(cmd.Context())
	var names []string
	if !takesConnection(cmd) {
		if len(args) > 0 {
			names = stored[a.peek().Provider(args[0])]
		}
		return matching(slices.Clone(names), prefix)
	}
	for _, provider := range slices.Sorted(maps.Keys(stored)) {
		for _, name := range stored[provider] {
			names = append(names, provider+"="+name)
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

// completePrefer offers a provider, and then the hosts that it shares with others.
func (a *app) completePrefer(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) != 1 {
		return only(1, a.completeConnected)(cmd, args, prefix)
	}
	t := a.peek().Routes(cmd.Context())
	if t == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	o := &preferOptions{provider: a.peek().Provider(args[0])}
	o.connection, _ = cmd.Flags().GetString("connection")
	places, err := o.places(t)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	// A host that a definition has as an expression cannot be named.
	unnamed := func(place string) bool { return (&preferOptions{host: place}).check() != nil }
	return matching(slices.DeleteFunc(places, unnamed), prefix)
}

func (a *app) completeProfiles(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
	return matching(a.peek().Profiles(), prefix)
}

// named is the definition of the provider that is the first argument, or nil.
func (a *app) named(args []string) *providers.Definition {
	if len(args) == 0 {
		return nil
	}
	name := a.peek().Provider(args[0])
	for _, d := range a.peek().Definitions() {
		if d.Name == name {
			return d
		}
	}
	return nil
}

func (a *app) completeFlows(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	d := a.named(args)
	if d == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return matching(slices.Clone(d.Flows), prefix)
}

func (a *app) completeScopes(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	d := a.named(args)
	if d == nil || d.OAuth == nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return matching(slices.Clone(d.OAuth.Scopes), prefix)
}

// completeParams offers the values that login takes as arguments, as NAME=.
func (a *app) completeParams(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if d := a.named(args); d != nil {
		for _, p := range d.Params {
			if !p.Secret && p.From == "" {
				names = append(names, p.Name+"=")
			}
		}
	}
	names, directive := matching(names, prefix)
	return names, directive | cobra.ShellCompDirectiveNoSpace
}

// completeCommands offers the commands below the one that the arguments name.
func completeCommands(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	found, rest, err := cmd.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, sub := range found.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name()+"\t"+sub.Short)
		}
	}
	return matching(names, prefix)
}
