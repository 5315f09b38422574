package auth

import (
	"context"
	"fmt"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/vault"
)

// DefaultName is the name of a connection that was given none.
const DefaultName = "default"

// LoginRequest is what a login is asked to do.
type LoginRequest struct {
	Provider   string
	Connection string // if empty, DefaultName
	BaseURL    string // the API's own address, where the provider's is not meant
	Force      bool   // replace a connection of that name
	Key        flows.KeySource
}

// Login obtains a credential and stores it as a connection. It asks for nothing
// when the connection exists and Force is not set; the error then is a
// [*ConnectedError].
func (a *Auth) Login(ctx context.Context, l LoginRequest) (Connection, error) {
	if l.Connection == "" {
		l.Connection = DefaultName
	}
	d, err := a.definition(l.Provider)
	if err != nil {
		return Connection{}, err
	}
	c := Connection{Provider: l.Provider, Name: l.Connection, AuthType: string(d.AuthType), BaseURL: l.BaseURL}
	if err := a.checkNames(c.Provider, c.Name); err != nil {
		return Connection{}, err
	}
	if _, err := d.Patterns(c.BaseURL); err != nil {
		return Connection{}, fmt.Errorf("base URL: %w", err)
	}
	if !l.Force {
		s, err := a.view(ctx, a.providerPrefix(c.Provider))
		if err != nil {
			return Connection{}, err
		}
		if s.has(c.Provider, c.Name) {
			return Connection{}, &ConnectedError{c.Provider, c.Name}
		}
	}
	credential, err := flows.APIKey(ctx, d, l.Key)
	if err != nil {
		return Connection{}, err
	}
	c.APIKey = credential.APIKey
	return a.Store(ctx, c, l.Force)
}

// Store keeps a connection whose credential was obtained elsewhere: by an
// import, or by copying it from another profile. It fills in the status and the
// time where they are missing, and returns what was stored. A connection that
// exists is replaced only with force, and then entirely. The provider's first
// connection becomes its default.
//
// When Store has returned, the connection is on the disk.
func (a *Auth) Store(ctx context.Context, c Connection, force bool) (Connection, error) {
	if err := a.checkNames(c.Provider, c.Name); err != nil {
		return Connection{}, err
	}
	if c.Status == "" {
		c.Status = StatusConnected
	}
	if c.ObtainedAt.IsZero() {
		c.ObtainedAt = a.now()
	}
	// What could not be applied must not be acknowledged.
	d, err := a.definition(c.Provider)
	if err != nil {
		return Connection{}, err
	}
	if err := Check(d, c); err != nil {
		return Connection{}, err
	}
	record, err := c.record(a.Profile)
	if err != nil {
		return Connection{}, err
	}
	err = a.update(ctx, c.Provider, func(tx *vault.Tx, s *snapshot) error {
		exists, first := s.has(c.Provider, c.Name), len(s.names(c.Provider)) == 0
		if exists && !force {
			return &ConnectedError{c.Provider, c.Name}
		}
		if first {
			s.defaults[c.Provider] = c.Name
		}
		c.Default = s.defaults[c.Provider] == c.Name
		return tx.Put(a.connectionKey(c.Provider, c.Name), record)
	})
	if err != nil {
		return Connection{}, err
	}
	return c, nil
}
