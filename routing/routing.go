// Package routing decides what happens to a request: which connection's credential
// it gets, or why it gets none.
//
// A [Table] is compiled once from connections and their definitions, never changes,
// and answers from memory: it does no I/O, reads no clock and holds no secret. The
// proxy and the command `authsome why` call the same functions, so the explanation
// is always the decision.
//
// Its invariant: a request gets a connection's credential only if the host, the port
// and the path are listed by that connection's provider, the path is not an OAuth
// endpoint of a provider on the host, and every way of reading the path leads to the
// same answer.
package routing

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// State says whether a binding's connection can be used.
type State int

const (
	// Ready connections have a credential, or can refresh one.
	Ready State = iota
	// Unusable connections need the user: they have expired and cannot be refreshed,
	// or are invalid or revoked.
	Unusable
	// Gone connections had routes earlier in the life of this process and have been
	// logged out since. Their hosts keep their routes, so that an agent is asked to
	// log in instead of silently losing its credential.
	Gone
)

// Binding is a connection of a provider.
type Binding struct {
	Provider   string
	Connection string
	Definition *providers.Definition // as the connection uses it; required
	Values     providers.Values      // for the templates of its hosts: base_url and the params that are not secret
	State      State
	Problem    string // why it is Unusable, for people
	Default    bool   // the provider's default connection

	// Endpoints are OAuth endpoints that were discovered at the login. They get no
	// credential, as those of the definition.
	Endpoints providers.Endpoints
}

// Choice names a provider, or one of its connections if Connection is not empty.
type Choice struct{ Provider, Connection string }

// String returns PROVIDER or PROVIDER=CONNECTION.
func (c Choice) String() string {
	if c.Connection == "" {
		return c.Provider
	}
	return c.Provider + "=" + c.Connection
}

// Covers reports whether c names the connection or its provider.
func (c Choice) Covers(provider, connection string) bool {
	return c.Provider == provider && (c.Connection == "" || c.Connection == connection)
}

// Options say which connections get routes, and which of several serves a request.
type Options struct {
	// Only lists the providers and connections that get routes. If empty, all of them
	// do.
	Only []Choice
	// Choose lists connections for one run. Where such a connection covers a request,
	// other connections of its provider do not get it, even if they match it better, and
	// neither do those of other providers that match it equally well.
	Choose []Choice
	// Prefer says which connection serves the requests that several match equally well,
	// by host in the form of [Shared.Host].
	Prefer map[string]Choice
	// DenyUnmatched refuses the hosts without a route, instead of passing their
	// connections through.
	DenyUnmatched bool
}

// Table is an immutable set of routes, safe for concurrent use.
type Table struct {
	all      []*route            // by provider and connection
	exact    map[string][]*route // by host
	patterns []*route            // wildcards and regular expressions
	prefer   map[string]Choice
	defaults map[string]bool // the providers with a default connection
	chosen   bool            // a connection is named for the run
	deny     bool
	problems []Problem
	shared   []Shared
}

// route is one host pattern of a connection.
type route struct {
	pattern    providers.Pattern
	key        string // what preferences call the hosts of the pattern; see Shared.Host
	definition *providers.Definition
	connection string
	state      State
	problem    string
	isDefault  bool // the connection is its provider's default
	chosen     bool // the connection is named for the run
	serves     bool // some requests get this route

	endpoints, discovered providers.Endpoints // of the definition, of the connection
}

