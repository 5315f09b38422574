package routing

import "slices"

// named leaves out the routes of a provider for which the run names another connection
// that covers the request too.
func (t *Table) named(routes []*route) []*route {
	if !t.chosen || len(routes) < 2 {
		return routes
	}
	var left []*route
	for _, r := range routes {
		other := func(o *route) bool { return o.chosen && o.definition.Name == r.definition.Name }
		if r.chosen || !slices.ContainsFunc(routes, other) {
			left = append(left, r)
		}
	}
	return left
}

// serving keeps of the routes that match a request equally well those that serve it. If
// they are of several connections, nothing says which of them to use.
//
// Connections that were logged out serve only if all of them were: after a logout from
// one provider and a login to another for the same host, there is nothing to choose.
// After that the order is: the connection named for the run, the preferred one, each
// provider's default one. It reuses the memory of routes.
func (t *Table) serving(routes []*route, host string) []*route {
	if len(routes) < 2 {
		return routes
	}
	routes = narrow(routes, func(r *route) bool { return r.state != Gone })
	routes = narrow(routes, func(r *route) bool { return r.chosen })
	for _, key := range [...]string{host, routes[0].key} {
		if c, ok := t.prefer[key]; ok {
			routes = narrow(routes, func(r *route) bool { return c.Covers(r.definition.Name, r.connection) })
		}
	}
	var left []*route
	for _, r := range routes {
		byDefault := func(o *route) bool { return o.isDefault && o.definition.Name == r.definition.Name }
		if r.isDefault || !slices.ContainsFunc(routes, byDefault) {
			left = append(left, r)
		}
	}
	return left
}

// narrow keeps the routes that have a property, or all of them if none has it.
func narrow(routes []*route, has func(*route) bool) []*route {
	if !slices.ContainsFunc(routes, has) {
		return routes
	}
	return slices.DeleteFunc(routes, func(r *route) bool { return !has(r) })
}

func sameConnection(routes []*route) bool {
	return sameProvider(routes) && !slices.ContainsFunc(routes, func(r *route) bool { return r.connection != routes[0].connection })
}

func sameProvider(routes []*route) bool {
	return !slices.ContainsFunc(routes, func(r *route) bool { return r.definition.Name != routes[0].definition.Name })
}

// choices lists what the user can choose from, as PROVIDER, or as PROVIDER=CONNECTION if
// several connections of the provider are left. If all of them are one provider's, it
// also reports whether that has a default connection, for other hosts.
func (t *Table) choices(routes []*route) (names []string, hasDefault bool) {
	for _, r := range routes {
		c := Choice{Provider: r.definition.Name}
		if slices.ContainsFunc(routes, func(o *route) bool { return o.definition.Name == c.Provider && o.connection != r.connection }) {
			c.Connection = r.connection
		}
		names = append(names, c.String())
	}
	slices.Sort(names)
	return slices.Compact(names), sameProvider(routes) && t.defaults[routes[0].definition.Name]
}
