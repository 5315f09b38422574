package auth

import (
	"context"
	"errors"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// clientRecord is the [flows.Client] of a provider as the vault holds it.
type clientRecord struct {
	SchemaVersion     int            `json:"schema_version"`
	Provider          string         `json:"provider"`
	Profile           string         `json:"profile"`
	ID                string         `json:"client_id"`
	Secret            string         `json:"client_secret,omitzero"`
	TokenAuth         string         `json:"token_auth,omitzero"`
	Issuer            string         `json:"issuer,omitzero"`
	RedirectURIs      []string       `json:"redirect_uris,omitzero"`
	Scopes            []string       `json:"scopes,omitzero"`
	SecretExpiresAt   time.Time      `json:"client_secret_expires_at,omitzero"`
	RegistrationURL   string         `json:"registration_client_uri,omitzero"`
	RegistrationToken string         `json:"registration_access_token,omitzero"`
	Unknown           jsontext.Value `json:",embed"`
}

func (a *Auth) clientKey(provider string) string { return a.providerPrefix(provider) + "client" }

// parseClient reads a record; the provider goes by the key.
func parseClient(key string, data []byte) (flows.Client, error) {
	var r clientRecord
	if err := decode(key, data, &r); err != nil {
		return flows.Client{}, err
	}
	return flows.Client{
		ID: r.ID, Secret: secret.New(r.Secret), TokenAuth: r.TokenAuth, Issuer: r.Issuer, RedirectURIs: r.RedirectURIs, Scopes: r.Scopes,
		SecretExpiresAt: r.SecretExpiresAt, RegistrationURL: r.RegistrationURL, RegistrationToken: secret.New(r.RegistrationToken),
	}, nil
}

// getClient reads a provider's client; without one it is zero.
func (a *Auth) getClient(tx *vault.Tx, provider string) (flows.Client, error) {
	key := a.clientKey(provider)
	data, err := tx.Get(key)
	if errors.Is(err, vault.ErrNotFound) {
		return flows.Client{}, nil
	}
	if err != nil {
		return flows.Client{}, err
	}
	return parseClient(key, data)
}

// putClient stores a provider's client, and keeps what it does not know of the
// record of the same client.
func (a *Auth) putClient(tx *vault.Tx, provider string, c flows.Client) error {
	key := a.clientKey(provider)
	r := clientRecord{SchemaVersion: schemaVersion}
	switch data, err := tx.Get(key); {
	case errors.Is(err, vault.ErrNotFound):
	case err != nil:
		return err
	default:
		// One that cannot be read, or is another client's, is replaced as a whole.
		var old clientRecord
		if decode(key, data, &old) == nil && old.ID == c.ID {
			r = old
		}
	}
	r.Provider, r.Profile = provider, a.Profile
	r.ID, r.Secret, r.TokenAuth, r.Issuer, r.RedirectURIs, r.Scopes = c.ID, c.Secret.Reveal(), c.TokenAuth, c.Issuer, c.RedirectURIs, c.Scopes
	r.SecretExpiresAt, r.RegistrationURL, r.RegistrationToken = c.SecretExpiresAt.UTC(), c.RegistrationURL, c.RegistrationToken.Reveal()
	data, err := encode(r)
	if err != nil {
		return err
	}
	return tx.Put(key, data)
}

// client is the client stored for a provider; without one it is zero.
func (a *Auth) client(ctx context.Context, provider string) (c flows.Client, err error) {
	err = a.Vault.View(ctx, func(tx *vault.Tx) error {
		c, err = a.getClient(tx, provider)
		return err
	})
	return c, err
}

// saveClient stores a client that a login has registered or been given.
func (a *Auth) saveClient(ctx context.Context, provider string, c flows.Client) error {
	if c.ID == "" {
		return errors.New("save a client: it has no identifier")
	}
	return a.Vault.Update(ctx, func(tx *vault.Tx) error { return a.putClient(tx, provider, c) })
}
