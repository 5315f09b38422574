// Package oauth drives the protocol code of package flows against authorization
// servers that others wrote.
package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

const redirect = "http://127.0.0.1:53682/callback" // registered without a port (RFC 8252 section 7.3)

func define(t *testing.T, format string, args ...any) *providers.Definition {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":2,"name":"acme","flows":["pkce"],"hosts":["api.acme.example"],`+format+"}", args...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// user goes to an address as a browser would, fills in a form where there is
// one, and returns the query that the program's own address is sent.
func user(t *testing.T, browser *http.Client, address string, form url.Values) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := *browser
	b.Jar = jar
	var back *url.URL
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect) {
			back = r.URL
			return http.ErrUseLastResponse
		}
		return nil
	}
	resp, err := b.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if back == nil && form != nil {
		form.Set("id", resp.Request.URL.Query().Get("authRequestID"))
		if resp, err = b.PostForm(resp.Request.URL.String(), form); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if back == nil {
		t.Fatalf("the user ends at %s, status %d", resp.Request.URL.Path, resp.StatusCode)
	}
	return back.Query()
}

// login is the whole of a login in a browser.
func login(t *testing.T, c *flows.Config, browser *http.Client, form url.Values) (flows.Token, url.Values, string) {
	t.Helper()
	verifier := flows.Verifier()
	address, err := c.AuthorizationURL("state-state-state-state", verifier, redirect, nil)
	if err != nil {
		t.Fatal(err)
	}
	callback := user(t, browser, address, form)
	if callback.Get("state") != "state-state-state-state" || callback.Get("code") == "" {
		t.Fatalf("callback %v", callback)
	}
	if err := c.CheckIssuer(callback); err != nil {
		t.Fatal(err)
	}
	token, err := c.Exchange(t.Context(), secret.New(callback.Get("code")), verifier, redirect, callback)
	if err != nil {
		t.Fatal(err)
	}
	if token.AccessToken.IsZero() || token.RefreshToken.IsZero() || token.ExpiresAt.IsZero() {
		t.Fatalf("the token lacks something: %+v", token)
	}
	return token, callback, verifier
}

// refused holds err to being a refusal with the server's code.
func refused(t *testing.T, err error, code string) {
	t.Helper()
	e, ok := errors.AsType[*flows.TokenError](err)
	if !ok {
		t.Fatalf("error %v", err)
	}
	if e.Kind != flows.Permanent || e.Code != code {
		t.Errorf("%v, code %q (%s), want a refusal with %q", e.Kind, e.Code, e.Description, code)
	}
}
