package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// ParseConnection reads a connection's record that another authsome stored. Members
// that this version does not know are kept. Its errors contain no values.
func ParseConnection(provider, name string, record secret.String) (Connection, error) {
	c, err := parseConnection(fullName(provider, name), provider, name, []byte(record.Reveal()))
	if string(c.Metadata) == "null" {
		c.Metadata = nil
	}
	c.pin = providers.Pin{} // the import makes a connection with the definition in force
	return c, err
}

// KeyConnection makes a connection from the values of the definition's params, such as
// an API key. It stores nothing.
func KeyConnection(d *providers.Definition, name string, values providers.Values) (Connection, error) {
	c := Connection{Provider: d.Name, Name: name, AuthType: providers.AuthAPIKey, Flow: providers.FlowAPIKey}
	values = maps.Clone(values)
	if err := d.Derive(values); err != nil {
		return c, err
	}
	c.setValues(d, values)
	return c, Check(d, c)
}

// Check returns why a connection cannot be used with a definition, or nil. A connection
// that can obtain its token without the user does not need one yet.
func Check(d *providers.Definition, c Connection) error {
	if _, err := d.Injection(c.credential()); err != nil && !(c.AccessToken.IsZero() && c.Renewable(time.Now())) {
		if missing, ok := errors.AsType[*providers.UnfilledError](err); ok {
			return fmt.Errorf("%s has no %s", fullName(c.Provider, c.Name), missing.Name)
		}
		return fmt.Errorf("credential for %s: %w", fullName(c.Provider, c.Name), err)
	}
	if _, err := d.Patterns(c.Values()); err != nil {
		return fmt.Errorf("address of %s: %w", fullName(c.Provider, c.Name), err)
	}
	return nil
}

func parseClientRecord(provider string, record secret.String) (clientRecord, error) {
	var r clientRecord
	if err := decode("client of "+provider, []byte(record.Reveal()), &r); err != nil {
		return clientRecord{}, err
	}
	if r.ID == "" {
		return clientRecord{}, errors.New("the record has no client id")
	}
	return r, nil
}

// ClientID returns the client ID in a record of client credentials that another authsome
// stored.
func ClientID(provider string, record secret.String) (string, error) {
	r, err := parseClientRecord(provider, record)
	return r.ID, err
}

// ImportClient stores client credentials that another authsome stored, unless the same
// client is stored already. It reports whether it stored them. If the record does not name
// an issuer, the client belongs to the definition's issuer.
func (a *Auth) ImportClient(ctx context.Context, provider string, record secret.String) (stored bool, err error) {
	if err := a.checkNames(provider); err != nil {
		return false, err
	}
	r, err := parseClientRecord(provider, record)
	if err != nil {
		return false, err
	}
	d, err := a.definition(provider)
	if err != nil {
		return false, err
	}
	if r.Issuer == "" {
		// If the issuer depends on a connection's values, the client belongs to all of them.
		if r.Issuer, err = d.Issuer(nil); err != nil && !isUnfilled(err) {
			return false, fmt.Errorf("issuer of %s: %w", provider, err)
		}
	}
	err = a.Vault.Update(ctx, func(tx *vault.Tx) error {
		clients, err := a.getClients(tx, provider)
		if err != nil || hasClient(clients, r.ID) {
			return err
		}
		stored = true
		return a.addClient(tx, provider, r)
	})
	return stored && err == nil, err
}

// HasClient reports whether a provider's client with the given ID is stored.
func (a *Auth) HasClient(ctx context.Context, provider, id string) (bool, error) {
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return false, err
	}
	clients, err := s.clientsOf(provider)
	return hasClient(clients, id), err
}

func hasClient(clients []flows.Client, id string) bool {
	return slices.ContainsFunc(clients, func(c flows.Client) bool { return c.ID == id })
}
