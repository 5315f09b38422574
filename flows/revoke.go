package flows

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

const (
	refreshToken = "refresh_token"
	accessToken  = "access_token"
)

// Revoke revokes tokens at the provider, as in RFC 7009 or as the definition says. It
// revokes the refresh token first: most servers then revoke the access tokens too, but not
// the other way round. Zero tokens are skipped.
//
// Nil means that the provider confirmed the revocation. Otherwise the error is
// [ErrNoRevocation], or a [*TokenError]: a refusal with the server's code, or Kind
// Transient or Ambiguous if the provider could not be reached.
func (c *Config) Revoke(ctx context.Context, access, refresh secret.String) error {
	c, err := c.Discover(ctx)
	if err != nil {
		return err
	}
	r := c.Definition.OAuth.Revocation
	if r == nil {
		if c.discovered().RevocationURL == "" {
			return ErrNoRevocation
		}
		r = &providers.Revocation{}
	}
	var failed error
	done := 0
	for _, t := range []struct {
		hint  string
		token secret.String
	}{{refreshToken, refresh}, {accessToken, access}} {
		if t.token.IsZero() || r.Tokens != "" && r.Tokens != t.hint {
			continue
		}
		err := c.revoke(ctx, r, t.token, t.hint)
		if done > 0 && unsupportedType(err) {
			continue // the refresh token is revoked, and the server does not revoke access tokens
		}
		done++
		failed = errors.Join(failed, err)
	}
	if done == 0 {
		return ErrNoRevocation
	}
	return failed
}

func unsupportedType(err error) bool {
	e, ok := errors.AsType[*TokenError](err)
	return ok && e.Code == "unsupported_token_type"
}

// revoke revokes one token.
func (c *Config) revoke(ctx context.Context, r *providers.Revocation, token secret.String, hint string) error {
	text := token.Reveal()
	withToken := *c // the URL's template may contain the token
	withToken.Values = c.values()
	withToken.Values["token"] = token
	e, err := withToken.endpoint("revocation.url", r.URL, c.discovered().RevocationURL)
	if err != nil {
		return err
	}
	form := make(url.Values)
	header := http.Header{"Accept": {"application/json"}}
	switch r.Auth {
	case "", "client":
		if err := c.authenticate(form, header); err != nil {
			return err
		}
		if key := form.Get("client_secret"); key != "" && r.Body != "" && r.Body != "form" {
			// Only the form of RFC 7009 can contain the secret. GitHub requires Basic.
			form = make(url.Values)
			setBasicAuth(header, url.QueryEscape(c.clientID()), url.QueryEscape(key))
		}
	case "bearer":
		header.Set("Authorization", "Bearer "+text)
	}
	body := ""
	if r.Body != "none" {
		form.Set(cmp.Or(r.Param, "token"), text)
		if r.Param == "" && r.Body != "json" {
			form.Set("token_type_hint", hint)
		}
		var contentType string
		if body, contentType, err = encode(form, r.Body == "json"); err != nil {
			return err
		}
		header.Set("Content-Type", contentType)
	}
	answer, err := send(ctx, request{client: e.client, method: cmp.Or(r.Method, http.MethodPost), url: e.url, header: header, body: body})
	if err != nil {
		return err
	}
	return c.checkSuccess(answer, []string{text, c.Client.Secret.Reveal(), form.Get("client_assertion")})
}

// checkSuccess returns nil if a reply says that the request succeeded. A successful reply
// has no body (RFC 7009 section 2.2), but a body can contain an error in spite of the
// status.
func (c *Config) checkSuccess(r *reply, hidden []string) error {
	if r.status/100 == 2 {
		if _, err := parseObject(r.header.Get("Content-Type"), r.body); err != nil {
			return nil
		}
	}
	_, err := c.answer(r, hidden)
	return err
}
