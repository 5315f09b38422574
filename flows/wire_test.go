package flows_test

import (
	"cmp"
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

// codeForm is the form of an authorization code, without the client's authentication.
const codeForm = "code=the-code\ncode_verifier=" + verifier + "\ngrant_type=authorization_code\nredirect_uri=" + redirect

// tokenRequests are calls of flows and the requests that they make.
var tokenRequests = []struct {
	name   string
	oauth  string       // of the definition
	client flows.Client // if zero, the id "id" and the secret "s+/="
	call   func(context.Context, *flows.Config) (flows.Token, error)
	path   string // /token if empty
	header string // a header that is sent, as Name: value
	absent string // the name of a header that is not sent
	body   string
}{
	{name: "User-Agent", call: exchange, header: "User-Agent: authsome", body: "client_id=id\nclient_secret=s+/=\n" + codeForm},
	{name: "authorization code, client secret in the form", call: exchange, header: "Accept: application/json", absent: "Authorization",
		body: "client_id=id\nclient_secret=s+/=\n" + codeForm},
	{name: "content type", call: exchange, header: "Content-Type: application/x-www-form-urlencoded", body: "client_id=id\nclient_secret=s+/=\n" + codeForm},
	{name: "Basic, both parts form-encoded", oauth: `"token_auth":"basic"`, client: flows.Client{ID: "i d", Secret: secret.New("s+/=")}, call: exchange,
		header: "Authorization: Basic aStkOnMlMkIlMkYlM0Q=", body: codeForm}, // i+d:s%2B%2F%3D
	{name: "Basic without encoding", oauth: `"token_auth":"basic_raw"`, call: exchange, header: "Authorization: Basic aWQ6cysvPQ==", body: codeForm}, // id:s+/=
	{name: "Basic with an empty password", oauth: `"token_auth":"basic","client_secret":"none"`, client: flows.Client{ID: "id"},
		call: exchange, header: "Authorization: Basic aWQ6", body: codeForm},
	{name: "public client", oauth: `"token_auth":"none"`, client: flows.Client{ID: "id"}, call: exchange, absent: "Authorization", body: "client_id=id\n" + codeForm},
	{name: "a secret that is not sent", oauth: `"token_auth":"none"`, call: exchange, absent: "Authorization", body: "client_id=id\n" + codeForm},
	{name: "Basic without a secret is a public client", oauth: `"token_auth":"basic"`, client: flows.Client{ID: "id"}, call: exchange, absent: "Authorization",
		body: "client_id=id\n" + codeForm},
	{name: "method of the registration", oauth: `"token_auth":"post"`, client: flows.Client{ID: "id", Secret: secret.New("s"), TokenAuth: "client_secret_basic"},
		call: exchange, header: "Authorization: Basic aWQ6cw==", body: codeForm},
	{name: "method of the registration, encoding of the definition", oauth: `"token_auth":"basic_raw"`,
		client: flows.Client{ID: "id", Secret: secret.New("s+/="), TokenAuth: "client_secret_basic"}, call: exchange, header: "Authorization: Basic aWQ6cysvPQ==", body: codeForm},
	{name: "JSON", oauth: `"token_body":"json","token_auth":"basic"`, call: exchange, header: "Content-Type: application/json",
		body: `{"code":"the-code","code_verifier":"` + verifier + `","grant_type":"authorization_code","redirect_uri":"` + redirect + `"}`},
	{name: "JSON with the client secret", oauth: `"token_body":"json"`, call: refresh,
		body: `{"client_id":"id","client_secret":"s+/=","grant_type":"refresh_token","refresh_token":"the-refresh"}`},
	{name: "without PKCE", oauth: `"pkce":"off"`, call: exchange, body: "client_id=id\nclient_secret=s+/=\ncode=the-code\ngrant_type=authorization_code\nredirect_uri=" + redirect},
	{name: "other parameter name for the client id", oauth: `"client_id_param":"client_key"`, call: exchange, body: "client_key=id\nclient_secret=s+/=\n" + codeForm},
	{name: "headers", oauth: `"headers":{"X-Version":"{region}"}`, call: exchange, header: "X-Version: eu", body: "client_id=id\nclient_secret=s+/=\n" + codeForm},
	{name: "User-Agent of the definition", oauth: `"headers":{"User-Agent":"authsome by x"}`, call: exchange, header: "User-Agent: authsome by x",
		body: "client_id=id\nclient_secret=s+/=\n" + codeForm},
	{name: "token_params, from values", oauth: `"token_params":{"audience":"{region}"}`, call: exchange, body: "audience=eu\nclient_id=id\nclient_secret=s+/=\n" + codeForm},
	{name: "resource with the code", oauth: `"resource":"https://{region}.acme.example"`, call: exchange,
		body: "client_id=id\nclient_secret=s+/=\n" + codeForm + "\nresource=https://eu.acme.example"},
	{name: "resource with the refresh token", oauth: `"resource":"https://api.acme.example/"`, call: refresh,
		body: "client_id=id\nclient_secret=s+/=\ngrant_type=refresh_token\nrefresh_token=the-refresh\nresource=https://api.acme.example/"},
	{name: "separate refresh URL with parameters", oauth: `"refresh_url":"AT/{region}/refresh","refresh_params":{"expiring":"1"},"token_params":{"audience":"x"}`,
		call: refresh, path: "/eu/refresh", body: "client_id=id\nclient_secret=s+/=\nexpiring=1\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
	{name: "refresh with another grant type", oauth: `"refresh_params":{"grant_type":"ig_refresh_token"}`, call: refresh,
		body: "client_id=id\nclient_secret=s+/=\ngrant_type=ig_refresh_token\nrefresh_token=the-refresh"},
	{name: "refresh with scopes", oauth: `"scopes":["x"],"scope_separator":","`,
		call: func(ctx context.Context, c *flows.Config) (flows.Token, error) {
			return c.Refresh(ctx, secret.New("the-refresh"), []string{"a", "b"})
		}, body: "client_id=id\nclient_secret=s+/=\ngrant_type=refresh_token\nrefresh_token=the-refresh\nscope=a,b"},
	{name: "refresh without scopes", oauth: `"scopes":["x"]`, call: refresh,
		body: "client_id=id\nclient_secret=s+/=\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
	{name: "refresh by a public client", client: flows.Client{ID: "id"}, call: refresh, body: "client_id=id\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
	{name: "refresh by the definition's public client", oauth: `"client_id":"public","client_secret":"none","token_auth":"none"`, client: flows.Client{RedirectURIs: []string{}},
		call: refresh, body: "client_id=public\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
	{name: "client credentials", oauth: `"token_auth":"basic","scopes":["a","b"],"token_params":{"audience":"x"}`,
		call: func(ctx context.Context, c *flows.Config) (flows.Token, error) { return c.ClientCredentials(ctx, nil) },
		body: "audience=x\ngrant_type=client_credentials\nscope=a b"},
	{name: "the endpoint has a query", oauth: `"token_url":"AT/token?v=2"`, call: refresh, path: "/token?v=2",
		body: "client_id=id\nclient_secret=s+/=\ngrant_type=refresh_token\nrefresh_token=the-refresh"},
}

func TestTokenRequest(t *testing.T) {
	for _, test := range tokenRequests {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, respond(200, goodToken))
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
			wantPath := cmp.Or(test.path, "/token")
			if path := got.path + strings.TrimSuffix("?"+got.query, "?"); path != wantPath || got.method != "POST" {
				t.Errorf("%s %s, want POST %s", got.method, path, wantPath)
			}
			if !got.last {
				t.Error("the connection is kept open, so net/http could repeat the request")
			}
			if name, value, _ := strings.Cut(test.header, ": "); got.header.Get(name) != value {
				t.Errorf("header %s: %s, want %s", name, got.header.Get(name), value)
			}
			if test.absent != "" && got.header.Get(test.absent) != "" {
				t.Errorf("header %s: %s", test.absent, got.header.Get(test.absent))
			}
			if want := sortedLines(test.body); got.body != want {
				t.Errorf("body\n%s\nwant\n%s", got.body, want)
			}
		})
	}
}

// sortedLines sorts the lines of a form as formLines does, and returns JSON unchanged.
func sortedLines(body string) string {
	if strings.HasPrefix(body, "{") {
		return body
	}
	return formLines(formOf(body))
}

// formOf is the inverse of formLines.
func formOf(body string) url.Values {
	form := make(url.Values)
	for line := range strings.Lines(body) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		form.Add(name, value)
	}
	return form
}

func TestClientCredentialsNeedSecret(t *testing.T) {
	h := newFakeServer(t, respond(200, goodToken))
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
		t.Errorf("has refresh token: %t, %v", !token.RefreshToken.IsZero(), err)
	}
}

func TestClientIsUsedWithItsIssuerOnly(t *testing.T) {
	h := newFakeServer(t, respond(200, goodToken))
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
				t.Errorf("issuer %q: an authorization URL was returned", issuer)
			}
			if len(h.requests()) != before {
				t.Errorf("issuer %q: a request was sent", issuer)
			}
		}
	}
}

func TestEndpointsMustBeHTTPS(t *testing.T) {
	h := newFakeServer(t, respond(200, goodToken))
	for _, base := range []string{"http://acme.example", "ftp://acme.example", "https://user@acme.example", "acme.example"} {
		c := h.config(t, `"token_url":"{base_url}/token"`, "")
		c.Values = map[string]secret.String{"base_url": secret.New(base)}
		c.HTTP = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
			t.Errorf("%s: a request was sent", base)
			return nil, context.Canceled
		})}
		if _, err := refresh(t.Context(), c); err == nil {
			t.Errorf("%s: no error", base)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
