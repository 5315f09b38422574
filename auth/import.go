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

// ImportedClient is an OAuth client that another authsome stored for a provider.
type ImportedClient struct {
	Definition *providers.Definition
	BaseURL    string        // of the instance that issued it; empty for the usual one
	Record     secret.String // client credentials
}

// record returns the client's record for this vault. If the given one does not name an
// issuer, the client belongs to the definition's issuer at the address.
func (c ImportedClient) record() (clientRecord, error) {
	provider := c.Definition.Name
	r, err := parseClientRecord(provider, c.Record)
	if err != nil || r.Issuer != "" {
		return r, err
	}
	values := make(providers.Values)
	if c.BaseURL != "" {
		values["base_url"] = secret.New(c.BaseURL)
	}
	// If the issuer depends on other values of a connection, the client belongs to all of them.
	if r.Issuer, err = c.Definition.Issuer(values); err != nil && !isUnfilled(err) {
		return r, fmt.Errorf("issuer of %s: %w", provider, err)
	}
	return r, nil
}

// ImportClient stores a client, unless it is stored already. It reports whether it stored
// it.
func (a *Auth) ImportClient(ctx context.Context, c ImportedClient) (stored bool, err error) {
	provider := c.Definition.Name
	if err := a.checkNames(provider); err != nil {
		return false, err
	}
	r, err := c.record()
	if err != nil {
		return false, err
	}
	err = a.Vault.Update(ctx, func(tx *vault.Tx) error {
		clients, err := a.getClients(tx, provider)
		if err != nil || hasClient(clients, r) {
			return err
		}
		stored = true
		return a.addClient(tx, provider, r)
	})
	return stored && err == nil, err
}

// HasClient reports whether a client is stored.
func (a *Auth) HasClient(ctx context.Context, c ImportedClient) (bool, error) {
	r, err := c.record()
	if err != nil {
		return false, err
	}
	s, err := a.view(ctx, a.providerPrefix(c.Definition.Name))
	if err != nil {
		return false, err
	}
	clients, err := s.clientsOf(c.Definition.Name)
	return hasClient(clients, r), err
}

func hasClient(clients []flows.Client, r clientRecord) bool {
	return slices.ContainsFunc(clients, func(c flows.Client) bool { return c.ID == r.ID && usableWith(c.Issuer, r.Issuer) })
}
