package routing

import (
	"cmp"
	"slices"
	"strings"
)

// Problem says why a provider with a connection has no route.
type Problem struct {
	Provider string
	Err      error
}

// Problems lists the providers whose hosts are not known.
func (t *Table) Problems() []Problem { return t.problems }

// Len returns the number of routes.
func (t *Table) Len() int {
	n := len(t.patterns)
	for _, r := range t.exact {
		n += len(r)
	}
	return n
}

// Uses reports whether routes use that connection of a provider.
func (t *Table) Uses(provider, name string) bool { return t.used[connection{provider, name}] }

// Route is one element of [Table.Routes].
type Route struct {
	Provider   string
	Connection string
	Pattern    string
	Host       string // the host, or the suffix that the hosts of a wildcard share, with its dot
	Path       string // a path that the route covers
	Ready      bool   // requests get a credential
}

// Routes lists the routes in a stable order.
func (t *Table) Routes() []Route {
	var all []Route
	for _, routes := range t.exact {
		for _, r := range routes {
			all = append(all, r.public())
		}
	}
	for _, r := range t.patterns {
		all = append(all, r.public())
	}
	slices.SortFunc(all, func(a, b Route) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Pattern, b.Pattern))
	})
	return all
}

func (r *route) public() Route {
	path := "/"
	if paths := r.pattern.Paths(); len(paths) > 0 {
		path = paths[0]
	}
	return Route{
		Provider: r.definition.Name, Connection: r.connection, Pattern: r.pattern.String(), Host: r.pattern.Host(), Path: path,
		Ready: r.state == Ready && r.choices == nil,
	}
}
