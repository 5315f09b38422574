package auth

import (
	"context"
	"errors"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// grantFunc asks a token endpoint for a connection's next token.
type grantFunc func(ctx context.Context, config *flows.Config, c Connection) (flows.Token, error)

// grant asks as the connection was obtained: flows that have no refresh token ask
// again as they did the first time.
func grant(ctx context.Context, config *flows.Config, c Connection) (flows.Token, error) {
	config, err := config.Discover(ctx)
	if err != nil {
		// Whatever it is, no secret has been sent yet.
		return flows.Token{}, &flows.TokenError{Kind: flows.Transient, Err: err}
	}
	switch c.Flow {
	case providers.FlowClientCredentials:
		return config.ClientCredentials(ctx, c.Scopes)
	case providers.FlowJWTBearer:
		return config.JWTBearer(ctx, c.Scopes)
	}
	return config.Refresh(ctx, c.RefreshToken, c.Scopes)
}

// config is what the protocols need to act for a connection. Where a stored
// secret would be sent to another place than the one it was obtained from, there
// is a reason instead: a definition can be replaced by whoever can write a file.
func (a *Auth) config(d *providers.Definition, c Connection, client flows.Client) (config *flows.Config, reason string) {
	values := c.Values()
	endpoint, err := d.Issuer(values)
	if err != nil || endpoint == "" || endpoint != c.TokenEndpoint {
		return nil, ReasonEndpoint
	}
	client, ok := clientOf(d, c, client)
	if !ok {
		return nil, ReasonClient
	}
	client.Issuer = c.Issuer // a client that serves several tenants was recorded for the last one
	return &flows.Config{Definition: d, Client: client, Values: values, HTTP: a.HTTP, Now: a.Now}, ""
}

// clientOf is the client that a connection was obtained with, given the one that is
// stored now, unless that is another.
func clientOf(d *providers.Definition, c Connection, stored flows.Client) (flows.Client, bool) {
	switch {
	case stored.ID == c.ClientID:
		return stored, true
	case stored.ID == "" || c.ClientID == publicClient(d):
		return flows.Client{ID: c.ClientID}, true // a public one, which needs no record
	}
	return flows.Client{}, false
}

// judged is the connection with what stands in the way of renewing its token, by
// its definition as it is now. One without a definition is left to fail where it
// is used.
func (a *Auth) judged(c Connection, client flows.Client) Connection {
	if !c.Renewable(a.now()) {
		return c
	}
	if d, err := a.definition(c.Provider); err == nil {
		_, c.blocked = a.config(d, c, client)
	}
	return c
}

// renewed is the connection with a new token. What the answer did not say again
// stays, but for the end of the token: an old one would be wrong.
func (c Connection) renewed(d *providers.Definition, t flows.Token, now time.Time) (Connection, error) {
	if t.AccessToken.IsZero() {
		return c, &flows.TokenError{Kind: flows.Protocol, Err: errors.New("the answer has no access token")}
	}
	c.AccessToken, c.ExpiresAt = t.AccessToken, wall(t.ExpiresAt)
	if t.TokenType != "" {
		c.TokenType = t.TokenType
	}
	if !t.RefreshToken.IsZero() {
		c.RefreshToken, c.RefreshExpiresAt = t.RefreshToken, wall(t.RefreshExpiresAt)
	} else if !t.RefreshExpiresAt.IsZero() {
		c.RefreshExpiresAt = wall(t.RefreshExpiresAt)
	}
	if t.Scopes != nil {
		c.Scopes = t.Scopes
	}
	if t.Account.ID != "" {
		c.Account.ID, c.Account.Label = t.Account.ID, t.Account.Label
	}
	c.take(d, t.Values)
	c.ObtainedAt = wall(now)
	c.Status, c.StatusSince, c.StatusCode = StatusConnected, time.Time{}, ""
	c.RefreshStarted, c.RefreshAttempts = time.Time{}, 0
	return c, nil
}

// take adds values to the connection: secrets to its fields, others to its
// params. Maps are replaced, not changed, since connections are copied.
func (c *Connection) take(d *providers.Definition, values map[string]secret.String) {
	if len(values) == 0 {
		return
	}
	params, fields := make(map[string]string), make(map[string]secret.String)
	for name, value := range c.Params {
		params[name] = value
	}
	for name, value := range c.Fields {
		fields[name] = value
	}
	for name, value := range values {
		param := d.Param(name)
		switch {
		case value.IsZero():
		case name == "api_key":
			c.APIKey = value
		case name == "base_url":
			c.BaseURL = value.Reveal()
		case param != nil && !param.Secret:
			params[name] = value.Reveal()
		default: // what is not described might be secret
			fields[name] = value
		}
	}
	if c.Params = params; len(params) == 0 {
		c.Params = nil
	}
	if c.Fields = fields; len(fields) == 0 {
		c.Fields = nil
	}
}

// wall strips the reading of the monotonic clock, which stands still while the
// machine sleeps.
func wall(t time.Time) time.Time { return t.Round(0) }

// code is what the provider said.
func code(err error) string {
	if e, ok := errors.AsType[*flows.TokenError](err); ok {
		return e.Code
	}
	return ""
}
