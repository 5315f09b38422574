package sidecar

import (
	"context"
	"fmt"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/routing"
)

// Table is the routing table that a proxy with the options would have now. The profile's
// preferences take the place of o.Prefer. The proxy and the commands that say what it does
// all use it.
func Table(ctx context.Context, a *auth.Auth, connections []auth.Connection, o routing.Options) (*routing.Table, error) {
	return newTable(ctx, a, bindingsOf(a, connections), o)
}

func newTable(ctx context.Context, a *auth.Auth, bindings []routing.Binding, o routing.Options) (t *routing.Table, err error) {
	if o.Prefer, err = a.Preferences(ctx); err != nil {
		return nil, fmt.Errorf("read the preferred connections: %w", err)
	}
	return routing.New(bindings, o)
}

// bindingsOf makes the bindings of a routing table from a profile's connections.
func bindingsOf(a *auth.Auth, connections []auth.Connection) []routing.Binding {
	var all []routing.Binding
	for _, c := range connections {
		// A connection whose definition was uninstalled has none; `authsome doctor` and
		// `authsome list` report that.
		if b, err := a.Binding(c); err == nil {
			all = append(all, b)
		}
	}
	return all
}

// bindings returns the bindings of the profile's connections, and of those that had
// a route in this process and have been logged out since.
func (s *Sidecar) bindings(ctx context.Context) ([]routing.Binding, error) {
	connections, err := s.auth.Connections(ctx)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	s.rejections.use(connections, time.Now())
	bindings := bindingsOf(s.auth, connections)
	present := make(map[connectionKey]bool)
	for _, c := range connections {
		if _, adds, err := s.auth.Definition(c); err == nil && !adds.Empty() {
			s.log.Warn("a connection does not use its changed definition until the user accepts it", "provider", c.Provider, "connection", c.Name, "change", adds.String())
		}
		key := connectionKey{c.Provider, c.Name}
		present[key], s.routed[key] = true, c
	}
	for key, c := range s.routed {
		if b, err := s.auth.Binding(c); err == nil && !present[key] {
			b.State, b.Problem, b.Default = routing.Gone, "", false
			bindings = append(bindings, b)
		}
	}
	return bindings, nil
}

// updateMetrics updates the metrics of routes and of the connections' expiry.
func (s *Sidecar) updateMetrics(table *routing.Table) {
	s.metrics.Routes(table.Len())
	for _, r := range table.Routes() {
		s.metrics.Providers(r.Provider)
	}
	now := time.Now()
	var expiries []metrics.Expiry
	for _, c := range s.routed {
		e := metrics.Expiry{Provider: c.Provider, Connection: c.Name, At: c.ExpiresAt, Renewable: c.Renewable(now)}
		if err := c.Err(now); err != nil && c.Status != auth.StatusConnected {
			e.Status, e.Since = c.Status, err.Since
		}
		expiries = append(expiries, e)
	}
	s.metrics.ConnectionExpiry(expiries)
}
