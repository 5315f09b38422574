package flows

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// AuthorizationURL is where the user's browser goes: RFC 6749 section 4.1.1. The
// query that the provider's address already has is kept. With nil scopes it asks
// for [Config.Scopes], with empty ones for none. A definition that needs
// discovery needs [Config.Discover] first.
func (c *Config) AuthorizationURL(state, verifier, redirectURI string, scopes []string) (string, error) {
	o, err := c.oauth()
	if err != nil {
		return "", err
	}
	e, err := c.endpoint("authorization_url", o.AuthorizationURL, c.found().AuthorizationURL)
	if err != nil {
		return "", err
	}
	id := c.clientID()
	switch {
	case id == "":
		return "", fmt.Errorf("%s: %w", c.Definition.Name, ErrNoClient)
	case state == "" || redirectURI == "" || verifier == "" && c.pkce():
		return "", errors.New("an authorization needs a state, a redirect URI and a verifier")
	}
	if err := c.checkClient(); err != nil {
		return "", err
	}
	q, err := url.ParseQuery(e.url.RawQuery)
	if err != nil {
		return "", fmt.Errorf("%s: oauth.authorization_url: its query cannot be read", c.Definition.Name)
	}
	q.Set("response_type", "code")
	c.addScopes(q, c.allowed(scopes))
	if err := c.addResource(q); err != nil {
		return "", err
	}
	if err := c.add(q, "authorize_params", o.AuthorizeParams); err != nil {
		return "", err
	}
	// Last, so that a definition cannot take out what protects the login.
	q.Set(orDefault(o.ClientIDParam, "client_id"), id)
	q.Set("redirect_uri", redirectURI)
	q.Set("state", state)
	if c.pkce() {
		q.Set("code_challenge", challenge(verifier))
		q.Set("code_challenge_method", "S256")
	}
	u := *e.url
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// allowed are the scopes to ask for: scopes, or the default ones, without what
// the client was not registered for.
func (c *Config) allowed(scopes []string) []string {
	if scopes == nil {
		scopes = c.Scopes()
	}
	if c.Client.Scopes == nil {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(c.Client.Scopes, s) })
}

// CheckIssuer holds a redirect, successful or not, to coming from the
// authorization server that the user was sent to (RFC 9207 section 2.4). Before
// it has passed, nothing of the redirect may be used or shown. The error is
// [ErrIssuer].
func (c *Config) CheckIssuer(callback url.Values) error {
	expected, err := c.issuer()
	if err != nil {
		return err
	}
	got, present := callback["iss"]
	switch {
	case present && len(got) != 1:
		return fmt.Errorf("%s: the redirect names %d issuers: %w", c.Definition.Name, len(got), ErrIssuer)
	case present && expected != "" && got[0] != expected:
		return fmt.Errorf("%s: the redirect names another issuer: %w", c.Definition.Name, ErrIssuer)
	case !present && c.found().IssuerInCallback:
		return fmt.Errorf("%s: the redirect names no issuer: %w", c.Definition.Name, ErrIssuer)
	}
	return nil
}

// Exchange redeems a code. redirectURI is the one of the authorization request,
// byte for byte; callback is the redirect's query, from which the definition may
// take values. Nothing is ever sent twice: after an error that is not Transient
// the code is lost, and the user logs in again.
func (c *Config) Exchange(ctx context.Context, code secret.String, verifier, redirectURI string, callback url.Values) (Token, error) {
	c, err := c.ready(ctx)
	if err != nil {
		return Token{}, err
	}
	if err := c.CheckIssuer(callback); err != nil {
		return Token{}, err
	}
	if code.IsZero() {
		return Token{}, errors.New("the redirect has no code")
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code.Reveal()}, "redirect_uri": {redirectURI}}
	hidden := []string{code.Reveal()}
	if c.pkce() {
		if verifier == "" {
			return Token{}, errors.New("no PKCE verifier belongs to the code")
		}
		form.Set("code_verifier", verifier)
		hidden = append(hidden, verifier)
	}
	for _, name := range []string{"state", "session_state"} {
		hidden = append(hidden, callback[name]...)
	}
	if err := c.addResource(form); err != nil {
		return Token{}, err
	}
	e, err := c.tokenEndpoint()
	if err != nil {
		return Token{}, err
	}
	t, err := c.token(ctx, e, form, "token_params", c.Definition.OAuth.TokenParams, hidden)
	if err != nil {
		return Token{}, err
	}
	if err := c.fromCallback(&t, callback); err != nil {
		return Token{}, err
	}
	return t, c.complete(t)
}

// fromCallback takes the values that the definition reads from the redirect.
func (c *Config) fromCallback(t *Token, callback url.Values) error {
	for _, p := range c.Definition.Params {
		if p.From == providers.FromCallback && callback.Get(p.Path) != "" {
			if err := c.take(t, p, callback.Get(p.Path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// complete refuses a login that lacks a value which later requests need.
func (c *Config) complete(t Token) error {
	for _, p := range c.Definition.Params {
		if p.From != providers.FromToken && p.From != providers.FromCallback || p.Optional {
			continue
		}
		if _, ok := t.Values[p.Name]; !ok && c.Values[p.Name].IsZero() {
			return &TokenError{Kind: Protocol, Err: fmt.Errorf("no %s in the answer", p.Name)}
		}
	}
	return nil
}

func joinScopes(o *providers.OAuth, scopes []string) string {
	return strings.Join(scopes, orDefault(o.ScopeSeparator, " "))
}
