package flows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// AuthorizationURL returns the address to open in the user's browser (RFC 6749 section
// 4.1.1). It keeps the query of the provider's own address. Nil scopes request the
// default scopes of the definition or the resource, empty ones request none. If the
// definition needs discovery, call [Config.Discover] first.
func (c *Config) AuthorizationURL(state, verifier, redirectURI string, scopes []string) (string, error) {
	o, err := c.oauth()
	if err != nil {
		return "", err
	}
	e, err := c.endpoint("authorization_url", o.AuthorizationURL, c.discovered().AuthorizationURL)
	if err != nil {
		return "", err
	}
	id := c.clientID()
	switch {
	case id == "":
		return "", fmt.Errorf("%s: %w", c.Definition.Name, ErrNoClient)
	case state == "" || redirectURI == "" || verifier == "" && c.usesPKCE():
		return "", errors.New("an authorization needs a state, a redirect URI and a verifier")
	}
	if err := c.checkClient(); err != nil {
		return "", err
	}
	if err := c.CheckPKCE(); err != nil && !(c.AllowNoPKCE && errors.Is(err, ErrNoPKCE)) {
		return "", err
	}
	q, err := url.ParseQuery(e.url.RawQuery)
	if err != nil {
		return "", fmt.Errorf("%s: oauth.authorization_url: its query is invalid", c.Definition.Name)
	}
	q.Set("response_type", "code")
	c.addScopes(q, c.RequestedScopes(scopes))
	if err := c.addResource(q); err != nil {
		return "", err
	}
	if err := c.addParams(q, "authorize_params", o.AuthorizeParams); err != nil {
		return "", err
	}
	// Last, so that a definition cannot remove what protects the login.
	q.Set(cmp.Or(o.ClientIDParam, "client_id"), id)
	q.Set("redirect_uri", redirectURI)
	q.Set("state", state)
	if c.usesPKCE() {
		q.Set("code_challenge", codeChallenge(verifier))
		q.Set("code_challenge_method", "S256")
	}
	u := *e.url
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// RequestedScopes returns the scopes to request: the given ones, or the default ones if they
// are nil, without those that the client was not registered for.
func (c *Config) RequestedScopes(scopes []string) []string {
	if scopes == nil {
		scopes = c.defaultScopes()
	}
	if c.Client.Scopes == nil {
		return scopes
	}
	return slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(c.Client.Scopes, s) })
}

// CheckIssuer returns nil if a redirect, successful or not, comes from the authorization
// server that the user was sent to (RFC 9207 section 2.4). Nothing of the redirect may be
// used or shown before this check.
func (c *Config) CheckIssuer(callback url.Values) error {
	expected, err := c.issuer()
	if err != nil {
		return err
	}
	got, present := callback["iss"]
	switch {
	case present && len(got) != 1:
		return fmt.Errorf("%s: the redirect names %d issuers: %w", c.Definition.Name, len(got), errIssuer)
	case present && expected != "" && !SameIssuer(got[0], expected):
		return fmt.Errorf("%s: %w", c.Definition.Name, &otherIssuerError{"the redirect", got[0], expected})
	case !present && c.discovered().IssuerInCallback:
		return fmt.Errorf("%s: %w", c.Definition.Name, &otherIssuerError{"the redirect", "", expected})
	}
	return nil
}

// Exchange redeems an authorization code. redirectURI must be the one of the authorization
// request, byte for byte. callback is the redirect's query, from which the definition may
// take values. Nothing is ever sent twice: after an error that is not Transient the code
// is lost, and the user must log in again.
func (c *Config) Exchange(ctx context.Context, code secret.String, verifier, redirectURI string, callback url.Values) (Token, error) {
	c, err := c.Discover(ctx)
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
	if c.usesPKCE() {
		if verifier == "" {
			return Token{}, errors.New("the code has no PKCE verifier")
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
	t, err := c.requestToken(ctx, e, form, hidden)
	if err != nil {
		return Token{}, err
	}
	if err := c.addCallbackValues(&t, callback); err != nil {
		return Token{}, err
	}
	return t, c.checkComplete(t)
}

// addCallbackValues adds the values that the definition takes from the redirect.
func (c *Config) addCallbackValues(t *Token, callback url.Values) error {
	for _, p := range c.Definition.Params {
		if p.From == providers.FromCallback && callback.Get(p.Path) != "" {
			if err := c.addValue(t, p, callback.Get(p.Path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkComplete refuses a login without a value that later requests need.
func (c *Config) checkComplete(t Token) error {
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
	return strings.Join(scopes, cmp.Or(o.ScopeSeparator, " "))
}
