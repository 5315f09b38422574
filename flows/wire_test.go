package flows_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

const (
	goodToken = `{"access_token":"a","token_type":"Bearer","expires_in":3600,"refresh_token":"r"}`
	verifier  = "verifier-verifier-verifier-verifier-verifier"
	redirect  = "http://127.0.0.1:5/cb"
)

func exchange(ctx context.Context, c *flows.Config) (flows.Token, error) {
	return c.Exchange(ctx, secret.New("the-code"), verifier, redirect, nil)
}

func refresh(ctx context.Context, c *flows.Config) (flows.Token, error) {
	return c.Refresh(ctx, secret.New("the-refresh"), nil)
}

// The numbers are those of the list of mistakes of the Python authsome.
func TestTokenRequest(t *testing.T) {
	const code = "code=the-code\ncode_verifier=" + verifier + "\ngrant_type=authorization_code\nredirect_uri=" + redirect
	for _, test := range []struct {
		name   string
		oauth  string
		client flows.Client
		call   func(context.Context, *flows.Config) (flows.Token, error)
		path   string
		header string // Name: value of one that must be there
		absent string // the name of one that must not
		body   string
	}{
		{name: "our name", call: exchange, header: "User-Agent: authsome", body: "client_id=id\nclient_secret=s+/=\n" + code},
		{name: "code, credentials in the body", call: exchange, header: "Accept: application/json", absent: "Authorization",
			body: "client_id=id\nclient_secret=s+/=\n" + code},
		{name: "form", call: exchange, header: "Content-Type: application/x-www-form-urlencoded", body: "client_id=id\nclient_secret=s+/=\n" + code},
		{name: "19: Basic, both halves form-encoded", oauth: `"token_auth":"basic"`, client: flows.Client{ID: "i d", Secret: secret.New("s+/=")}, call: exchange,
			header: "Authorization: Basic aStkOnMlMkIlMkYlM0Q=", body: code}, // i+d:s%2B%2F%3D
		{name: "19: Basic as it is", oauth: `"token_auth":"basic_raw"`, call: exchange, header: "Authorization: Basic aWQ6cysvPQ==", body: code}, // id:s+/=
		{name: "19: Basic with no password, where there is none", oauth: `"token_auth":"basic","client_secret":"none"`, client: flows.Client{ID: "id"},
			call: exchange, header: "Authorization: Basic aWQ6", body: code},
		{name: "19: public", oauth: `"token_auth":"none"`, client: flows.Client{ID: "id"}, call: exchange, absent: "Authorization", body: "client_id=id\n" + code},
		{name: "a secret that must not be sent", oauth: `"token_auth":"none"`, call: exchange, absent: "Authorization", body: "client_id=id\n" + code},
		{name: "Basic without a secret is a public client", oauth: `"token_auth":"basic"`, client: flows.Client{ID: "id"}, call: exchange, absent: "Authorization",
			body: "client_id=id\n" + code},
		{name: "35: as the registration said", oauth: `"token_auth":"post"`, client: flows.Client{ID: "id", Secret: secret.New("s"), TokenAuth: "client_secret_basic"},
			call: exchange, header: "Authorization: Basic aWQ6cw==", body: code},
		{name: "20: JSON", oauth: `"token_body":"json","token_auth":"basic"`, call: exchange, header: "Content-Type: application/json",
			body: `{"code":"the-code","code_verifier":"` + verifier + `","grant_type":"authorization_code","redirect_uri":"` + redirect + `"}`},
		{name: "20: JSON with the credentials", oauth: `"token_body":"json"`, call: refresh,
			body: `{"client_id":"id","client_secret":"s+/=","grant_type":"refresh_token","refresh_token":"the-refresh"}`},
		{name: "17: without PKCE", oauth: `"pkce":"off"`, call: exchange, body: "client_id=id\nclient_secret=s+/=\ncode=the-code\ngrant_type=authorization_code\nredirect_uri=" + redirect},
		{name: "another name for the client id", oauth: `"client_id_param":"client_key"`, call: exchange, body: "client_key=id\nclient_secret=s+/=\n" + code},
		{name: "headers", oauth: `"headers":{"X-Version":"{region}"}`, call: exchange, header: "X-Version: eu", body: "client_id=id\nclient_secret=s+/=\n" + code},
		{name: "our name, or the one that the provider wants", oauth: `"headers":{"User-Agent":"authsome by x"}`, call: exchange, header: "User-Agent: authsome by x",
			body: "client_id=id\nclient_secret=s+/=\n" + code},
		{name: "token_params, from values", oauth: `"token_params":{"audience":"{region}"}`, call: exchange, body: "audience=eu\nclient_id=id\nclient_secret=s+/=\n" + code},
		{name: "18: resource with the code", oauth: `"resource":"https://{region}.acme.example"`, call: exchange,
			body: "client_id=id\nclient_secret=s+/=\n" + code + "\nresource=https://eu.acme.example"},
		{name: "18: resource with the refresh token", oauth: `"resource":"https://api.acme.example/"`, call: refresh,
			body: "client_id=id\nclient_secret=s+/=\ngrant_type=refresh_token\nrefresh_token=the-refresh\nresource=https://api.acme.example/"},
		{name: "33: a refresh URL of its own, with parameters", oauth: `"refresh_url":"AT/{region}/refresh","refresh_params":{"expiring":"1"},"token_params":{"audience":"x"}`,
			call: refresh, path: "/eu/refresh", body: "client_id=id\nclient_secret=s+/=\nexpiring=1\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
		{name: "33: a refresh by another grant", oauth: `"refresh_params":{"grant_type":"ig_refresh_token"}`, call: refresh,
			body: "client_id=id\nclient_secret=s+/=\ngrant_type=ig_refresh_token\nrefresh_token=the-refresh"},
		{name: "33: scopes with the refresh", oauth: `"scopes":["x"],"scope_separator":","`,
			call: func(ctx context.Context, c *flows.Config) (flows.Token, error) {
				return c.Refresh(ctx, secret.New("the-refresh"), []string{"a", "b"})
			}, body: "client_id=id\nclient_secret=s+/=\ngrant_type=refresh_token\nrefresh_token=the-refresh\nscope=a,b"},
		{name: "a refresh asks for the old scopes by asking for none", oauth: `"scopes":["x"]`, call: refresh,
			body: "client_id=id\nclient_secret=s+/=\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
		{name: "28: a public client refreshes", client: flows.Client{ID: "id"}, call: refresh, body: "client_id=id\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
		{name: "28: the definition's client refreshes", oauth: `"client_id":"public","client_secret":"none","token_auth":"none"`, client: flows.Client{RedirectURIs: []string{}},
			call: refresh, body: "client_id=public\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
		{name: "client credentials", oauth: `"token_auth":"basic","scopes":["a","b"],"token_params":{"audience":"x"}`,
			call: func(ctx context.Context, c *flows.Config) (flows.Token, error) { return c.ClientCredentials(ctx, nil) },
			body: "audience=x\ngrant_type=client_credentials\nscope=a b"},
		{name: "a query of the endpoint stays", oauth: `"token_url":"AT/token?v=2"`, call: refresh, path: "/token?v=2",
			body: "client_id=id\nclient_secret=s+/=\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHostile(t, says(200, goodToken))
			c := h.config(t, test.oauth, `"params":[{"name":"region","default":"us"}]`)
			c.Values = map[string]secret.String{"region": secret.New("eu")}
			c.Client.Secret = secret.New("s+/=")
			if test.client.ID != "" || test.client.RedirectURIs != nil {
				c.Client = test.client
			}
			token, err := test.call(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if token.AccessToken.Reveal() != "a" {
				t.Errorf("access token %q", token.AccessToken.Reveal())
			}
			seen := h.requests()
			if len(seen) != 1 {
				t.Fatalf("%d requests", len(seen))
			}
			got := seen[0]
			if path := got.path + strings.TrimSuffix("?"+got.query, "?"); path != orPath(test.path) || got.method != "POST" {
				t.Errorf("%s %s, want POST %s", got.method, path, orPath(test.path))
			}
			if name, value, _ := strings.Cut(test.header, ": "); got.header.Get(name) != value {
				t.Errorf("header %s: %s, want %s", name, got.header.Get(name), value)
			}
			if test.absent != "" && got.header.Get(test.absent) != "" {
				t.Errorf("header %s: %s", test.absent, got.header.Get(test.absent))
			}
			if want := sorted(test.body); got.body != want {
				t.Errorf("body\n%s\nwant\n%s", got.body, want)
			}
		})
	}
}

func orPath(s string) string {
	if s == "" {
		return "/token"
	}
	return s
}

// sorted puts the lines of a form in the order of their names.
func sorted(body string) string {
	if strings.HasPrefix(body, "{") {
		return body
	}
	form := make(url.Values)
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		form.Add(name, value)
	}
	return lines(form)
}

func TestClientCredentialsNeedASecret(t *testing.T) {
	h := newHostile(t, says(200, goodToken))
	c := h.config(t, "", "")
	c.Client.Secret = secret.String{}
	_, err := c.ClientCredentials(t.Context(), nil)
	wantError(t, err, flows.ErrNoClient)
	if n := len(h.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
	c = h.config(t, "", "")
	token, err := c.ClientCredentials(t.Context(), nil)
	if err != nil || !token.RefreshToken.IsZero() {
		t.Errorf("refresh token kept: %t, %v", !token.RefreshToken.IsZero(), err)
	}
}

// A client is shown to no other server than the one it was made at.
func TestClientBelongsToItsIssuer(t *testing.T) {
	h := newHostile(t, says(200, goodToken))
	c := h.config(t, "", "")
	for issuer, good := range map[string]bool{"": true, h.URL + "/token": true, "https://other.example": false} {
		c.Client.Issuer = issuer
		before := len(h.requests())
		_, err := refresh(t.Context(), c)
		if good && err != nil {
			t.Errorf("issuer %q: %v", issuer, err)
		}
		if !good {
			wantError(t, err, flows.ErrClientIssuer)
			if _, err := c.AuthorizationURL("s", verifier, redirect, nil); err == nil {
				t.Errorf("issuer %q: sent the user off", issuer)
			}
			if len(h.requests()) != before {
				t.Errorf("issuer %q: the client was shown", issuer)
			}
		}
	}
}

// An endpoint that is not https, or only on this machine, gets nothing.
func TestEndpointsAreHTTPS(t *testing.T) {
	h := newHostile(t, says(200, goodToken))
	for _, base := range []string{"http://acme.example", "ftp://acme.example", "https://user@acme.example", "acme.example"} {
		c := h.config(t, `"token_url":"{base_url}/token"`, "")
		c.Values = map[string]secret.String{"base_url": secret.New(base)}
		c.HTTP = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			t.Errorf("%s: something was sent", base)
			return nil, context.Canceled
		})}
		if _, err := refresh(t.Context(), c); err == nil {
			t.Errorf("%s: no error", base)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
