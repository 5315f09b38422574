package flows

import (
	"time"

	"github.com/authsome/authsome/secret"
)

// Obtained is what a flow ends with.
type Obtained struct {
	Token  Token                    // zero for a flow that yields no token
	Values map[string]secret.String // of the definition's params, asked for or derived; api_key is among them
	Client Client                   // that the token was issued to; zero for api_key
	Flow   string                   // as in the definition
}

// Token is a token endpoint's answer, read as the definition says.
type Token struct {
	AccessToken      secret.String
	RefreshToken     secret.String // zero if none came: on a refresh, the one in use stays
	TokenType        string
	ExpiresAt        time.Time // zero if nothing says so
	RefreshExpiresAt time.Time
	Scopes           []string // granted; nil if the answer did not say
	Account          Account
	Values           map[string]secret.String // of the params that are taken from the answer
}

// Account is the user at the provider.
type Account struct{ ID, Label string }

// Client is an OAuth client at one issuer: registered by the user, or on the way
// (RFC 7591), in which case the last members say how to change or delete it.
type Client struct {
	ID                string
	Secret            secret.String
	TokenAuth         string // how it authenticates, where registration said so; empty means as the definition says
	Issuer            string // the issuer or token endpoint it belongs to; it is used with no other
	RedirectURIs      []string
	Scopes            []string  // that it may ask for, where registration said so; nil means any
	SecretExpiresAt   time.Time // zero means never
	RegistrationURL   string    // RFC 7592
	RegistrationToken secret.String
}
