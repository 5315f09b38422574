package flows

import (
	"time"

	"github.com/authsome/authsome/secret"
)

// Obtained is the result of a flow.
type Obtained struct {
	Token  Token                    // zero if the flow obtains no token
	Values map[string]secret.String // the definition's params that were entered or derived, including api_key
	Client Client                   // the client that the token was issued to; zero for an API key
	Flow   string                   // as in the definition
	Scopes []string                 // the requested ones; they are granted if the token's answer has none (RFC 6749 section 5.1)
}

// Token is a token endpoint's answer, read according to the definition.
type Token struct {
	AccessToken      secret.String
	RefreshToken     secret.String // zero if the answer has none; after a refresh, the old one then stays valid
	TokenType        string
	ExpiresAt        time.Time // zero if unknown
	RefreshExpiresAt time.Time // zero if unknown
	Scopes           []string  // the granted ones; nil if the answer does not say
	Account          Account
	Endpoints        []string                 // the OAuth endpoints that were discovered for the request; nil without discovery
	Values           map[string]secret.String // the definition's params that are taken from the answer
}

// Account is the user's account at the provider.
type Account struct{ ID, Label string }

// Client is an OAuth client at one issuer. Either the user registered it, or a login did
// (RFC 7591); then its last two fields allow authsome to delete it.
type Client struct {
	ID                string
	Secret            secret.String
	TokenAuth         string // how it authenticates, if its registration says so; otherwise the definition does
	Issuer            string // the only issuer or token endpoint that it may be used with
	RedirectURIs      []string
	Scopes            []string  // the ones it may request, if its registration says so; nil means any
	SecretExpiresAt   time.Time // zero means never
	RegistrationURL   string    // RFC 7592
	RegistrationToken secret.String
	RegisteredAt      string // the registration endpoint, if it was discovered; it gets no credential
}
