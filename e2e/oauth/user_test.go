// Package oauth tests the protocol code of package flows against authorization servers
// by other authors, and the pages of a login in a real browser.
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

// define returns the definition of a provider with more members.
func define(t *testing.T, format string, args ...any) *providers.Definition {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":2,"name":"acme","flows":["pkce"],"hosts":["api.acme.example"],`+format+"}", args...))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// user opens an address as a browser does, fills in the form if the server shows one,
// and returns the query of the redirect to the program.
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
		t.Fatalf("the user was not redirected from %s, status %d", resp.Request.URL.Path, resp.StatusCode)
	}
	return back.Query()
}

// login goes through the code flow with a user in a browser. It also returns the
// callback and the verifier.
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
		t.Fatalf("the token is incomplete: %+v", token)
	}
	return token, callback, verifier
}

// refused checks that err is a permanent refusal with this code of the server.
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