// New compiles a table. Every connection has routes. If its hosts are not known, because
// its definition was replaced after the login, it has none, and [Table.Problems] says
// why. It is an error if the options name such a connection, or a provider that has no
// others.
func New(bindings []Binding, o Options) (*Table, error) {
	t := &Table{
		exact: make(map[string][]*route), defaults: make(map[string]bool), prefer: o.Prefer,
		chosen: len(o.Choose) > 0, deny: o.DenyUnmatched,
	}
	for _, b := range bindings {
		if b.Definition == nil {
			return nil, fmt.Errorf("route %s: no such provider", b.Provider)
		}
	}
	bindings = withNamed(bindings, o)
	slices.SortStableFunc(bindings, func(a, b Binding) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Connection, b.Connection))
	})
	for _, b := range bindings {
		t.defaults[b.Provider] = t.defaults[b.Provider] || b.Default
		if len(o.Only) > 0 && !covers(o.Only, b) {
			continue
		}
		if err := t.addBinding(b, covers(o.Choose, b)); err != nil {
			t.problems = append(t.problems, Problem{b.Provider, b.Connection, err})
		}
	}
	for _, p := range t.problems {
		named := func(c Choice) bool {
			return c.Covers(p.Provider, p.Connection) && (c.Connection != "" || !t.has(p.Provider))
		}
		if slices.ContainsFunc(o.Only, named) || slices.ContainsFunc(o.Choose, named) {
			return nil, fmt.Errorf("route %s: %w", p.Provider, p.Err)
		}
	}
	t.findShared()
	return t, nil
}

func covers(choices []Choice, b Binding) bool {
	return slices.ContainsFunc(choices, func(c Choice) bool { return c.Covers(b.Provider, b.Connection) })
}

// withNamed returns the bindings and, for each connection that the options name and that
// does not exist, one that is Gone: requests to its hosts are refused, and do not get
// another connection of the provider.
func withNamed(bindings []Binding, o Options) []Binding {
	all := slices.Clone(bindings)
	for _, c := range slices.Concat(o.Only, o.Choose) {
		if c.Connection == "" || slices.ContainsFunc(all, func(b Binding) bool { return c.Covers(b.Provider, b.Connection) }) {
			continue
		}
		if i := slices.IndexFunc(all, func(b Binding) bool { return b.Provider == c.Provider }); i >= 0 {
			all = append(all, Binding{Provider: c.Provider, Connection: c.Connection, Definition: all[i].Definition, State: Gone})
		}
	}
	return all
}

// addBinding adds the routes of a connection.
func (t *Table) addBinding(b Binding, chosen bool) error {
	patterns, err := b.Definition.Patterns(b.Values)
	if err != nil {
		return err
	}
	endpoints := b.Definition.OAuthEndpoints(b.Values)
	for _, p := range patterns {
		t.add(&route{
			pattern: p, key: key(p), definition: b.Definition,
			connection: b.Connection, state: b.State, problem: b.Problem, isDefault: b.Default, chosen: chosen,
			endpoints: endpoints, discovered: b.Endpoints,
		})
	}
	return nil
}

// has reports whether a provider has routes.
func (t *Table) has(provider string) bool {
	return slices.ContainsFunc(t.all, func(r *route) bool { return r.definition.Name == provider })
}

// key is the host of an exact pattern, *.suffix of a wildcard, or else the expression.
func key(p providers.Pattern) string {
	switch p.Kind() {
	case providers.Exact:
		return p.Host()
	case providers.Wildcard:
		return "*" + p.Host()
	}
	return p.String()
}

func (t *Table) add(r *route) {
	t.all = append(t.all, r)
	if r.pattern.Kind() == providers.Exact {
		host := r.pattern.Host()
		t.exact[host] = append(t.exact[host], r)
		return
	}
	t.patterns = append(t.patterns, r)
}

// onHost appends the routes for host on any port to found.
func (t *Table) onHost(found []*route, host string) []*route {
	found = append(found, t.exact[host]...)
	for _, r := range t.patterns {
		if r.pattern.MatchHost(host) {
			found = append(found, r)
		}
	}
	return found
}

// Host is the answer to a CONNECT, before any request has been read.
type Host int

const (
	// Tunnel passes the connection through.
	Tunnel Host = iota
	// Intercept ends TLS and decides each request with [Table.Request].
	Intercept
	// Deny refuses the connection: the host has no route, and only hosts with a
	// route are allowed.
	Deny
)

// Host decides what happens to a connection to host (normalised, see
// [hosts.Normalize]) and port.
func (t *Table) Host(host string, port int) Host {
	for _, r := range t.exact[host] {
		if r.pattern.Port() == port {
			return Intercept
		}
	}
	for _, r := range t.patterns {
		if r.pattern.Port() == port && r.pattern.MatchHost(host) {
			return Intercept
		}
	}
	if t.deny {
		return Deny
	}
	return Tunnel
}
