package flows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// Refresh redeems a refresh token, once. With nil scopes the new token has those
// of the old one. A token without a RefreshToken leaves the one in use valid.
//
// After an Ambiguous error the refresh token may be used up: whether it is tried
// again is the caller's to decide.
func (c *Config) Refresh(ctx context.Context, refreshToken secret.String, scopes []string) (Token, error) {
	c, err := c.ready(ctx)
	if err != nil {
		return Token{}, err
	}
	if refreshToken.IsZero() {
		return Token{}, errors.New("there is no refresh token")
	}
	o := c.Definition.OAuth
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken.Reveal()}}
	c.addScopes(form, scopes)
	if err := c.addResource(form); err != nil {
		return Token{}, err
	}
	e, err := c.tokenEndpoint()
	if o.RefreshURL != "" {
		e, err = c.endpoint("refresh_url", o.RefreshURL, "")
	}
	if err != nil {
		return Token{}, err
	}
	return c.token(ctx, e, form, "refresh_params", o.RefreshParams, []string{refreshToken.Reveal()})
}

// token makes one token request and reads the answer. hidden are the secrets in
// the request: a server's error text may repeat them, ours does not.
func (c *Config) token(ctx context.Context, e endpoint, form url.Values, field string, params map[string]string, hidden []string) (Token, error) {
	if err := c.add(form, field, params); err != nil {
		return Token{}, err
	}
	a, err := c.post(ctx, e, form, hidden)
	if err != nil {
		return Token{}, err
	}
	return c.read(a)
}

// post sends a form, or JSON where the provider wants that, as the client.
func (c *Config) post(ctx context.Context, e endpoint, form url.Values, hidden []string) (*answer, error) {
	header := http.Header{"Accept": {"application/json"}}
	if err := c.authenticate(form, header); err != nil {
		return nil, err
	}
	for _, name := range []string{"client_secret", "client_assertion", "assertion"} {
		hidden = append(hidden, form.Get(name))
	}
	hidden = append(hidden, c.Client.Secret.Reveal())
	for name, value := range c.Definition.OAuth.Headers {
		text, err := c.expand("oauth.headers."+name, value)
		if err != nil {
			return nil, err
		}
		header.Set(name, text)
	}
	body, contentType, err := encode(form, c.Definition.OAuth.TokenBody == "json")
	if err != nil {
		return nil, err
	}
	header.Set("Content-Type", contentType)
	r, err := send(ctx, e.client, http.MethodPost, e.url, header, body)
	if err != nil {
		return nil, err
	}
	return c.answer(r, hidden)
}

func encode(form url.Values, asJSON bool) (body, contentType string, err error) {
	if !asJSON {
		return form.Encode(), "application/x-www-form-urlencoded", nil
	}
	object := make(map[string]any, len(form))
	for name, values := range form {
		object[name] = values
		if len(values) == 1 {
			object[name] = values[0]
		}
	}
	b, err := json.Marshal(object, json.Deterministic(true))
	if err != nil {
		return "", "", errors.New("the request cannot be written as JSON")
	}
	return string(b), "application/json", nil
}

// read takes a token out of an answer that is not an error.
func (c *Config) read(a *answer) (Token, error) {
	o := c.Definition.OAuth
	r := providers.Response{}
	if o.Response != nil {
		r = *o.Response
	}
	var t Token
	var beside string
	t.AccessToken, beside = a.token(accessPlaces(r))
	if t.AccessToken.IsZero() {
		return Token{}, protocolError(a.status, "no access token in the answer")
	}
	t.RefreshToken, _ = a.token(places(beside, r.RefreshToken, "refresh_token"))
	t.TokenType = a.text(places(beside, r.TokenType, "token_type"))
	if err := c.checkType(t.TokenType); err != nil {
		return Token{}, &TokenError{Kind: Protocol, Status: a.status, Err: err}
	}
	now := c.now()
	t.ExpiresAt = a.expiry(now, places(beside, r.ExpiresIn, "expires_in"), places(beside, r.ExpiresAt))
	if t.ExpiresAt.IsZero() && o.Lifetime != "" {
		d, err := time.ParseDuration(o.Lifetime)
		if err != nil {
			return Token{}, fmt.Errorf("%s: oauth.lifetime: not a duration", c.Definition.Name)
		}
		t.ExpiresAt = now.Add(d)
	}
	// RFC 6749 has no name for this one; nobody uses these two for anything else.
	refreshIn, _ := a.number(places(beside, r.RefreshExpiresIn, "refresh_token_expires_in", "refresh_expires_in"))
	t.RefreshExpiresAt = in(now, refreshIn)
	t.Scopes = a.scopes(places(beside, r.Scope, "scope"), o.ScopeSeparator)
	t.Account = Account{
		ID:    printable(a.text(r.AccountID), maxDescription),
		Label: printable(a.text(r.AccountLabel), maxDescription),
	}
	for _, p := range c.Definition.Params {
		if p.From != providers.FromToken {
			continue
		}
		if value := a.text([]string{p.Path}); value != "" {
			if err := c.take(&t, p, value); err != nil {
				return Token{}, err
			}
		}
	}
	return t, nil
}

func accessPlaces(r providers.Response) []string {
	if r.AccessToken == nil {
		return []string{"access_token"}
	}
	return r.AccessToken
}

// checkType refuses a token of a type that nobody here knows how to use (RFC
// 6749 section 7.1). A definition that says how its token goes on a request, or
// where its type stands, knows; not so for types that need a key of ours.
func (c *Config) checkType(kind string) error {
	r := c.Definition.OAuth.Response
	switch strings.ToLower(kind) {
	case "", "bearer":
		return nil
	case "dpop", "mac", "pop", "n_a":
	default:
		if len(c.Definition.Inject) > 0 || r != nil && r.TokenType != nil {
			return nil
		}
	}
	return errors.New("its tokens are of a type that is not known")
}

// take keeps a value of a param that an answer or a redirect holds.
func (c *Config) take(t *Token, p providers.Param, value string) error {
	value, err := p.Extract(value)
	if err != nil {
		return &TokenError{Kind: Protocol, Err: err}
	}
	if err := c.Definition.CheckValue(p.Name, value); err != nil {
		return &TokenError{Kind: Protocol, Err: fmt.Errorf("%s in the answer: %w", p.Name, err)}
	}
	if t.Values == nil {
		t.Values = make(map[string]secret.String)
	}
	t.Values[p.Name] = secret.New(value)
	return nil
}
