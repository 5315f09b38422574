package flows

import (
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

// Revoke takes tokens back at the provider (RFC 7009, or as the definition
// says), the refresh token first: with it most servers end the access tokens,
// and never the other way round. A token that is zero is left out.
//
// Nil means that the provider confirmed it. Otherwise the error is
// [ErrNoRevocation], or a [*TokenError]: a refusal with the server's code, or
// one of Kind Transient or Ambiguous where the provider could not be reached.
func (c *Config) Revoke(ctx context.Context, access, refresh secret.String) error {
	c, err := c.ready(ctx)
	if err != nil {
		return err
	}
	r := c.Definition.OAuth.Revocation
	if r == nil {
		if c.found().RevocationURL == "" {
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
			continue // the refresh token is gone, and the server revokes no other kind
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

func (c *Config) revoke(ctx context.Context, r *providers.Revocation, token secret.String, hint string) error {
	text := token.Reveal()
	named := *c
	named.Values = c.values()
	named.Values["token"] = token
	e, err := named.endpoint("revocation.url", r.URL, c.found().RevocationURL)
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
			// Only RFC 7009's form has a place for it. GitHub wants this.
			form = make(url.Values)
			basic(header, url.QueryEscape(c.clientID()), url.QueryEscape(key))
		}
	case "bearer":
		header.Set("Authorization", "Bearer "+text)
	}
	body := ""
	if r.Body != "none" {
		form.Set(orDefault(r.Param, "token"), text)
		if r.Param == "" && r.Body != "json" {
			form.Set("token_type_hint", hint)
		}
		var contentType string
		if body, contentType, err = encode(form, r.Body == "json"); err != nil {
			return err
		}
		header.Set("Content-Type", contentType)
	}
	answer, err := send(ctx, e.client, orDefault(r.Method, http.MethodPost), e.url, header, body)
	if err != nil {
		return err
	}
	return c.outcome(answer, []string{text, c.Client.Secret.Reveal(), form.Get("client_assertion")})
}

// outcome reads an answer of which only success matters. RFC 7009 section 2.2
// gives it no body; what is there may still be an error.
func (c *Config) outcome(r *reply, hidden []string) error {
	if r.status/100 == 2 {
		if _, err := parseObject(r.header.Get("Content-Type"), r.body); err != nil {
			return nil
		}
	}
	_, err := c.answer(r, hidden)
	return err
}
