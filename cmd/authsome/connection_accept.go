package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/providers"
)

type acceptOptions struct {
	provider   string
	connection string
	yes        bool
	hosts      []string
}

func newConnectionAcceptCmd(a *app) *cobra.Command {
	o := &acceptOptions{}
	cmd := &cobra.Command{
		Use: "accept PROVIDER [CONNECTION]", Short: "Let connections use a definition that was changed",
		Long: `A connection sends its credential only where the definition that it was made
with says. If a definition in the home is replaced by one that adds hosts,
paths, token endpoints or another place on the request, existing connections do
not use the additions. Accept shows them and, after a confirmation, lets the
connection use them: the named one, or all connections of the provider.

Without a terminal, --yes needs --host for each host that is added.`,
		Example: `  authsome connection accept acme
  authsome connection accept acme work --yes --host api2.acme.com`,
		Args: providerArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.provider = args[0]; len(args) == 2 {
				o.connection = args[1]
			}
			return acceptDefinition(cmd.Context(), a, o)
		},
	}
	cmd.Flags().BoolVarP(&o.yes, "yes", "y", false, "do not ask for confirmation")
	cmd.Flags().StringArrayVar(&o.hosts, "host", nil, "with --yes, a `HOST` that is added; repeatable")
	return cmd
}

// acceptance is a connection and what a changed definition would add to it.
type acceptance struct {
	auth.Connection
	before *providers.Definition
	adds   providers.Widening
}

func acceptDefinition(ctx context.Context, a *app, o *acceptOptions) error {
	if err := checkName("CONNECTION", o.connection); err != nil {
		return err
	}
	d, err := a.definition(o.provider)
	if err != nil {
		return err
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	own, err := o.connections(ctx, a, credentials)
	if err != nil {
		return err
	}
	waiting := waitingOf(credentials, own)
	if err := o.confirm(ctx, a, d, waiting); err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx) // a person may have taken a while
	defer cancel()
	names := make([]string, len(waiting))
	for i, w := range waiting {
		names[i] = w.Name
	}
	if len(names) > 0 {
		if err := credentials.Accept(ctx, o.provider, names, d); err != nil {
			return err
		}
	}
	for _, w := range waiting {
		if err := a.record(audit.Event{Event: audit.Accept, Provider: w.Provider, Connection: w.Name, Outcome: "ok: " + w.adds.String()}); err != nil {
			return err
		}
		a.Infof("%s/%s now uses the definition of %s", w.Provider, w.Name, w.Provider)
		if providers.MovesSecrets(w.before, d) {
			a.Infof("its token cannot be refreshed at the new address; log in again: %s", a.Suggest(suggest.Relogin(w.Provider, w.Name)))
		}
	}
	if len(waiting) > 0 {
		for _, s := range a.keptFrom(ctx, waiting[0].Connection) {
			a.Infof("%s", a.contestLine(s, choiceOf(waiting[0].Connection)))
		}
	}
	return a.acknowledgeAccepted(o.provider, waiting)
}

// connections returns the named connection, or all of the provider.
func (o *acceptOptions) connections(ctx context.Context, a *app, credentials *auth.Auth) ([]auth.Connection, error) {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	own, err := connectionsOf(ctx, a, o.provider)
	if err != nil {
		return nil, err
	}
	if o.connection != "" || len(own) == 0 {
		c, err := credentials.Connection(ctx, o.provider, o.connection)
		if err != nil {
			return nil, err
		}
		own = []auth.Connection{c}
	}
	return own, nil
}

// waitingOf returns those of the connections that do not use their changed definition. It
// leaves out those whose definition is missing, which is reported elsewhere.
func waitingOf(credentials *auth.Auth, connections []auth.Connection) []acceptance {
	var all []acceptance
	for _, c := range connections {
		if before, adds, err := credentials.Definition(c); err == nil && !adds.Empty() {
			all = append(all, acceptance{c, before, adds})
		}
	}
	return all
}

