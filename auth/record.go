package auth

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// schemaVersion is the version of new records. The Python authsome also wrote 2.
const schemaVersion = 2

// connectionRecord is a [Connection] as the vault stores it. It contains the secrets as
// plain strings, so it exists only while a record is read or written.
type connectionRecord struct {
	SchemaVersion    int               `json:"schema_version"`
	Provider         string            `json:"provider"`
	Profile          string            `json:"profile"`
	Name             string            `json:"connection_name"`
	AuthType         string            `json:"auth_type"`
	Status           Status            `json:"status"`
	StatusSince      time.Time         `json:"status_since,omitzero"`
	StatusCode       string            `json:"status_code,omitzero"`
	BaseURL          string            `json:"base_url,omitzero"`
	Params           map[string]string `json:"params,omitzero"`
	Scopes           []string          `json:"scopes,omitzero"`
	ScopesAssumed    bool              `json:"scopes_assumed,omitzero"`
	AccessToken      string            `json:"access_token,omitzero"`
	RefreshToken     string            `json:"refresh_token,omitzero"`
	TokenType        string            `json:"token_type,omitzero"`
	ExpiresAt        time.Time         `json:"expires_at,omitzero"`
	RefreshExpiresAt time.Time         `json:"refresh_expires_at,omitzero"`
	RefreshStarted   time.Time         `json:"refresh_started,omitzero"`
	RefreshAttempts  int               `json:"refresh_attempts,omitzero"`
	ObtainedAt       time.Time         `json:"obtained_at,omitzero"`
	Issuer           string            `json:"issuer,omitzero"`
	TokenEndpoint    string            `json:"token_endpoint,omitzero"`
	RevocationURL    string            `json:"revocation_url,omitzero"`
	ClientID         string            `json:"client_id,omitzero"`
	Flow             string            `json:"flow,omitzero"`
	APIKey           string            `json:"api_key,omitzero"`
	Fields           map[string]string `json:"fields,omitzero"`
	Endpoints        []string          `json:"endpoints,omitzero"`
	Pin              providers.Pin     `json:"pin,omitzero"`
	MovedFrom        string            `json:"moved_from,omitzero"`
	Account          *accountRecord    `json:"account,omitzero"`
	Metadata         jsontext.Value    `json:"metadata,omitzero"`
	Unknown          jsontext.Value    `json:",embed"`
}

type accountRecord struct {
	ID      string         `json:"id,omitzero"`
	Label   string         `json:"label,omitzero"`
	Unknown jsontext.Value `json:",embed"`
}

// metadataRecord stores the names of a provider's connections and which is the default.
type metadataRecord struct {
	SchemaVersion     int            `json:"schema_version"`
	Profile           string         `json:"profile"`
	Provider          string         `json:"provider"`
	DefaultConnection string         `json:"default_connection"`
	ConnectionNames   []string       `json:"connection_names"`
	Unknown           jsontext.Value `json:",embed"`
}

// parseConnection reads a record. Provider and name come from the key, which the vault
// authenticates, and not from the record.
func parseConnection(key, provider, name string, data []byte) (Connection, error) {
	var r connectionRecord
	if err := decode(key, data, &r); err != nil {
		return Connection{}, err
	}
	c := Connection{
		Provider: provider, Name: name, AuthType: r.AuthType, Status: r.Status, StatusSince: r.StatusSince, StatusCode: r.StatusCode,
		BaseURL: r.BaseURL, Params: r.Params, Scopes: r.Scopes,
		AccessToken: secret.New(r.AccessToken), RefreshToken: secret.New(r.RefreshToken), TokenType: r.TokenType,
		ExpiresAt: r.ExpiresAt, RefreshExpiresAt: r.RefreshExpiresAt, RefreshStarted: r.RefreshStarted, RefreshAttempts: r.RefreshAttempts, ObtainedAt: r.ObtainedAt,
		Issuer: r.Issuer, TokenEndpoint: r.TokenEndpoint, RevocationURL: r.RevocationURL, ClientID: r.ClientID, Flow: r.Flow, APIKey: secret.New(r.APIKey),
		Metadata:      r.Metadata,
		endpoints:     r.Endpoints,
		pin:           r.Pin,
		scopesAssumed: r.ScopesAssumed,
		movedFrom:     r.MovedFrom,
		schemaVersion: r.SchemaVersion,
		unknown:       secret.New(string(r.Unknown)),
	}
	if r.Fields != nil {
		c.Fields = make(map[string]secret.String, len(r.Fields))
		for name, value := range r.Fields {
			c.Fields[name] = secret.New(value)
		}
	}
	if r.Account != nil {
		c.Account = Account{ID: r.Account.ID, Label: r.Account.Label, unknown: secret.New(string(r.Account.Unknown))}
	}
	return c, nil
}

// record returns the connection as it is stored in a profile.
func (c Connection) record(profile string) ([]byte, error) {
	r := connectionRecord{
		SchemaVersion: cmp.Or(c.schemaVersion, schemaVersion), Provider: c.Provider, Profile: profile, Name: c.Name, AuthType: c.AuthType,
		Status: c.Status, StatusSince: c.StatusSince.UTC(), StatusCode: c.StatusCode,
		BaseURL: c.BaseURL, Params: c.Params, Scopes: c.Scopes,
		AccessToken: c.AccessToken.Reveal(), RefreshToken: c.RefreshToken.Reveal(), TokenType: c.TokenType,
		ExpiresAt: c.ExpiresAt.UTC(), RefreshExpiresAt: c.RefreshExpiresAt.UTC(), RefreshStarted: c.RefreshStarted.UTC(), RefreshAttempts: c.RefreshAttempts, ObtainedAt: c.ObtainedAt.UTC(),
		Issuer: c.Issuer, TokenEndpoint: c.TokenEndpoint, RevocationURL: c.RevocationURL, ClientID: c.ClientID, Flow: c.Flow, APIKey: c.APIKey.Reveal(),
		Metadata: c.Metadata, Endpoints: c.endpoints, Pin: c.pin, ScopesAssumed: c.scopesAssumed, MovedFrom: c.movedFrom,
		Unknown: jsontext.Value(c.unknown.Reveal()),
	}
	if c.Fields != nil {
		r.Fields = make(map[string]string, len(c.Fields))
		for name, value := range c.Fields {
			r.Fields[name] = value.Reveal()
		}
	}
	if a := c.Account; a.ID != "" || a.Label != "" || !a.unknown.IsZero() {
		r.Account = &accountRecord{ID: a.ID, Label: a.Label, Unknown: jsontext.Value(a.unknown.Reveal())}
	}
	return encode(r)
}

func encode(record any) ([]byte, error) {
	data, err := json.Marshal(record, json.Deterministic(true))
	if err != nil {
		// The error of the JSON package may contain a value.
		return nil, errors.New("encode record: a value is not valid JSON text")
	}
	return data, nil
}

// decode reads a record strictly. The errors of the JSON package may contain values,
// so only the position is taken from them.
func decode(key string, data []byte, record any) error {
	err := json.Unmarshal(data, record)
	if err == nil {
		return nil
	}
	reason := "not a JSON record"
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
		reason = fmt.Sprintf("member %q has an unexpected form", wrong.JSONPointer)
	}
	return &recordError{key, reason}
}
