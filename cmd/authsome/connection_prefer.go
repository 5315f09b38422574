package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/explain"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/hosts"
	"github.com/authsome/authsome/routing"
)

type preferOptions struct {
	provider   string
	host       string // if empty, all that the provider shares with others
	connection string // if empty, the provider's default, or the one that covers the host
}

func newConnectionPreferCmd(a *app) *cobra.Command {
	o := &preferOptions{}
	cmd := &cobra.Command{
		Use: "prefer PROVIDER [HOST]", Short: "Choose which provider serves hosts that several cover",
		Long: `Some services have two definitions, for two ways to authenticate. If both are
connected, requests to the hosts that they share can be served by either. Prefer
chooses PROVIDER for HOST, or for all hosts that it shares with other connected
providers. With --connection it also chooses between connections of one
provider.

The choice is stored in the vault. It lasts until another one is preferred or
the connection is deleted. Running proxies follow within a second.`,
		Example: `  authsome connection prefer github-pat
  authsome connection prefer github-pat uploads.github.com
  authsome connection prefer mcp mcp.example.com --connection work`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 || len(args) > 2 {
				return exit.WithCommand(exit.Usagef("prefer takes PROVIDER and, optionally, HOST"), "connection prefer --help")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.provider = args[0]; len(args) == 2 {
				o.host = args[1]
			}
			ctx, cancel := opener.Bounded(cmd.Context())
			defer cancel()
			return prefer(ctx, a, o)
		},
	}
	cmd.Flags().StringVar(&o.connection, "connection", "", "choose the connection `NAME` of the provider")
	return cmd
}

func prefer(ctx context.Context, a *app, o *preferOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := checkKnown(ctx, a, o.provider); err != nil {
		return err
	}
	own, err := connectionsOf(ctx, a, o.provider)
	if err != nil {
		return err
	}
	if o.connection != "" && !slices.ContainsFunc(own, func(c auth.Connection) bool { return c.Name == o.connection }) || len(own) == 0 {
		return &auth.LoginRequiredError{Provider: o.provider, Connection: o.connection, Reason: auth.ReasonMissing}
	}
	t, err := a.routes(ctx)
	if err != nil {
		return err
	}
	places, err := o.places(t)
	if err != nil {
		return err
	}
	if len(places) == 0 {
		a.Infof("no other connection covers the same requests as %s; there is nothing to choose", o.name())
	} else if err := a.prefer(ctx, routing.Choice{Provider: o.provider, Connection: o.connection}, places); err != nil {
		return err
	}
	if !a.JSON {
		return nil
	}
	return a.PrintJSON(struct {
		Provider   string   `json:"provider"`
		Connection string   `json:"connection,omitempty"`
		Hosts      []string `json:"hosts"`
		Status     string   `json:"status"`
	}{o.provider, o.connection, append([]string{}, places...), "ok"})
}

// check checks the arguments, and brings the host into the form of [routing.Shared.Host].
// It may be a URL.
func (o *preferOptions) check() error {
	if err := checkName("--connection", o.connection); err != nil {
		return err
	}
	if o.host == "" {
		return nil
	}
	star := strings.HasPrefix(o.host, "*.")
	name := strings.TrimPrefix(o.host, "*.")
	if u, err := parseURL(name); err == nil {
		name = u.Hostname()
	}
	host, err := hosts.Normalize(name)
	if err != nil {
		return exit.Usagef("%q is not a host: %v", o.host, err)
	}
	if o.host = host; star {
		o.host = "*." + host
	}
	return nil
}

// name is what is preferred, for people.
func (o *preferOptions) name() string {
	if o.connection == "" {
		return o.provider
	}
	return explain.Name(routing.Choice{Provider: o.provider, Connection: o.connection})
}

// places returns the hosts that are preferred: those that the provider, or the connection,
// shares with others.
func (o *preferOptions) places(t *routing.Table) ([]string, error) {
	own := func(c routing.Choice) bool {
		return routing.Choice{Provider: o.provider, Connection: o.connection}.Covers(c.Provider, c.Connection)
	}
	var places []string
	for _, s := range t.Shared() {
		place := cmp.Or(o.host, s.Host)
		if !slices.ContainsFunc(s.Among, own) || !s.MatchHost(place) {
			continue
		}
		if i := slices.IndexFunc(s.Among, own); !slices.ContainsFunc(s.Among, func(c routing.Choice) bool { return !own(c) }) {
			if o.host == "" {
				continue
			}
			return nil, exit.WithCommand(exit.Usagef("only connections of %s cover %s: name the one to use with --connection", o.provider, o.host),
				"connection prefer %s %s --connection %s", o.provider, suggest.Words(o.host), s.Among[i].Connection)
		}
		if !slices.Contains(places, place) {
			places = append(places, place)
		}
	}
	if len(places) == 0 && o.host != "" {
		return nil, o.notShared(t)
	}
	return places, nil
}

