package sidecar

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// Bindings makes the bindings of a routing table from a profile's connections. The
// proxy and `authsome why` both use it.
func Bindings(set *providers.Set, connections []auth.Connection, now time.Time) []routing.Binding {
	var all []routing.Binding
	for _, c := range connections {
		if _, err := set.Lookup(c.Provider); err != nil {
			continue // its definition was uninstalled; `authsome doctor` and `authsome list` report that
		}
		b := routing.Binding{Provider: c.Provider, Connection: c.Name, Values: c.HostValues(), Default: c.Default}
		if err := c.Err(now); err != nil {
			b.State, b.Problem = routing.Unusable, err.Detail()
		}
		all = append(all, b)
	}
	return all
}

// definitions returns the definitions of the providers that have bindings. That is a
// few of all the providers.
func definitions(set *providers.Set, bindings []routing.Binding) []*providers.Definition {
	var bound []*providers.Definition
	for _, b := range bindings {
		if d, err := set.Lookup(b.Provider); err == nil && !slices.Contains(bound, d) {
			bound = append(bound, d)
		}
	}
	return bound
}

// bindings returns the bindings of the profile's connections, and of those that had
// a route in this process and have been logged out since.
func (s *Sidecar) bindings(ctx context.Context, set *providers.Set) ([]routing.Binding, error) {
	connections, err := s.auth.Connections(ctx)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	bindings := Bindings(set, connections, time.Now())
	present := make(map[connectionKey]bool)
	for _, c := range connections {
		key := connectionKey{c.Provider, c.Name}
		present[key], s.routed[key] = true, c
	}
	for key, c := range s.routed {
		if _, err := set.Lookup(c.Provider); err == nil && !present[key] {
			bindings = append(bindings, routing.Binding{Provider: c.Provider, Connection: c.Name, Values: c.HostValues(), State: routing.Gone})
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
