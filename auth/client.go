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

// clientRecord is a provider's [flows.Client] as the vault stores it.
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

// parseClient reads a record. The key, not the record, says which provider it is for.
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

// getClient reads a provider's client. If none is stored, the result is zero.
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

// putClient stores a provider's client. If the stored record is of the same client,
// the members that this version does not know are kept.
func (a *Auth) putClient(tx *vault.Tx, provider string, c flows.Client) error {
	key := a.clientKey(provider)
	r := clientRecord{SchemaVersion: schemaVersion}
	switch data, err := tx.Get(key); {
	case errors.Is(err, vault.ErrNotFound):
	case err != nil:
		return err
	default:
		// An unreadable record, or one of another client, is replaced completely.
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

// client reads a provider's client. If none is stored, the result is zero.
func (a *Auth) client(ctx context.Context, provider string) (c flows.Client, err error) {
	err = a.Vault.View(ctx, func(tx *vault.Tx) error {
		c, err = a.getClient(tx, provider)
		return err
	})
	return c, err
}

// saveClient stores a client that a login registered or was given.
func (a *Auth) saveClient(ctx context.Context, provider string, c flows.Client) error {
	if c.ID == "" {
		return errors.New("save the OAuth client: it has no client id")
	}
	return a.Vault.Update(ctx, func(tx *vault.Tx) error { return a.putClient(tx, provider, c) })
}