// notShared returns an error if a preference for the host would be a mistake, and not
// only unnecessary: the connection does not cover it, or other ones cover other parts of it.
func (o *preferOptions) notShared(t *routing.Table) error {
	if err := o.partOfWildcard(t); err != nil {
		return err
	}
	name, covered := o.name(), false
	var others []string
	for _, r := range t.Routes() {
		switch {
		case !r.MatchHost(o.host):
		case r.Provider == o.provider && (o.connection == "" || o.connection == r.Connection):
			covered = true
		default:
			others = append(others, explain.Name(routing.Choice{Provider: r.Provider, Connection: r.Connection}))
		}
	}
	switch {
	case !covered:
		return exit.WithCommand(exit.Usagef("%s does not cover %s", name, o.host), "inspect %s", o.provider)
	case len(others) > 0:
		return exit.WithCommand(exit.Usagef("%s and %s cover different requests to %s: the one that names the host and path more precisely serves them",
			name, strings.Join(slices.Compact(others), ", "), o.host), "why %s", suggest.Words("https://"+o.host+"/"))
	}
	return nil
}

// partOfWildcard returns an error if the host is only a part of what the provider shares.
func (o *preferOptions) partOfWildcard(t *routing.Table) error {
	for _, s := range t.Shared() {
		suffix, wildcard := strings.CutPrefix(s.Host, "*")
		own := func(c routing.Choice) bool { return c.Provider == o.provider }
		if !wildcard || !strings.HasPrefix(o.host, "*") || !strings.HasSuffix(o.host, suffix) || !slices.ContainsFunc(s.Among, own) {
			continue
		}
		whole := suggest.Command("connection prefer %s %s", o.provider, suggest.Words(s.Host))
		if o.connection != "" {
			whole = whole.With("--connection " + o.connection)
		}
		return exit.WithHint(exit.Usagef("%s is part of %s: only one host, or all of %[2]s, can be preferred", o.host, s.Host), whole)
	}
	return nil
}

// prefer stores and reports which connection serves the hosts.
func (a *app) prefer(ctx context.Context, c routing.Choice, places []string) error {
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	if err := credentials.Prefer(ctx, c, places...); err != nil {
		return err
	}
	event := audit.Event{Event: audit.Prefer, Provider: c.Provider, Connection: c.Connection, Outcome: "ok: " + strings.Join(places, ", ")}
	if err := a.record(event); err != nil {
		return err
	}
	name := c.Provider
	if c.Connection != "" {
		name = explain.Name(c)
	}
	refused := a.undecided(ctx, c, places)
	if len(refused) == 0 {
		a.Infof("%s now serves %s", name, strings.Join(places, ", "))
		return nil
	}
	a.Infof("%s is now preferred for %s", name, strings.Join(places, ", "))
	for _, s := range refused {
		a.Warnf("%s", a.contestLine(s, routing.Choice{}))
	}
	return nil
}

// undecided returns what is refused although c was preferred: requests that several
// connections of the provider match, of which none is its default. The preference is
// stored, so an error is only reported.
func (a *app) undecided(ctx context.Context, c routing.Choice, places []string) []explain.Contest {
	t, err := a.routes(ctx)
	if err != nil {
		a.Warnf("cannot read which connection serves the hosts of %s: %v", c.Provider, err)
		return nil
	}
	return slices.DeleteFunc(explain.Contests(t), func(s explain.Contest) bool {
		preferred := slices.ContainsFunc(s.Among, func(o routing.Choice) bool { return c.Covers(o.Provider, o.Connection) })
		return !s.Ambiguous() || !preferred || !slices.ContainsFunc(s.Keys, func(key string) bool { return slices.Contains(places, key) })
	})
}

// routes is the routing table that a proxy for the profile in use would have now.
func (a *app) routes(ctx context.Context) (*routing.Table, error) {
	p, err := a.profile()
	if err != nil {
		return nil, err
	}
	return p.Routes(ctx)
}
