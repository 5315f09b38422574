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
	"fmt"
	"maps"
	"slices"

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

// Options narrow a table for one run.
type Options struct {
	// Only lists the providers that get routes. If empty, all of them do.
	Only []string
	// Choose names the connection to use for a provider, instead of its default.
	Choose map[string]string
	// DenyUnmatched refuses the hosts without a route, instead of passing their
	// connections through.
	DenyUnmatched bool
}

// Table is an immutable set of routes, safe for concurrent use.
type Table struct {
	exact    map[string][]*route // by host
	patterns []*route            // wildcards and regular expressions
	used     map[connection]bool // the connection of each provider with routes
	deny     bool
	problems []Problem
}

// connection names a connection of a provider.
type connection struct{ provider, name string }

// route is one host pattern of a provider, with the connection chosen for it.
type route struct {
	pattern    providers.Pattern
	definition *providers.Definition
	connection string
	state      State
	problem    string
	choices    []string // several connections and no default: the user must choose

	endpoints, discovered providers.Endpoints // of the definition, of the connection
}

// New compiles a table. If the hosts of a connection are not known, because its
// definition was replaced after the login, the table has no route for it and
// [Table.Problems] says why; if the options name its provider, that is an error too.
func New(bindings []Binding, o Options) (*Table, error) {
	grouped := make(map[string][]Binding)
	for _, b := range bindings {
		if len(o.Only) > 0 && !slices.Contains(o.Only, b.Provider) {
			continue
		}
		if b.Definition == nil {
			return nil, fmt.Errorf("route %s: no such provider", b.Provider)
		}
		grouped[b.Provider] = append(grouped[b.Provider], b)
	}
	t := &Table{exact: make(map[string][]*route), used: make(map[connection]bool), deny: o.DenyUnmatched}
	for _, name := range slices.Sorted(maps.Keys(grouped)) {
		chosen, choices := choose(grouped[name], o.Choose[name])
		t.used[connection{name, chosen.Connection}] = true
		patterns, err := chosen.Definition.Patterns(chosen.Values)
		if err != nil {
			if slices.Contains(o.Only, name) || o.Choose[name] != "" {
				return nil, fmt.Errorf("route %s: %w", name, err)
			}
			t.problems = append(t.problems, Problem{name, err})
			continue
		}
		endpoints := chosen.Definition.OAuthEndpoints(chosen.Values)
		for _, p := range patterns {
			t.add(&route{
				pattern: p, definition: chosen.Definition,
				connection: chosen.Connection, state: chosen.State, problem: chosen.Problem, choices: choices,
				endpoints: endpoints, discovered: chosen.Endpoints,
			})
		}
	}
	return t, nil
}

func (t *Table) add(r *route) {
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
