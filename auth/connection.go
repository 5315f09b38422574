package auth

import (
	"cmp"
	"maps"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// Status is the state of a connection's credential.
type Status string

// The statuses of a connection.
const (
	StatusConnected    Status = "connected"
	StatusExpired      Status = "expired"
	StatusRevoked      Status = "revoked"
	StatusInvalid      Status = "invalid" // the provider no longer accepts the credential
	StatusNotConnected Status = "not_connected"
)

// State is how far a provider is set up. It is derived from the records and not
// stored.
type State string

// The states of a provider. Each includes the ones before it.
const (
	StateAvailable  State = "available"  // there is a definition
	StateConfigured State = "configured" // an OAuth client is stored
	StateConnected  State = "connected"  // a connection can be used
)

// Connection is a named set of credentials for a provider. Formatting it does not
// print its secrets. Logins and imports create connections.
type Connection struct {
	Provider         string
	Name             string
	Default          bool   // used if no connection is named
	AuthType         string // "api_key" or "oauth2"
	Status           Status
	StatusSince      time.Time         // when the connection stopped being usable
	StatusCode       string            // the provider's error code, such as invalid_grant
	BaseURL          string            // the connection's own API address, if it has one
	Params           map[string]string // values that its addresses contain
	Scopes           []string          // the granted ones
	AccessToken      secret.String
	RefreshToken     secret.String
	TokenType        string
	ExpiresAt        time.Time // end of the access token; zero if unknown
	RefreshExpiresAt time.Time // end of the refresh token; zero if unknown
	RefreshStarted   time.Time // start of the last refresh, if its outcome is not known
	RefreshAttempts  int       // number of refreshes in a row whose outcome is not known
	ObtainedAt       time.Time // when the access token or the key was obtained
	Issuer           string
	TokenEndpoint    string // the only place that the refresh token and the client secret may be sent to
	RevocationURL    string // the only place where tokens may be revoked; the definition's template at the login
	ClientID         string
	Flow             string // the flow that obtained the credential
	APIKey           secret.String
	Fields           map[string]secret.String // further secrets
	Account          Account
	Metadata         jsontext.Value // a JSON object, or nil

	endpoints      []string      // the OAuth endpoints that were discovered for its token
	pin            providers.Pin // the definition that it was made with; zero in records of older versions
	scopesAssumed  bool          // Scopes are those that the login requested: no answer named any
	movedFrom      string        // fingerprint of the refresh token with which it was moved from another profile
	renewalBlocked string        // a Reason constant: why the token must not be renewed; set by checkRenewal
	replaces       *Connection   // the stored connection that a login may replace with this one; nil if none
	schemaVersion  int
	unknown        secret.String // members of the record that this version does not know
}

// Account is the user's account at the provider.
type Account struct {
	ID    string
	Label string

	unknown secret.String
}

// Err returns why the connection needs a login and since when, or nil if its
// credential can be put on a request at the given time, possibly after a refresh.
func (c Connection) Err(now time.Time) *LoginRequiredError {
	switch {
	case c.Status == StatusRevoked:
		return c.loginRequired(ReasonRevoked, c.StatusSince)
	case c.Status == StatusNotConnected:
		return c.loginRequired(ReasonMissing, c.StatusSince)
	case c.Status != StatusConnected && c.Status != StatusExpired:
		// Invalid, or a status of a newer version: the credential must not be used.
		return c.loginRequired(ReasonInvalid, c.StatusSince)
	case c.Renewable(now):
		return nil
	case c.Status == StatusConnected && !c.hasCredential():
		return c.loginRequired(cmp.Or(c.renewalBlocked, ReasonMissing), c.expiredSince(now))
	case c.Status == StatusExpired || !c.ExpiresAt.IsZero() && !now.Before(c.ExpiresAt):
		// The Python authsome stored StatusExpired, also for tokens that can be renewed.
		return c.loginRequired(cmp.Or(c.renewalBlocked, ReasonExpired), c.expiredSince(now))
	}
	return nil
}

func (c Connection) loginRequired(reason string, since time.Time) *LoginRequiredError {
	return &LoginRequiredError{Provider: c.Provider, Connection: c.Name, Reason: reason, Since: since, Code: c.StatusCode}
}

// expiredSince returns when the access token expired or, if that is later, the refresh
// token that could have renewed it.
func (c Connection) expiredSince(now time.Time) time.Time {
	end := c.RefreshExpiresAt
	switch {
	case c.ExpiresAt.IsZero():
		return c.StatusSince
	case c.renewalBlocked == "" && end.After(c.ExpiresAt) && !now.Before(end):
		return end
	}
	return c.ExpiresAt
}

func (c Connection) hasCredential() bool {
	return !c.AccessToken.IsZero() || !c.APIKey.IsZero() || len(c.Fields) > 0
}

// Renewable reports whether a new access token can be obtained without the user: with
// a refresh token that has not expired, or by repeating the grant.
func (c Connection) Renewable(now time.Time) bool {
	switch {
	case c.renewalBlocked != "":
		return false
	case c.Status != StatusConnected && c.Status != StatusExpired:
		return false
	case c.repeatsGrant():
		return true
	}
	return !c.RefreshToken.IsZero() && (c.RefreshExpiresAt.IsZero() || now.Before(c.RefreshExpiresAt))
}

// repeatsGrant reports whether the next token is requested like the first one, without
// a refresh token.
func (c Connection) repeatsGrant() bool {
	return c.Flow == providers.FlowClientCredentials || c.Flow == providers.FlowJWTBearer
}

// withStatusAt returns the connection with its status at the given time. If the access
// token has expired and can be renewed, the connection is connected, because it needs
// no login.
func (c Connection) withStatusAt(now time.Time) Connection {
	switch err := c.Err(now); {
	case c.Status == StatusConnected && err != nil && err.Reason != ReasonMissing:
		c.Status, c.StatusSince = StatusExpired, err.Since
	case c.Status == StatusExpired && err == nil:
		c.Status = StatusConnected
	}
	return c
}

// hostValues returns the values that the connection's addresses contain. None of them
// is a secret.
func (c Connection) hostValues() providers.Values {
	values := make(providers.Values, len(c.Params)+1)
	for name, value := range c.Params {
		values[name] = secret.New(value)
	}
	values["base_url"] = secret.New(c.BaseURL)
	return values
}

// Values returns all values that templates of the definition can use.
func (c Connection) Values() providers.Values {
	values := c.hostValues()
	maps.Copy(values, c.Fields)
	values["api_key"], values["access_token"], values["client_id"] = c.APIKey, c.AccessToken, secret.New(c.ClientID)
	return values
}

func (c Connection) credential() providers.Credential {
	return providers.Credential{Values: c.Values(), TokenType: c.TokenType}
}
