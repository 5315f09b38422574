package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// Definition returns the definition that a connection uses, and what the definition in
// force would add to it if the user accepted that; see [providers.Set.Pinned].
func (a *Auth) Definition(c Connection) (*providers.Definition, providers.Widening, error) {
	pin := c.pin
	if pin.IsZero() {
		pin = a.firstPin(target{c.Provider, c.Name})
	}
	d, w, err := a.definitions().Pinned(c.Provider, pin)
	if err != nil {
		return nil, w, err
	}
	return d.ForFlow(c.Flow), w, nil
}

// Binding returns how requests are routed to a connection. The error is that of
// [Auth.Definition].
func (a *Auth) Binding(c Connection) (routing.Binding, error) {
	d, _, err := a.Definition(c)
	if err != nil {
		return routing.Binding{}, err
	}
	b := routing.Binding{Provider: c.Provider, Connection: c.Name, Definition: d, Values: c.hostValues(), Default: c.Default}
	if b.Endpoints, err = providers.ParseEndpoints(c.discoveredEndpoints(d)); err != nil {
		return routing.Binding{}, fmt.Errorf("endpoints of %s: %w", fullName(c.Provider, c.Name), err)
	}
	if err := c.Err(a.now()); err != nil {
		b.State, b.Problem = routing.Unusable, err.Detail()
	}
	return b, nil
}

// discoveredEndpoints returns the OAuth endpoints that are excluded in addition to those
// of the definition. For a connection that an older version stored, which did not keep
// them, they are the ones that MCP servers without metadata have.
func (c Connection) discoveredEndpoints(d *providers.Definition) []string {
	switch {
	case len(c.endpoints) > 0 || d.OAuth == nil:
	case d.OAuth.Discovery != "":
		return []string{"https://host/authorize", "https://host/token", "https://host/register"}
	case d.DiscoversRegistration():
		return []string{"https://host/register"}
	}
	return c.endpoints
}

// Accept makes connections of a provider use a definition from now on, in one transaction.
// It takes the definition itself, so that the user accepts what was shown and not what has
// replaced it since.
func (a *Auth) Accept(ctx context.Context, provider string, names []string, d *providers.Definition) error {
	return a.update(ctx, provider, func(tx *vault.Tx, s *snapshot) error {
		for _, name := range names {
			c, err := s.find(provider, name)
			if err != nil {
				return err
			}
			if err := a.putPin(tx, c, d.Pin()); err != nil {
				return err
			}
		}
		return nil
	})
}

// firstPin returns the pin of a connection that is stored without one: the definition
// that was in force when this process first used it.
func (a *Auth) firstPin(t target) providers.Pin {
	a.mu.Lock()
	defer a.mu.Unlock()
	pin, known := a.firstPins[t]
	if !known {
		d, err := a.definition(t.provider)
		if err != nil {
			return providers.Pin{}
		}
		if a.firstPins == nil {
			a.firstPins = make(map[target]providers.Pin)
		}
		pin = d.Pin()
		a.firstPins[t] = pin
	}
	return pin
}

// storePins pins the connections of s that older versions stored without a pin. If the
// vault cannot be written, as in a home that is read-only, the pins hold in this
// process, and the next one tries again.
func (a *Auth) storePins(ctx context.Context, s *snapshot) {
	var missing []int
	for i, c := range s.connections {
		if _, err := a.definition(c.Provider); c.pin.IsZero() && err == nil {
			s.connections[i].pin = a.firstPin(target{c.Provider, c.Name})
			missing = append(missing, i)
		}
	}
	if len(missing) == 0 {
		return
	}
	a.Vault.Update(ctx, func(tx *vault.Tx) error {
		for _, i := range missing {
			if err := a.putMissingPin(tx, s.connections[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if a.OnPinned != nil {
		a.OnPinned(ctx)
	}
}

// putMissingPin adds c's pin to its record, unless the record has changed since it was
// read.
func (a *Auth) putMissingPin(tx *vault.Tx, c Connection) error {
	key := a.connectionKey(c.Provider, c.Name)
	data, err := tx.Get(key)
	if errors.Is(err, vault.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	stored, err := parseConnection(key, c.Provider, c.Name, data)
	if err != nil || !stored.pin.IsZero() {
		return nil // the error is returned when the connection is used
	}
	return a.putPin(tx, stored, c.pin)
}

func (a *Auth) putPin(tx *vault.Tx, c Connection, pin providers.Pin) error {
	c.pin = pin
	record, err := c.record(a.Profile)
	if err != nil {
		return fmt.Errorf("pin %s: %w", fullName(c.Provider, c.Name), err)
	}
	return tx.Put(a.connectionKey(c.Provider, c.Name), record)
}
