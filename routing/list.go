package routing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// Problem says why a connection has no route.
type Problem struct {
	Provider   string
	Connection string
	Err        error
}

// Problems lists the connections whose hosts are not known.
func (t *Table) Problems() []Problem { return t.problems }

// Len returns the number of hosts that are intercepted, each counted once for a provider.
func (t *Table) Len() int {
	type place struct{ provider, pattern string }
	places := make(map[place]bool)
	for _, r := range t.all {
		places[place{r.definition.Name, r.pattern.String()}] = true
	}
	return len(places)
}

// HasPort reports whether a host is intercepted on the port.
func (t *Table) HasPort(port int) bool {
	return slices.ContainsFunc(t.all, func(r *route) bool { return r.pattern.Port() == port })
}

// Uses reports whether requests can get the credential of a connection. They cannot if
// it has no route, or if others serve all of its hosts.
func (t *Table) Uses(provider, name string) bool {
	return slices.ContainsFunc(t.all, func(r *route) bool {
		return r.serves && r.definition.Name == provider && r.connection == name
	})
}

// Route is one element of [Table.Routes].
type Route struct {
	Provider   string
	Connection string
	Pattern    string
	Host       string // the host, or the suffix that the hosts of a wildcard share, with its dot
	Port       int
	Serves     bool // some requests get this route
	Chosen     bool // the connection is named for the run

	pattern providers.Pattern
}

// MatchHost reports whether the route is for a host, or for the hosts of a wildcard,
// written as in [Shared.Host].
func (r Route) MatchHost(host string) bool { return r.pattern.MatchHost(host) }

// Routes lists the routes in a stable order.
func (t *Table) Routes() []Route {
	all := make([]Route, len(t.all))
	for i, r := range t.all {
		all[i] = Route{Provider: r.definition.Name, Connection: r.connection, Pattern: r.pattern.String(), Host: r.pattern.Host(), Port: r.pattern.Port(), Serves: r.serves, Chosen: r.chosen, pattern: r.pattern}
	}
	slices.SortStableFunc(all, func(a, b Route) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Pattern, b.Pattern))
	})
	return all
}
