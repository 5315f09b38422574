package flows

import (
	"context"
	"fmt"
	"net/url"

	"github.com/authsome/authsome/secret"
)

// ClientCredentials requests a token for the client itself (RFC 6749 section 4.4). It has
// no refresh token: call ClientCredentials again for the next token.
func (c *Config) ClientCredentials(ctx context.Context, scopes []string) (Token, error) {
	c, err := c.Discover(ctx)
	if err != nil {
		return Token{}, err
	}
	if c.clientID() == "" || c.Client.Secret.IsZero() && c.clientAuth() != authPrivateKey {
		return Token{}, fmt.Errorf("%s: client credentials need a client id and a secret: %w", c.Definition.Name, ErrNoClient)
	}
	return c.grantWithoutUser(ctx, url.Values{"grant_type": {"client_credentials"}}, scopes)
}

// grantWithoutUser makes a token request that needs no user. It drops a refresh token,
// which the answer should not contain (RFC 6749 section 4.4.3).
func (c *Config) grantWithoutUser(ctx context.Context, form url.Values, scopes []string) (Token, error) {
	c.addScopes(form, c.RequestedScopes(scopes))
	if err := c.addResource(form); err != nil {
		return Token{}, err
	}
	e, err := c.tokenEndpoint()
	if err != nil {
		return Token{}, err
	}
	t, err := c.requestToken(ctx, e, form, nil)
	if err != nil {
		return Token{}, err
	}
	t.RefreshToken = secret.String{}
	return t, c.checkComplete(t)
}
