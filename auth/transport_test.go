package auth_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
)

// recorder is a transport that records requests and answers 204.
type recorder struct{ requests []*http.Request }

func (s *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	s.requests = append(s.requests, r)
	return &http.Response{StatusCode: 204, Body: http.NoBody, Request: r}, nil
}

func TestRoundTripperSendsCredentialToProviderOnly(t *testing.T) {
	a := newAuth(t)
	_, err := a.Login(t.Context(), auth.LoginRequest{Provider: "acme", BaseURL: "https://acme.corp.test:8443/api", Obtain: obtainKey("ak-1")})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]bool{
		"https://api.acme.test/v1":                   true,
		"https://api.acme.test/v1/":                  true,
		"https://api.acme.test/v1/x?y=/../z":         true,
		"https://api.acme.test/v1/a%2Fb":             true,
		"https://API.acme.test./v1/x":                true,
		"https://api.acme.test:443/v1/x":             true,
		"https://acme.corp.test:8443/api/x":          true,
		"https://acme.corp.test/api/x":               false,
		"http://api.acme.test/v1/x":                  false,
		"https://api.acme.test:8443/v1/x":            false,
		"https://api.acme.test/":                     false,
		"https://api.acme.test/v10":                  false,
		"https://api.acme.test/v1/../admin":          false,
		"https://api.acme.test/v1/%2e%2e/admin":      false,
		"https://api.acme.test/v1/..%2fadmin":        false,
		"https://api.acme.test/v1/%252e%252e/admin":  false,
		`https://api.acme.test/v1/..%5cadmin`:        false,
		"https://api.acme.test.evil.test/v1/x":       false,
		"https://evil.test/v1/x":                     false,
		"https://api.acme.test@evil.test/v1/x":       false,
		"https://xapi.acme.test/v1/x":                false,
		"https://api.acme.test/%76%31/x":             false,
		"https://api.acme.test/x/../v1/y":            false,
		"https://acme.corp.test:8443/api/../v1/more": false,
	} {
		network := &recorder{}
		client := &http.Client{Transport: a.RoundTripper("acme", "", network)}
		r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.Do(r); err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got := network.requests[0].Header.Get("Authorization") == "Bearer ak-1"; got != want {
			t.Errorf("%s: credential sent: %t, want %t", url, got, want)
		}
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s: the caller's request was changed", url)
		}
	}
}

func TestRoundTripperOtherCases(t *testing.T) {
	a := newAuth(t)
	putRecord(t, a, "profile:default:gith:connection:me", `{"status":"connected","access_token":"t"}`)
	network := &recorder{}
	rt := a.RoundTripper("gith", "me", network)
	do := func(r *http.Request) string {
		t.Helper()
		if _, err := rt.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
		return network.requests[len(network.requests)-1].Header.Get("Authorization")
	}
	newRequest := func(url string) *http.Request {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if got := do(newRequest("https://api.gith.test")); got != "Bearer t" {
		t.Errorf("without a path: %q", got)
	}
	for _, url := range []string{"https://api.gith.test/login/token", "https://api.gith.test//login/token", "https://api.gith.test/x/..//login/token", "https://api.gith.test/login/%74oken/"} {
		if got := do(newRequest(url)); got != "" {
			t.Errorf("%s, the token endpoint: %q", url, got)
		}
	}
	r := newRequest("https://api.gith.test/x")
	r.Host = "evil.test"
	if got := do(r); got != "" {
		t.Errorf("with another Host: %q", got)
	}
	r = newRequest("https://api.gith.test/x")
	r.Header = nil
	if got := do(r); got != "Bearer t" {
		t.Errorf("without a header: %q", got)
	}

	body := &closeRecorder{Reader: strings.NewReader("x")}
	r = newRequest("https://api.gith.test/x")
	r.Body = body
	_, err := a.RoundTripper("gith", "nobody", network).RoundTrip(r)
	wantLoginRequired(t, err, "gith", "nobody", auth.ReasonMissing)
	if !body.closed {
		t.Error("the body of the failed request was not closed")
	}
}

type closeRecorder struct {
	io.Reader
	closed bool
}

func (c *closeRecorder) Close() error { c.closed = true; return nil }

func TestHeader(t *testing.T) {
	a := newAuth(t)
	login(t, a, "raw", "x", "ak-1")
	h, err := a.Header(t.Context(), "raw", "x")
	if err != nil || len(h) != 1 || h.Get("X-Api-Key") != "ak-1" {
		t.Errorf("header %v, error %v", h, err)
	}
	if _, err := a.Header(t.Context(), "raw", "y"); !isLoginRequired(err) {
		t.Errorf("error %v", err)
	}
}

func TestTokenSource(t *testing.T) {
	a := newAuth(t)
	expires := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	putRecord(t, a, "profile:default:gith:connection:me", `{"status":"connected","access_token":"t","token_type":"bearer","expires_at":"`+expires.Format(time.RFC3339)+`"}`)
	login(t, a, "acme", "x", "ak-1")
	login(t, a, "raw", "x", "ak-1")
	token, err := a.TokenSource("gith", "me").Token()
	if err != nil || token.AccessToken != "t" || token.Type() != "Bearer" || !token.Expiry.Equal(expires) || !token.Valid() {
		t.Errorf("token %+v, error %v", token, err)
	}
	token, err = a.TokenSource("acme", "").Token()
	if err != nil || token.AccessToken != "ak-1" || token.Type() != "Bearer" || !token.Valid() {
		t.Errorf("token %+v, error %v", token, err)
	}
	if token, err := a.TokenSource("raw", "x").Token(); err == nil || strings.Contains(err.Error(), "ak-1") {
		t.Errorf("a key for another header: %+v, %v", token, err)
	}
	if _, err := a.TokenSource("gith", "nobody").Token(); !isLoginRequired(err) {
		t.Errorf("error %v", err)
	}
}
