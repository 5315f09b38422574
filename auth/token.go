package auth

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// grantFunc requests a connection's next token.
type grantFunc func(ctx context.Context, config *flows.Config, c Connection) (flows.Token, error)

// requestToken requests a connection's next token, with the refresh token or, for flows
// that have none, by repeating the grant.
func requestToken(ctx context.Context, config *flows.Config, c Connection) (flows.Token, error) {
	config, err := config.Discover(ctx)
	if err != nil {
		// Transient, because no secret has been sent yet.
		return flows.Token{}, &flows.TokenError{Kind: flows.Transient, Err: err}
	}
	switch c.Flow {
	case providers.FlowClientCredentials:
		return config.ClientCredentials(ctx, c.Scopes)
	case providers.FlowJWTBearer:
		return config.JWTBearer(ctx, c.Scopes)
	}
	scopes := c.Scopes
	if c.scopesAssumed {
		scopes = nil // some servers grant fewer without saying so, and refuse a refresh that names more
	}
	return config.Refresh(ctx, c.RefreshToken, scopes)
}

// config returns what the protocols need to act for a connection. If a stored secret
// would go to another endpoint than the one it was obtained from, it returns a Reason
// constant instead, because anyone who can write a file can replace a definition.
func (a *Auth) config(d *providers.Definition, c Connection, clients []flows.Client) (config *flows.Config, blocked string) {
	values := c.Values()
	endpoint, err := d.Issuer(values)
	if err != nil || endpoint == "" || endpoint != c.TokenEndpoint {
		return nil, ReasonEndpoint
	}
	client, ok := clientOf(d, c, clients)
	if !ok {
		return nil, ReasonClient
	}
	client.Issuer = c.Issuer // the stored client may have the issuer of another tenant, or none
	return &flows.Config{Definition: d, Client: client, Values: values, HTTP: a.HTTP, Now: a.Now}, ""
}

// checkRenewal sets renewalBlocked if the present definition or clients do not allow the
// token to be renewed. It ignores a missing definition; the error is returned when the
// connection is used.
func (a *Auth) checkRenewal(c Connection, clients []flows.Client) Connection {
	if !c.Renewable(a.now()) {
		return c
	}
	if d, _, err := a.Definition(c); err == nil {
		_, c.renewalBlocked = a.config(d, c, clients)
	}
	return c
}

// withToken returns the connection with a new token. What the answer does not contain
// stays as it was, except the expiry of the access token, which would be wrong.
func (c Connection) withToken(d *providers.Definition, t flows.Token, now time.Time) (Connection, error) {
	if t.AccessToken.IsZero() {
		return c, &flows.TokenError{Kind: flows.Protocol, Err: errors.New("the answer has no access token")}
	}
	c.AccessToken, c.ExpiresAt = t.AccessToken, wallTime(t.ExpiresAt)
	c.TokenType = cmp.Or(t.TokenType, c.TokenType)
	if !t.RefreshToken.IsZero() {
		c.RefreshToken, c.RefreshExpiresAt = t.RefreshToken, wallTime(t.RefreshExpiresAt)
	} else if !t.RefreshExpiresAt.IsZero() {
		c.RefreshExpiresAt = wallTime(t.RefreshExpiresAt)
	}
	if t.Scopes != nil {
		c.Scopes, c.scopesAssumed = t.Scopes, false
	}
	c.setAccount(t.Account)
	if t.Endpoints != nil {
		c.endpoints = t.Endpoints
	}
	c.setValues(d, t.Values)
	c.ObtainedAt = wallTime(now)
	c.Status, c.StatusSince, c.StatusCode = StatusConnected, time.Time{}, ""
	c.RefreshStarted, c.RefreshAttempts = time.Time{}, 0
	return c, nil
}

// setAccount stores the account that a service named. One without an ID does not replace
// one with an ID: the answers of some services to a refresh say less.
func (c *Connection) setAccount(a flows.Account) {
	if a.ID != "" || a.Label != "" && c.Account.ID == "" {
		c.Account.ID, c.Account.Label = a.ID, a.Label
	}
}

// setValues stores values of the definition's params: secrets in Fields, others in
// Params. It replaces the maps instead of changing them, because copies of the connection
// share them.
func (c *Connection) setValues(d *providers.Definition, values map[string]secret.String) {
	if len(values) == 0 {
		return
	}
	params, fields := make(map[string]string), make(map[string]secret.String)
	maps.Copy(params, c.Params)
	maps.Copy(fields, c.Fields)
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
		default: // a value without a description may be a secret
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

// wallTime strips the reading of the monotonic clock, which stops while the machine
// sleeps.
func wallTime(t time.Time) time.Time { return t.Round(0) }

// errorCode returns the provider's error code, or "".
func errorCode(err error) string {
	if e, ok := errors.AsType[*flows.TokenError](err); ok {
		return e.Code
	}
	return ""
}
