package auth

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// A connection's tokens are bound to the OAuth client that obtained them (RFC 6749
// section 6), so a login with another client never replaces it. A provider's first client
// has the key that the Python authsome and the first versions of this one used for their
// only client. Every other client has a key that ends with its [clientName].

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
	RegisteredAt      string         `json:"registered_at,omitzero"`
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
		RegisteredAt: r.RegisteredAt,
	}, nil
}

// usableWith reports whether a client of one issuer may be used with another. A client
// without an issuer was imported, and may be used with all of them.
func usableWith(own, issuer string) bool { return own == "" || flows.SameIssuer(own, issuer) }

// clientName is the end of the key of a provider's further clients.
func clientName(id, issuer string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + id))
	return hex.EncodeToString(sum[:8])
}

// isClientKey reports whether the rest of a key, after the provider, is a client's.
func isClientKey(rest string) bool { return rest == "client" || strings.HasPrefix(rest, "client:") }

// clientRecords reads the records of a provider's clients, the first client's first.
func (a *Auth) clientRecords(tx *vault.Tx, provider string) ([]record, error) {
	found, err := tx.List(a.clientKey(provider))
	if err != nil {
		return nil, err
	}
	var records []record
	for _, r := range found {
		if isClientKey(strings.TrimPrefix(r.Key, a.providerPrefix(provider))) {
			records = append(records, record{r.Key, r.Value})
		}
	}
	return records, nil
}

// getClients reads a provider's clients.
func (a *Auth) getClients(tx *vault.Tx, provider string) ([]flows.Client, error) {
	records, err := a.clientRecords(tx, provider)
	if err != nil {
		return nil, err
	}
	return parseClients(records)
}

func parseClients(records []record) ([]flows.Client, error) {
	clients := make([]flows.Client, len(records))
	for i, r := range records {
		var err error
		if clients[i], err = parseClient(r.key, r.value); err != nil {
			return nil, err
		}
	}
	return clients, nil
}

// putClient stores a client. It replaces the record of the same client, whose members
// that this version does not know are kept, and never the one of another client.
func (a *Auth) putClient(tx *vault.Tx, provider string, c flows.Client) error {
	key, r, err := a.clientPlace(tx, provider, c.ID, c.Issuer)
	if err != nil {
		return err
	}
	r.ID, r.Secret, r.TokenAuth, r.Issuer, r.RedirectURIs, r.Scopes = c.ID, c.Secret.Reveal(), c.TokenAuth, c.Issuer, c.RedirectURIs, c.Scopes
	r.SecretExpiresAt, r.RegistrationURL, r.RegistrationToken = c.SecretExpiresAt.UTC(), c.RegistrationURL, c.RegistrationToken.Reveal()
	r.RegisteredAt = c.RegisteredAt
	return a.writeClient(tx, provider, key, r)
}

// addClient stores the record of a client that the profile does not have.
func (a *Auth) addClient(tx *vault.Tx, provider string, r clientRecord) error {
	key, _, err := a.clientPlace(tx, provider, r.ID, r.Issuer)
	if err != nil {
		return err
	}
	return a.writeClient(tx, provider, key, r)
}

// clientPlace returns the key for a client and the record that is there, which is a new
// one unless the client is stored. A record that cannot be read is replaced.
func (a *Auth) clientPlace(tx *vault.Tx, provider, id, issuer string) (key string, r clientRecord, err error) {
	records, err := a.clientRecords(tx, provider)
	if err != nil {
		return "", clientRecord{}, err
	}
	key = a.clientKey(provider)
	for _, stored := range records {
		var old clientRecord
		if decode(stored.key, stored.value, &old) != nil {
			continue
		}
		if old.ID == id && usableWith(old.Issuer, issuer) {
			return stored.key, old, nil
		}
		if stored.key == a.clientKey(provider) {
			key += ":" + clientName(id, issuer)
		}
	}
	return key, clientRecord{SchemaVersion: schemaVersion}, nil
}

func (a *Auth) writeClient(tx *vault.Tx, provider, key string, r clientRecord) error {
	r.Provider, r.Profile = provider, a.Profile
	data, err := encode(r)
	if err != nil {
		return err
	}
	return tx.Put(key, data)
}

// deleteClient deletes the record of a client, if it is stored.
func (a *Auth) deleteClient(tx *vault.Tx, provider string, c flows.Client) error {
	records, err := a.clientRecords(tx, provider)
	if err != nil {
		return err
	}
	for _, r := range records {
		if stored, err := parseClient(r.key, r.value); err == nil && stored.ID == c.ID && stored.Issuer == c.Issuer {
			return tx.Delete(r.key)
		}
	}
	return nil
}

// storedClient returns the connection's client. ok is false if it is not among the
// provider's clients.
func (c Connection) storedClient(clients []flows.Client) (client flows.Client, ok bool) {
	// The issuer matters, because two servers may give out the same ID. Records of older
	// versions have another issuer if the provider's tenants share a client.
	for _, matches := range []func(flows.Client) bool{
		func(s flows.Client) bool { return s.Issuer == c.Issuer },
		func(s flows.Client) bool { return s.Issuer == "" },
		func(flows.Client) bool { return true },
	} {
		for _, s := range clients {
			if s.ID != "" && s.ID == c.ClientID && matches(s) {
				return s, true
			}
		}
	}
	return flows.Client{}, false
}

// withImportedClient sets the client of a connection that the Python authsome stored. Its
// connections do not name their client, because it had one client for each provider.
func (c Connection) withImportedClient(clients []flows.Client) Connection {
	if c.AuthType != providers.AuthOAuth2 || c.Flow != "" || c.ClientID != "" {
		return c
	}
	for _, s := range clients {
		other := func(o flows.Client) bool { return o.ID != s.ID }
		if s.Issuer != c.TokenEndpoint && slices.ContainsFunc(clients, other) {
			continue
		}
		c.ClientID = s.ID
		if c.Status == StatusInvalid && !c.RefreshToken.IsZero() {
			// Older versions did not know the client, and refreshed without it. What the
			// service said to that says nothing about the token.
			c.Status, c.StatusSince, c.StatusCode = StatusConnected, time.Time{}, ""
		}
		break
	}
	return c
}

// clientOf returns the client that obtained a connection. ok is false if it is not stored
// any more.
func clientOf(d *providers.Definition, c Connection, clients []flows.Client) (client flows.Client, ok bool) {
	if client, ok := c.storedClient(clients); ok {
		return client, true
	}
	public := publicClient(d)
	if id := cmp.Or(c.ClientID, public); id == public || len(clients) == 0 {
		return flows.Client{ID: id}, true // everyone may use it, so it is not stored
	}
	return flows.Client{}, false
}
