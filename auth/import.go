package auth

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

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

// Check reports why a connection could not be used with a definition, or nil.
func Check(d *providers.Definition, c Connection) error {
	if _, err := d.Injection(c.credential()); err != nil {
		return fmt.Errorf("credential for %s: %w", describe(c.Provider, c.Name), err)
	}
	if _, err := d.Patterns(c.BaseURL); err != nil {
		return fmt.Errorf("base URL: %w", err)
	}
	return nil
}

// clientKey is the record of a provider's client credentials.
func (a *Auth) clientKey(provider string) string { return a.providerPrefix(provider) + "client" }

// clientRecord is what must be right in a record of client credentials.
type clientRecord struct {
	ClientID     string         `json:"client_id"`
	ClientSecret string         `json:"client_secret,omitzero"`
	Unknown      jsontext.Value `json:",embed"`
}

// CheckClient reports why a record holds no client credentials, or nil.
func CheckClient(record secret.String) error {
	var r clientRecord
	if err := json.Unmarshal([]byte(record.Reveal()), &r); err != nil || r.ClientID == "" {
		return errors.New("it holds no client credentials")
	}
	return nil
}

// ImportClient stores a provider's client credentials, as another authsome
// stored them, unless there are some already. It reports whether it did.
func (a *Auth) ImportClient(ctx context.Context, provider string, record secret.String) (stored bool, err error) {
	if err := a.checkNames(provider); err != nil {
		return false, err
	}
	if err := CheckClient(record); err != nil {
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
		return tx.Put(a.clientKey(provider), []byte(record.Reveal()))
	})
	return stored && err == nil, err
}

// HasClient reports whether a provider has client credentials.
func (a *Auth) HasClient(ctx context.Context, provider string) (bool, error) {
	s, err := a.view(ctx, a.providerPrefix(provider))
	if err != nil {
		return false, err
	}
	return s.clients[provider], nil
}
