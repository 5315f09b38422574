package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// DefaultName is the name of a connection that the user does not name.
const DefaultName = "default"

// LoginRequest describes a login.
type LoginRequest struct {
	Provider   string
	Connection string   // if empty, DefaultName
	BaseURL    string   // the API's address, if it is not the provider's usual one
	Scopes     []string // what the flow will ask for, if the user chose that; otherwise nil
	Force      bool     // replace an existing connection that still works
	Reset      bool     // do not use the OAuth client of earlier logins
	// Obtain runs a flow. Its result is checked and stored.
	Obtain func(ctx context.Context, d *providers.Definition, known Known) (flows.Obtained, error)
}

// Known is what earlier logins of the profile stored for the provider.
type Known struct {
	// Clients are the OAuth clients, the one that fits the login best first. Each may be
	// used with its Issuer only. A client may be listed twice.
	Clients []flows.Client
}

// Client returns the first client for an issuer, which must have the ID unless that is
// empty. It is zero if there is none.
func (k Known) Client(issuer, id string) flows.Client {
	for _, c := range k.Clients {
		if usableWith(c.Issuer, issuer) && (id == "" || c.ID == id) {
			return c
		}
	}
	return flows.Client{}
}

// Login obtains a credential and stores it as a connection, together with the OAuth client
// that obtained it. If it fails, nothing is changed.
//
// A connection of that name is replaced if it needs a login, if Scopes differ from those
// that it has, or with Force. Otherwise Login does not call Obtain and returns a
// [*ConnectedError]. Without Force it never replaces a connection to another address.
func (a *Auth) Login(ctx context.Context, l LoginRequest) (Connection, error) {
	d, err := a.definition(l.Provider)
	if err != nil {
		return Connection{}, err
	}
	c := Connection{Provider: l.Provider, Name: cmp.Or(l.Connection, DefaultName), AuthType: d.AuthType(), BaseURL: l.BaseURL, pin: d.Pin()}
	if err := a.checkNames(c.Provider, c.Name); err != nil {
		return Connection{}, err
	}
	if _, err := d.Patterns(c.Values()); err != nil && !isUnfilled(err) {
		return Connection{}, fmt.Errorf("base URL: %w", err)
	}
	s, err := a.view(ctx, a.providerPrefix(c.Provider))
	if err != nil {
		return Connection{}, err
	}
	check, err := a.replacement(s, d, c, &l)
	if err != nil {
		return Connection{}, err
	}
	var known Known
	if !l.Reset {
		if known.Clients, err = s.clientsFor(d, c); err != nil {
			return Connection{}, err
		}
	}
	o, err := l.Obtain(ctx, d, known)
	if err != nil {
		return Connection{}, err
	}
	if c, err = a.withObtained(d, c, o); err != nil {
		return Connection{}, err
	}
	if err := check(&c); err != nil {
		return Connection{}, err
	}
	return a.store(ctx, c, l.Force, o.Client)
}

// withObtained returns the connection with the result of a flow.
func (a *Auth) withObtained(d *providers.Definition, c Connection, o flows.Obtained) (Connection, error) {
	c.Flow = o.Flow
	switch {
	case o.Flow == providers.FlowAPIKey:
		c.AuthType = providers.AuthAPIKey
	case o.Flow != "":
		c.AuthType = providers.AuthOAuth2
	}
	values := make(providers.Values)
	maps.Copy(values, o.Values)
	maps.Copy(values, o.Token.Values)
	if err := d.Derive(values); err != nil {
		return c, err
	}
	c.setValues(d, values)
	c.ClientID, c.Issuer = o.Client.ID, o.Client.Issuer
	if o.Token.AccessToken.IsZero() {
		c.ObtainedAt = wallTime(a.now())
		c.setAccount(o.Token.Account)
		return c, nil
	}
	if at := o.Client.RegisteredAt; at != "" {
		o.Token.Endpoints = append(slices.Clip(o.Token.Endpoints), at)
	}
	if u := o.Client.RegistrationURL; u != "" && o.Token.Endpoints != nil {
		o.Token.Endpoints = append(slices.Clip(o.Token.Endpoints), u) // RFC 7592: it returns the client's secret
	}
	c, err := c.withToken(d, o.Token, a.now())
	if err != nil || c.Scopes != nil {
		return c, err
	}
	c.Scopes, c.scopesAssumed = o.Scopes, o.Scopes != nil
	return c, nil
}

// publicClient returns the id of the definition's own client, which everyone may use
// and which is not stored, or "".
func publicClient(d *providers.Definition) string {
	if d.OAuth == nil {
		return ""
	}
	return d.OAuth.ClientID
}

// isUnfilled reports whether err only says that a value is missing, which the login may
// still obtain.
func isUnfilled(err error) bool {
	_, ok := errors.AsType[*providers.UnfilledError](err)
	return ok
}

// Store stores a connection whose credential was obtained elsewhere, by an import. It
// fills in the status and the time if they are missing, and returns what it stored. An
// existing connection is replaced only with force, and then completely. A provider's
// first connection becomes its default.
//
// When Store returns, the connection is on disk.
func (a *Auth) Store(ctx context.Context, c Connection, force bool) (Connection, error) {
	return a.store(ctx, c, force, flows.Client{})
}

// store stores a connection and, unless it is zero, the client that obtained it.
func (a *Auth) store(ctx context.Context, c Connection, force bool, client flows.Client) (Connection, error) {
	if err := a.checkNames(c.Provider, c.Name); err != nil {
		return Connection{}, err
	}
	c.Status = cmp.Or(c.Status, StatusConnected)
	if c.ObtainedAt.IsZero() {
		c.ObtainedAt = a.now()
	}
	if c.pin.IsZero() {
		d, err := a.definition(c.Provider)
		if err != nil {
			return Connection{}, err
		}
		c.pin = d.Pin()
	}
	d, _, err := a.Definition(c)
	if err != nil {
		return Connection{}, err
	}
	// A connection that cannot be applied must not be reported as stored.
	if err := Check(d, c); err != nil {
		return Connection{}, err
	}
	if c.TokenEndpoint == "" && !c.AccessToken.IsZero() {
		if c.TokenEndpoint, err = d.Issuer(c.Values()); err != nil {
			return Connection{}, fmt.Errorf("token endpoint of %s: %w", fullName(c.Provider, c.Name), err)
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

// putConnection stores a connection's record and sets c.Default. A provider's first
// connection becomes the default.
func (a *Auth) putConnection(tx *vault.Tx, s *snapshot, c *Connection, record []byte, force bool) error {
	if s.has(c.Provider, c.Name) && !force && !c.replaces.unchanged(s) {
		return &ConnectedError{Provider: c.Provider, Connection: c.Name}
	}
	c.replaces = nil
	if len(s.names(c.Provider)) == 0 {
		s.defaults[c.Provider] = c.Name
	}
	c.Default = s.defaults[c.Provider] == c.Name
	return tx.Put(a.connectionKey(c.Provider, c.Name), record)
}
