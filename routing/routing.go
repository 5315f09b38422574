// Package routing decides what happens to a request: which connection's
// credential it carries, or why it carries none.
//
// A [Table] is compiled once from definitions and bindings, never changes, and
// answers from memory: it does no I/O, reads no clock and holds no secret. What
// the proxy does and what `authsome why` explains are the same call.
//
// Its one invariant: a request is given to a connection only when the host, the
// port and the path are listed by that connection's provider, and every way of
// reading the path leads to the same answer.
package routing

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// State is what a binding's connection is good for.
type State int

const (
	// Ready connections have a credential, or can refresh one.
	Ready State = iota
	// Unusable connections need the user: expired without a way to refresh,
	// invalid or revoked.
	Unusable
	// Gone connections were routed earlier in the life of this process and have
	// been logged out since. Their hosts stay routed, so that an agent is told
	// to log in instead of silently losing its credential.
	Gone
)

// Binding joins a provider to one of its connections.
type Binding struct {
	Provider   string
	Connection string
	Values     providers.Values // that its hosts need: base_url and params that are no secrets
	State      State
	Problem    string // why it is Unusable, for people
	Default    bool   // the provider's default connection
}

// Options narrow a table for one run.
type Options struct {
	// Only, when not empty, lists the providers that are routed at all.
	Only []string
	// Choose names the connection to use for a provider, before its default.
	Choose map[string]string
	// DenyUnmatched refuses every host that is no route, in place of a tunnel.
	DenyUnmatched bool
}

// Table is an immutable set of routes, safe for concurrent use.
type Table struct {
	exact    map[string][]*route // by host
	patterns []*route            // wildcards and regular expressions
	used     map[[2]string]bool  // providers with the connection chosen for them
	deny     bool
	problems []Problem
}

// route is one pattern of one provider, with the connection chosen for it.
type route struct {
	pattern    providers.Pattern
	definition *providers.Definition
	connection string
	state      State
	problem    string
	choices    []string // more than one: no default, the user must choose
}

// New compiles a table. A binding whose provider has no definition is an error.
// Where the hosts of a connection cannot be told, because its definition was
// replaced since, the others are routed all the same; see [Table.Problems]. It is
// an error if the options name that provider.
func New(definitions []*providers.Definition, bindings []Binding, o Options) (*Table, error) {
	byName := make(map[string]*providers.Definition, len(definitions))
	for _, d := range definitions {
		byName[d.Name] = d
	}
	grouped := make(map[string][]Binding)
	for _, b := range bindings {
		if len(o.Only) > 0 && !slices.Contains(o.Only, b.Provider) {
			continue
		}
		if byName[b.Provider] == nil {
			return nil, fmt.Errorf("route %s: no such provider", b.Provider)
		}
		grouped[b.Provider] = append(grouped[b.Provider], b)
	}
	t := &Table{exact: make(map[string][]*route), used: make(map[[2]string]bool), deny: o.DenyUnmatched}
	for _, name := range slices.Sorted(maps.Keys(grouped)) {
		chosen, choices := choose(grouped[name], o.Choose[name])
		t.used[[2]string{name, chosen.Connection}] = true
		patterns, err := byName[name].Patterns(chosen.Values)
		if err != nil {
			if slices.Contains(o.Only, name) || o.Choose[name] != "" {
				return nil, fmt.Errorf("route %s: %w", name, err)
			}
			t.problems = append(t.problems, Problem{name, err})
			continue
		}
		for _, p := range patterns {
			t.add(&route{
				pattern: p, definition: byName[name],
				connection: chosen.Connection, state: chosen.State, problem: chosen.Problem, choices: choices,
			})
		}
	}
	return t, nil
}

// choose picks the connection named for the run, else the default, else the only
// one. When none of these decides it returns every name there is to choose from.
func choose(group []Binding, named string) (Binding, []string) {
	var live []Binding
	for _, b := range group {
		if b.Connection == named {
			return b, nil
		}
		if b.State != Gone {
			live = append(live, b)
		}
	}
	if named != "" {
		return Binding{Provider: group[0].Provider, Connection: named, State: Gone}, nil
	}
	if len(live) == 0 {
		live = group
	}
	for _, b := range live {
		if b.Default {
			return b, nil
		}
	}
	if len(live) == 1 {
		return live[0], nil
	}
	names := make([]string, len(live))
	for i, b := range live {
		names[i] = b.Connection
	}
	slices.Sort(names)
	return live[0], names
}

func (t *Table) add(r *route) {
	if r.pattern.Kind() == providers.Exact {
		host := r.pattern.Host()
		t.exact[host] = append(t.exact[host], r)
		return
	}
	t.patterns = append(t.patterns, r)
}

// onHost returns the routes that claim host on any port.
func (t *Table) onHost(host string) []*route {
	found := t.exact[host]
	for _, r := range t.patterns {
		if r.pattern.MatchHost(host) {
			found = append(found[:len(found):len(found)], r)
		}
	}
	return found
}

// Host is the answer to a CONNECT, before any request has been read.
type Host int

const (
	// Tunnel relays the connection unopened.
	Tunnel Host = iota
	// Intercept ends TLS here and decides each request by [Table.Request].
	Intercept
	// Deny refuses the connection: it is no route, and only routes are allowed.
	Deny
)

// Host says what to do with a connection to host (normalised, see
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

// Routed reports whether host has a route on any port. A request to it over
// plain http is refused, because its credential may only travel over TLS.
func (t *Table) Routed(host string) bool { return len(t.onHost(host)) > 0 }

// Denies reports whether hosts that are no route are refused.
func (t *Table) Denies() bool { return t.deny }

// Problem is why a provider with a connection has no route.
type Problem struct {
	Provider string
	Err      error
}

// Problems are the providers whose hosts could not be told.
func (t *Table) Problems() []Problem { return t.problems }

// Len is the number of routes.
func (t *Table) Len() int {
	n := len(t.patterns)
	for _, r := range t.exact {
		n += len(r)
	}
	return n
}

// Uses reports whether a connection is the one of a route.
func (t *Table) Uses(provider, connection string) bool {
	return t.used[[2]string{provider, connection}]
}

// Routes lists the routes for people: provider, connection and host pattern,
// in a stable order.
func (t *Table) Routes() []Route {
	var all []Route
	list := func(r *route) {
		path := "/"
		if paths := r.pattern.Paths(); len(paths) > 0 {
			path = paths[0]
		}
		all = append(all, Route{
			Path:     path,
			Provider: r.definition.Name, Connection: r.connection, Pattern: r.pattern.String(), Host: r.pattern.Host(),
			Ready: r.state == Ready && r.choices == nil,
		})
	}
	for _, routes := range t.exact {
		for _, r := range routes {
			list(r)
		}
	}
	for _, r := range t.patterns {
		list(r)
	}
	slices.SortFunc(all, func(a, b Route) int {
		if c := strings.Compare(a.Provider, b.Provider); c != 0 {
			return c
		}
		return strings.Compare(a.Pattern, b.Pattern)
	})
	return all
}

// Route is one line of [Table.Routes].
type Route struct {
	Provider   string
	Connection string
	Pattern    string
	Host       string // the host; where the pattern has many, the suffix they share, with its dot
	Path       string // one that is meant
	Ready      bool
}
