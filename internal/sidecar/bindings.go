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

// Bindings are the routes' side of a profile's connections. The proxy and
// `authsome why` both take theirs from here.
func Bindings(set *providers.Set, connections []auth.Connection, now time.Time) []routing.Binding {
	var all []routing.Binding
	for _, c := range connections {
		if _, err := set.Lookup(c.Provider); err != nil {
			continue // its definition was uninstalled; `doctor` and `list` name it
		}
		b := routing.Binding{Provider: c.Provider, Connection: c.Name, Values: c.HostValues(), Default: c.Default}
		if err := c.Err(now); err != nil {
			b.State, b.Problem = routing.Unusable, err.Detail()
		}
		all = append(all, b)
	}
	return all
}

// definitions are those that the bindings are of: a profile has connections to a
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

// bindings adds to the profile's connections those that this process has routed
// and that have been logged out since.
func (s *Sidecar) bindings(ctx context.Context, set *providers.Set) ([]routing.Binding, error) {
	connections, err := s.Auth.Connections(ctx)
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	bindings := Bindings(set, connections, time.Now())
	present := make(map[string]bool)
	for _, c := range connections {
		present[c.Provider+"\x00"+c.Name] = true
		s.routed[c.Provider+"\x00"+c.Name] = c
	}
	for key, c := range s.routed {
		if _, err := set.Lookup(c.Provider); err == nil && !present[key] {
			bindings = append(bindings, routing.Binding{Provider: c.Provider, Connection: c.Name, Values: c.HostValues(), State: routing.Gone})
		}
	}
	return bindings, nil
}

// measure tells the metrics which providers have routes and when their
// credentials end.
func (s *Sidecar) measure(table *routing.Table) {
	s.Metrics.Routes(table.Len())
	for _, r := range table.Routes() {
		s.Metrics.Providers(r.Provider)
	}
	var ends []metrics.Expiry
	for _, c := range s.routed {
		e := metrics.Expiry{Provider: c.Provider, Connection: c.Name, At: c.ExpiresAt, Renewable: c.Renewable(time.Now())}
		if err := c.Err(time.Now()); c.Status != auth.StatusConnected && err != nil {
			e.Status, e.Since = string(c.Status), err.Since
		}
		ends = append(ends, e)
	}
	s.Metrics.ConnectionExpiry(ends)
}
