package auth

import (
	"cmp"
	"maps"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// Status is what a connection is good for.
type Status string

// The statuses of a connection.
const (
	StatusConnected    Status = "connected"
	StatusExpired      Status = "expired"
	StatusRevoked      Status = "revoked"
	StatusInvalid      Status = "invalid" // the provider does not take the credential any more
	StatusNotConnected Status = "not_connected"
)

// State is what a provider is ready for. It is derived from the records and
// never stored.
type State string

// The states of a provider, each including the ones before it.
const (
	StateAvailable  State = "available"  // there is a definition
	StateConfigured State = "configured" // client credentials are saved
	StateConnected  State = "connected"  // a connection can be used
)

// Connection is a named set of credentials for a provider. Its secrets do not
// print. Connections are made by a login or an import.
type Connection struct {
	Provider         string
	Name             string
	Default          bool   // used where no connection is named
	AuthType         string // "api_key" or "oauth2"
	Status           Status
	StatusSince      time.Time         // of a status that is not connected
	StatusCode       string            // what the provider said, as invalid_grant
	BaseURL          string            // the connection's own API address, if it has one
	Params           map[string]string // values that are part of its addresses
	Scopes           []string          // granted
	AccessToken      secret.String
	RefreshToken     secret.String
	TokenType        string
	ExpiresAt        time.Time // of the access token; zero if it is not known to expire
	RefreshExpiresAt time.Time
	RefreshStarted   time.Time // of a refresh whose outcome was never recorded
	RefreshAttempts  int       // that were sent since then, this one included
	ObtainedAt       time.Time // of the access token, or the key
	Issuer           string
	TokenEndpoint    string // where the refresh token and the client's secret may be sent
	RevocationURL    string // likewise, for taking tokens back; a template, as it was at the login
	ClientID         string
	Flow             string // that the credential was obtained by
	APIKey           secret.String
	Fields           map[string]secret.String // further secrets
	Account          Account
	Metadata         jsontext.Value // a JSON object, or nil

	movedFrom     string // the fingerprint of the refresh token that it came from another profile with
	blocked       string // the reason, if the token cannot be renewed as its records and its definition are now
	schemaVersion int
	unknown       secret.String // members of the record that this version does not know
}

// Account is the user at the provider.
type Account struct {
	ID    string
	Label string

	unknown secret.String
}

// Err says why the connection cannot be used without a login, and since when, as
// far as that is known. It is nil for a connection whose credential can be put on a
// request at that time, if necessary after a refresh.
func (c Connection) Err(now time.Time) *LoginRequiredError {
	reason := c.reason(now)
	if reason == "" {
		return nil
	}
	since := c.StatusSince
	if c.Status != StatusRevoked && c.Status != StatusInvalid && !c.ExpiresAt.IsZero() {
		since = c.ExpiresAt
		if end := c.RefreshExpiresAt; c.blocked == "" && end.After(since) && !now.Before(end) {
			since = end
		}
	}
	return &LoginRequiredError{Provider: c.Provider, Connection: c.Name, Reason: reason, Since: since, Code: c.StatusCode}
}

// reason is one of the Reason constants, or "" for a connection that can be used.
func (c Connection) reason(now time.Time) string {
	switch c.Status {
	case StatusConnected:
	case StatusExpired: // as the Python authsome left it; the times and the tokens decide
		if !c.Renewable(now) {
			return cmp.Or(c.blocked, ReasonExpired)
		}
	case StatusRevoked:
		return ReasonRevoked
	case StatusNotConnected:
		return ReasonMissing
	default: // a status of a newer version: the credential may not be used
		return ReasonInvalid
	}
	switch {
	case c.Renewable(now):
		return ""
	case c.AccessToken.IsZero() && c.APIKey.IsZero() && len(c.Fields) == 0:
		return cmp.Or(c.blocked, ReasonMissing)
	case !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt):
		return cmp.Or(c.blocked, ReasonExpired)
	}
	return ""
}

// Renewable reports whether another access token can be had without the user: by
// a refresh token that has not expired, or by asking again as the first time.
func (c Connection) Renewable(now time.Time) bool {
	switch {
	case c.blocked != "":
		return false
	case c.Status != StatusConnected && c.Status != StatusExpired:
		return false
	case c.asksAgain():
		return true
	}
	return !c.RefreshToken.IsZero() && (c.RefreshExpiresAt.IsZero() || now.Before(c.RefreshExpiresAt))
}

// asksAgain reports whether its next token is asked for as the first was, and no
// refresh token is used.
func (c Connection) asksAgain() bool {
	return c.Flow == providers.FlowClientCredentials || c.Flow == providers.FlowJWTBearer
}

// at is the connection with the status that it has at that time. One whose access
// token has run out but can be renewed is connected: that takes no login.
func (c Connection) at(now time.Time) Connection {
	switch err := c.Err(now); {
	case c.Status == StatusConnected && err != nil && err.Reason != ReasonMissing:
		c.Status, c.StatusSince = StatusExpired, err.Since
	case c.Status == StatusExpired && err == nil:
		c.Status = StatusConnected
	}
	return c
}

// HostValues are the values that the addresses of the connection are made from.
// No secret is among them.
func (c Connection) HostValues() providers.Values {
	values := make(providers.Values, len(c.Params)+1)
	for name, value := range c.Params {
		values[name] = secret.New(value)
	}
	values["base_url"] = secret.New(c.BaseURL)
	return values
}

// Values are all values that templates of the definition may name.
func (c Connection) Values() providers.Values {
	values := c.HostValues()
	maps.Copy(values, c.Fields)
	values["api_key"], values["access_token"], values["client_id"] = c.APIKey, c.AccessToken, secret.New(c.ClientID)
	return values
}

func (c Connection) credential() providers.Credential {
	return providers.Credential{Values: c.Values(), TokenType: c.TokenType}
}
