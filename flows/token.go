package flows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// Refresh redeems a refresh token, once. With nil scopes the new token has the scopes of
// the old one. If the result has no RefreshToken, the old one stays valid.
//
// After an Ambiguous error the refresh token may be used up. The caller decides whether to
// try it again.
func (c *Config) Refresh(ctx context.Context, refreshToken secret.String, scopes []string) (Token, error) {
	c, err := c.Discover(ctx)
	if err != nil {
		return Token{}, err
	}
	if refreshToken.IsZero() {
		return Token{}, errors.New("the connection has no refresh token")
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
	if err := c.addParams(form, "refresh_params", o.RefreshParams); err != nil {
		return Token{}, err
	}
	a, err := c.post(ctx, e, form, []string{refreshToken.Reveal()})
	if err != nil {
		return Token{}, err
	}
	return c.readToken(a)
}

// requestToken makes one token request and reads the answer. hidden are the secrets in the
// form: a server's error text may repeat them, and ours must not.
func (c *Config) requestToken(ctx context.Context, e endpoint, form url.Values, hidden []string) (Token, error) {
	if err := c.addParams(form, "token_params", c.Definition.OAuth.TokenParams); err != nil {
		return Token{}, err
	}
	a, err := c.post(ctx, e, form, hidden)
	if err != nil {
		return Token{}, err
	}
	return c.readToken(a)
}

// post authenticates the client and sends a form, or JSON if the provider requires that.
func (c *Config) post(ctx context.Context, e endpoint, form url.Values, hidden []string) (*answer, error) {
	header := make(http.Header)
	if err := c.authenticate(form, header); err != nil {
		return nil, err
	}
	for _, name := range []string{"client_secret", "client_assertion", "assertion"} {
		hidden = append(hidden, form.Get(name))
	}
	hidden = append(hidden, c.Client.Secret.Reveal())
	return c.sendForm(ctx, e, formRequest{form, header, hidden, c.Definition.OAuth.TokenBody == "json"})
}

// formRequest is a request with parameters in its body.
type formRequest struct {
	form   url.Values
	header http.Header // may be nil
	hidden []string    // the secrets in it: a server's error text may repeat them, and ours must not
	asJSON bool
}

// sendForm sends a request with the headers that the definition adds, and reads the answer.
func (c *Config) sendForm(ctx context.Context, e endpoint, f formRequest) (*answer, error) {
	header := http.Header{"Accept": {"application/json"}}
	maps.Copy(header, f.header)
	for name, value := range c.Definition.OAuth.Headers {
		text, err := c.expand("oauth.headers."+name, value)
		if err != nil {
			return nil, err
		}
		header.Set(name, text)
	}
	body, contentType, err := encode(f.form, f.asJSON)
	if err != nil {
		return nil, err
	}
	header.Set("Content-Type", contentType)
	r, err := send(ctx, request{client: e.client, method: http.MethodPost, url: e.url, header: header, body: body})
	if err != nil {
		return nil, err
	}
	return c.answer(r, f.hidden)
}

// encode returns a request's body and its type.
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
		return "", "", errors.New("the request has a value that is not valid JSON text")
	}
	return string(b), "application/json", nil
}

// readToken reads the token in an answer that is not an error.
func (c *Config) readToken(a *answer) (Token, error) {
	o := c.Definition.OAuth
	r := providers.Response{}
	if o.Response != nil {
		r = *o.Response
	}
	paths := r.AccessToken
	if paths == nil {
		paths = []string{"access_token"}
	}
	t := Token{Endpoints: c.discovered().Endpoints}
	var parent string
	t.AccessToken, parent = a.token(paths)
	if t.AccessToken.IsZero() {
		return Token{}, protocolError(a.status, "no access token in the answer")
	}
	t.RefreshToken, _ = a.token(memberPaths(parent, r.RefreshToken, "refresh_token"))
	t.TokenType = a.text(memberPaths(parent, r.TokenType, "token_type"))
	if err := c.checkType(t.TokenType); err != nil {
		return Token{}, &TokenError{Kind: Protocol, Status: a.status, Err: err}
	}
	now := c.now()
	t.ExpiresAt = a.expiry(now, memberPaths(parent, r.ExpiresIn, "expires_in"), memberPaths(parent, r.ExpiresAt))
	if t.ExpiresAt.IsZero() && o.Lifetime != "" {
		d, err := time.ParseDuration(o.Lifetime)
		if err != nil {
			return Token{}, fmt.Errorf("%s: oauth.lifetime: not a duration", c.Definition.Name)
		}
		t.ExpiresAt = now.Add(d)
	}
	// RFC 6749 does not define this member; no server uses these two names for anything else.
	// Keycloak sends 0 for a refresh token that does not expire.
	if n, ok := a.number(memberPaths(parent, r.RefreshExpiresIn, "refresh_token_expires_in", "refresh_expires_in")); ok && n > 0 {
		t.RefreshExpiresAt = expiryIn(now, n)
	}
	t.Scopes = a.scopes(memberPaths(parent, r.Scope, "scope"), o.ScopeSeparator)
	t.Account = Account{
		ID:    printable(a.text(r.AccountID), maxDescription),
		Label: printable(a.text(r.AccountLabel), maxDescription),
	}
	for _, p := range c.Definition.Params {
		if p.From != providers.FromToken {
			continue
		}
		if value := a.text([]string{p.Path}); value != "" {
			if err := c.addValue(&t, p, value); err != nil {
				return Token{}, err
			}
		}
	}
	return t, nil
}

// checkType refuses a token of an unknown type (RFC 6749 section 7.1). A type is known if
// the definition says how its token is put on a request or where its type is, except the
// types that need a key of the client.
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
	return errors.New("unknown type of token")
}

// addValue adds the value of a param, from an answer or a redirect, to a token.
func (c *Config) addValue(t *Token, p providers.Param, value string) error {
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
