package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// ParseConnection reads a connection's record that comes from elsewhere, as
// another authsome stored it, and keeps what it does not know of it. Its errors
// quote no value.
func ParseConnection(provider, name string, record secret.String) (Connection, error) {
	c, err := parseConnection(describe(provider, name), provider, name, []byte(record.Reveal()))
	if string(c.Metadata) == "null" {
		c.Metadata = nil
	}
	return c, err
}

// KeyConnection is a connection that the values make by themselves: a key, or
// several secrets, and what else the definition's params are. Nothing is stored.
func KeyConnection(d *providers.Definition, name string, values providers.Values) (Connection, error) {
	c := Connection{Provider: d.Name, Name: name, AuthType: providers.AuthAPIKey, Flow: providers.FlowAPIKey}
	values = maps.Clone(values)
	if err := d.Derive(values); err != nil {
		return c, err
	}
	c.take(d, values)
	return c, Check(d, c)
}

// Check reports why a connection could not be used with a definition, or nil. One
// whose token is to be had without the user needs none yet.
func Check(d *providers.Definition, c Connection) error {
	if _, err := d.Injection(c.credential()); err != nil && !(c.AccessToken.IsZero() && c.Renewable(time.Now())) {
		if empty, ok := errors.AsType[*providers.UnfilledError](err); ok {
			return fmt.Errorf("%s holds no %s", describe(c.Provider, c.Name), empty.Name)
		}
		return fmt.Errorf("credential for %s: %w", describe(c.Provider, c.Name), err)
	}
	if _, err := d.Patterns(c.Values()); err != nil {
		return fmt.Errorf("address of %s: %w", describe(c.Provider, c.Name), err)
	}
	return nil
}

func parseClientRecord(provider string, record secret.String) (clientRecord, error) {
	var r clientRecord
	if err := decode("client of "+provider, []byte(record.Reveal()), &r); err != nil {
		return clientRecord{}, err
	}
	if r.ID == "" {
		return clientRecord{}, errors.New("it holds no client credentials")
	}
	return r, nil
}

// CheckClient reports why a record holds no client credentials, or nil.
func CheckClient(provider string, record secret.String) error {
	_, err := parseClientRecord(provider, record)
	return err
}

// ImportClient stores a provider's client credentials, as another authsome
// stored them, unless there are some already. It reports whether it did. A record
// that does not say whose client it is belongs to the definition's issuer.
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
		if r.Issuer, err = d.Issuer(nil); err != nil {
			return false, fmt.Errorf("issuer of %s: %w", provider, err)
		}
	}
	r.Provider, r.Profile = provider, a.Profile
	data, err := encode(r)
	if err != nil {
		return false, err
	}
	err = a.Vault.Update(ctx, func(tx *vault.Tx) error {
		switch _, err := tx.Get(a.clientKey(provider)); {
		case err == nil:
			return nil
		case !errors.Is(err, vault.ErrNotFound):
			return err
		}
		stored = true
		return tx.Put(a.clientKey(provider), data)
	})
	return stored && err == nil, err
}

// HasClient reports whether a provider has client credentials.
func (a *Auth) HasClient(ctx context.Context, provider string) (bool, error) {
	c, err := a.client(ctx, provider)
	return c.ID != "", err
}
