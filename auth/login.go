package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
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
	Reset      bool   // do not use the OAuth client of earlier logins
	// Obtain runs a flow. What it returns is checked and stored.
	Obtain func(ctx context.Context, d *providers.Definition, known Known) (flows.Obtained, error)
}

// Known is what earlier logins of the profile left for one with the same
// provider.
type Known struct {
	// Client is zero if there is none. It is for its Issuer and for no other.
	Client flows.Client
	// SaveClient stores a client before a token is obtained with it, so that a
	// login that is abandoned loses none that was registered on the way.
	SaveClient func(ctx context.Context, c flows.Client) error
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
	c := Connection{Provider: l.Provider, Name: l.Connection, AuthType: d.AuthType(), BaseURL: l.BaseURL}
	if err := a.checkNames(c.Provider, c.Name); err != nil {
		return Connection{}, err
	}
	if _, err := d.Patterns(c.Values()); err != nil && !unfilled(err) {
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
	known := Known{SaveClient: func(ctx context.Context, client flows.Client) error { return a.saveClient(ctx, c.Provider, client) }}
	if !l.Reset {
		if known.Client, err = a.client(ctx, c.Provider); err != nil {
			return Connection{}, err
		}
	}
	o, err := l.Obtain(ctx, d, known)
	if err != nil {
		return Connection{}, err
	}
	if c, err = a.obtained(d, c, o); err != nil {
		return Connection{}, err
	}
	return a.store(ctx, c, l.Force, o.Client)
}

// obtained is the connection with what a flow ended with.
func (a *Auth) obtained(d *providers.Definition, c Connection, o flows.Obtained) (Connection, error) {
	c.Flow = o.Flow
	switch {
	case o.Flow == providers.FlowAPIKey:
		c.AuthType = providers.AuthAPIKey
	case o.Flow != "":
		c.AuthType = providers.AuthOAuth2
	}
	values := maps.Clone(o.Values)
	if values == nil {
		values = make(providers.Values)
	}
	maps.Copy(values, o.Token.Values)
	if err := d.Derive(values); err != nil {
		return c, err
	}
	c.take(d, values)
	c.ClientID, c.Issuer = o.Client.ID, o.Client.Issuer
	if o.Token.AccessToken.IsZero() {
		c.ObtainedAt = wall(a.now())
		return c, nil
	}
	return c.renewed(d, o.Token, a.now())
}

// publicClient is the client that everybody may use at the provider, or "". It
// comes with the definition, and is not stored.
func publicClient(d *providers.Definition) string {
	if d.OAuth == nil {
		return ""
	}
	return d.OAuth.ClientID
}

// unfilled reports whether all that is wrong is a value that comes later.
func unfilled(err error) bool {
	_, ok := errors.AsType[*providers.UnfilledError](err)
	return ok
}

// Store keeps a connection whose credential was obtained elsewhere, by an import.
// It fills in the status and the time where they are missing, and returns what was
// stored. A connection that exists is replaced only with force, and then entirely.
// The provider's first connection becomes its default.
//
// When Store has returned, the connection is on the disk.
func (a *Auth) Store(ctx context.Context, c Connection, force bool) (Connection, error) {
	return a.store(ctx, c, force, flows.Client{})
}

// store keeps a connection and, unless it is zero, the client that it was
// obtained with.
func (a *Auth) store(ctx context.Context, c Connection, force bool, client flows.Client) (Connection, error) {
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
	if c.TokenEndpoint == "" && !c.AccessToken.IsZero() {
		if c.TokenEndpoint, err = d.Issuer(c.Values()); err != nil {
			return Connection{}, fmt.Errorf("token endpoint of %s: %w", describe(c.Provider, c.Name), err)
		}
		c.RevocationURL = revocationURL(d)
	}
	record, err := c.record(a.Profile)
	if err != nil {
		return Connection{}, err
	}
	err = a.update(ctx, c.Provider, func(tx *vault.Tx, s *snapshot) error {
		if err := a.putConnection(tx, s, &c, record, force); err != nil {
			return err
		}
		if client.ID != "" && client.ID != publicClient(d) {
			return a.putClient(tx, c.Provider, client)
		}
		return nil
	})
	if err != nil {
		return Connection{}, err
	}
	return c, nil
}

// putConnection stores a connection's record among the provider's others, and says
// in the connection whether it is the default: the first one is.
func (a *Auth) putConnection(tx *vault.Tx, s *snapshot, c *Connection, record []byte, force bool) error {
	if s.has(c.Provider, c.Name) && !force {
		return &ConnectedError{c.Provider, c.Name}
	}
	if len(s.names(c.Provider)) == 0 {
		s.defaults[c.Provider] = c.Name
	}
	c.Default = s.defaults[c.Provider] == c.Name
	return tx.Put(a.connectionKey(c.Provider, c.Name), record)
}
