package auth

import (
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
	BaseURL          string            // the connection's own API address, if it has one
	Params           map[string]string // values that are part of its addresses
	Scopes           []string          // granted
	AccessToken      secret.String
	RefreshToken     secret.String
	TokenType        string
	ExpiresAt        time.Time // of the access token; zero if it is not known to expire
	RefreshExpiresAt time.Time
	RefreshStarted   time.Time // of a refresh whose outcome was never recorded
	ObtainedAt       time.Time
	Issuer           string
	ClientID         string
	APIKey           secret.String
	Fields           map[string]secret.String // further secrets
	Account          Account
	Metadata         jsontext.Value // a JSON object, or nil

	schemaVersion int
	unknown       secret.String // members of the record that this version does not know
}

// Account is the user at the provider.
type Account struct {
	ID    string
	Label string

	unknown secret.String
}

// Usable reports whether the connection's credential can be put on a request at
// that time.
func (c Connection) Usable(now time.Time) bool { return c.problem(now) == "" }

// problem is why a connection cannot be used, or "".
func (c Connection) problem(now time.Time) string {
	switch c.Status {
	case StatusConnected:
	case StatusExpired:
		return ReasonExpired
	case StatusRevoked:
		return ReasonRevoked
	case StatusNotConnected:
		return ReasonMissing
	default: // one that this version does not know is not one to rely on
		return ReasonInvalid
	}
	switch {
	case c.AccessToken.IsZero() && c.APIKey.IsZero():
		return ReasonMissing
	case !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt):
		return ReasonExpired
	}
	return ""
}

// at is the connection with the status that it has at that time.
func (c Connection) at(now time.Time) Connection {
	if c.Status == StatusConnected && c.problem(now) == ReasonExpired {
		c.Status = StatusExpired
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