// confirm shows what the connections would use and asks, or compares --host with it.
func (o *acceptOptions) confirm(ctx context.Context, a *app, d *providers.Definition, waiting []acceptance) error {
	if len(waiting) == 0 {
		a.Infof("no connection of %s waits for a changed definition", cmp.Or(d.DisplayName, d.Name))
		return nil
	}
	var names, hosts []string
	for _, w := range waiting {
		names = append(names, w.Provider+"/"+w.Name)
		for _, host := range w.adds.Hosts {
			if !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	flags := "--yes"
	for _, host := range hosts {
		flags += " --host " + suggest.Words(host)
	}
	if o.yes {
		if given := slices.Compact(slices.Sorted(slices.Values(o.hosts))); !slices.Equal(given, slices.Sorted(slices.Values(hosts))) {
			return exit.WithHint(exit.Usagef("name each host that is added with --host: %s", cmp.Or(strings.Join(hosts, ", "), "none is added")),
				suggest.Command("connection accept %s", o.provider).With(flags))
		}
		return nil
	}
	for _, w := range waiting {
		w.show(a)
	}
	return a.Confirm(ctx, fmt.Sprintf("Let %s use this definition?", strings.Join(names, " and ")), flags)
}

// show prints what the connection would use in addition.
func (w acceptance) show(a *app) {
	a.Detail("%s/%s was made with another definition of %s. The present one:", w.Provider, w.Name, w.Provider)
	for _, host := range w.adds.Hosts {
		a.Detail("  sends its credential or secrets at sign-in also to %s", host)
	}
	for _, c := range w.adds.Changes {
		if c.Field != "hosts" {
			a.Detail("  changes %s", c)
		}
	}
}

// acknowledgeAccepted prints the JSON answer.
func (a *app) acknowledgeAccepted(provider string, accepted []acceptance) error {
	if !a.JSON {
		return nil
	}
	type view struct {
		Connection string   `json:"connection"`
		Hosts      []string `json:"hosts"`
		Changes    []string `json:"changes"`
	}
	out := struct {
		Provider string `json:"provider"`
		Accepted []view `json:"accepted"`
		Status   string `json:"status"`
	}{Provider: provider, Accepted: []view{}, Status: "ok"}
	for _, w := range accepted {
		out.Accepted = append(out.Accepted, view{w.Name, append([]string{}, w.adds.Hosts...), texts(w.adds.Changes)})
	}
	return a.PrintJSON(out)
}

// texts returns changes as text.
func texts(changes []providers.Change) []string {
	all := make([]string, len(changes))
	for i, c := range changes {
		all[i] = c.String()
	}
	return all
}

// waitingView is a changed definition that a connection does not use yet, in --json.
type waitingView struct {
	Hosts   []string `json:"hosts"`
	Changes []string `json:"changes"`
	Fix     string   `json:"fix"`
	Who     string   `json:"who,omitempty"` // "person" behind the proxy
}

// viewWaiting returns what waits for the user to accept it, or nil.
func (a *app) viewWaiting(c auth.Connection) *waitingView {
	credentials, err := a.auth()
	if err != nil {
		return nil
	}
	waiting := waitingOf(credentials, []auth.Connection{c})
	if len(waiting) == 0 {
		return nil
	}
	adds := waiting[0].adds
	fix, who := a.Next(suggest.Accept(c.Provider, c.Name))
	return &waitingView{append([]string{}, adds.Hosts...), texts(adds.Changes), fix, who}
}

// warnWaiting reports the connections that do not use their changed definition yet.
func (a *app) warnWaiting(credentials *auth.Auth, connections []auth.Connection) {
	for _, w := range waitingOf(credentials, connections) {
		a.Warnf("%s", a.waitingLine(w))
	}
}

// waitingLine says that a connection does not use its changed definition yet.
func (a *app) waitingLine(w acceptance) string {
	return fmt.Sprintf("%s/%s does not use the changed definition of %s, which %s, until you accept it: %s",
		w.Provider, w.Name, w.Provider, w.adds, a.Suggest(suggest.Accept(w.Provider, w.Name)))
}
