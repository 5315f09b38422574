package flows

import (
	"context"
	"fmt"
	"net/url"

	"github.com/authsome/authsome/secret"
)

// ClientCredentials asks for a token of the client's own (RFC 6749 section 4.4).
// There is no refresh token: it is asked for again.
func (c *Config) ClientCredentials(ctx context.Context, scopes []string) (Token, error) {
	c, err := c.ready(ctx)
	if err != nil {
		return Token{}, err
	}
	if c.clientID() == "" || c.Client.Secret.IsZero() && c.clientAuth() != authPrivateKey {
		return Token{}, fmt.Errorf("%s: client credentials need a client id and a secret: %w", c.Definition.Name, ErrNoClient)
	}
	return c.grant(ctx, url.Values{"grant_type": {"client_credentials"}}, scopes)
}

// grant makes a request that needs no user, and drops a refresh token that
// should not be there (section 4.4.3).
func (c *Config) grant(ctx context.Context, form url.Values, scopes []string) (Token, error) {
	c.addScopes(form, c.allowed(scopes))
	if err := c.addResource(form); err != nil {
		return Token{}, err
	}
	e, err := c.tokenEndpoint()
	if err != nil {
		return Token{}, err
	}
	t, err := c.token(ctx, e, form, "token_params", c.Definition.OAuth.TokenParams, nil)
	if err != nil {
		return Token{}, err
	}
	t.RefreshToken = secret.String{}
	return t, c.complete(t)
}
