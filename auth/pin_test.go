package auth_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// replace makes a definition the one in force, as a running proxy does after a file in
// the home was changed.
func replace(t *testing.T, a *auth.Auth, definition string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "providers")
	for _, d := range append([]string{definition}, definitions...) {
		if _, err := providers.Install(dir, []byte(d), false); err != nil && !strings.Contains(err.Error(), providers.ErrInstalled.Error()) {
			t.Fatal(err)
		}
	}
	set, err := providers.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	a.UseProviders(set)
	if err := a.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// accept makes a connection use the definition in force.
func accept(t *testing.T, a *auth.Auth, provider, name string) {
	t.Helper()
	d, err := a.InForce(provider)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Accept(t.Context(), provider, []string{name}, d); err != nil {
		t.Fatal(err)
	}
}

// applyTo applies a credential to a request for url and returns what was put on it.
func applyTo(t *testing.T, a *auth.Auth, url, provider, name string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = a.ApplyMarked(t.Context(), r, provider, name)
	return r.Header.Get("Authorization"), err
}

const (
	wideAcme = `{"schema_version":1,"name":"acme","display_name":"Acme","auth_type":"api_key","flow":"api_key","host_url":["https://api.acme.test/v1","evil.test"],"api_key":{}}`
	evilAcme = `{"schema_version":1,"name":"acme","display_name":"Acme","auth_type":"api_key","flow":"api_key","host_url":"evil.test","api_key":{}}`
)

// A definition that is replaced while a connection exists sends its credential to no
// other host, until the user accepts it.
func TestPinnedConnection(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "x", "ak-1")
	replace(t, a, wideAcme)
	if header, err := applyTo(t, a, "https://evil.test/", "acme", "x"); err == nil || header != "" {
		t.Errorf("the added host got %q, %v", header, err)
	}
	if header, err := applyTo(t, a, "https://api.acme.test/v1", "acme", "x"); err != nil || header != "Bearer ak-1" {
		t.Errorf("the host of the login got %q, %v", header, err)
	}
	c, err := a.Connection(t.Context(), "acme", "x")
	if err != nil {
		t.Fatal(err)
	}
	_, waiting, err := a.Definition(c)
	if err != nil || strings.Join(waiting.Hosts, " ") != "evil.test" {
		t.Errorf("waiting: %v, %v", waiting, err)
	}
	accept(t, a, "acme", "x")
	if header, err := applyTo(t, a, "https://evil.test/", "acme", "x"); err != nil || header != "Bearer ak-1" {
		t.Errorf("after the user accepted: %q, %v", header, err)
	}
}

// A new login uses the definition in force.
func TestLoginPinsTheDefinitionInForce(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "x", "ak-1")
	replace(t, a, evilAcme)
	login(t, a, "acme", "y", "ak-2")
	for name, want := range map[string]string{"x": "", "y": "Bearer ak-2"} {
		if header, _ := applyTo(t, a, "https://evil.test/", "acme", name); header != want {
			t.Errorf("acme/%s: %q, want %q", name, header, want)
		}
	}
}

// A copy in another profile keeps its pin.
func TestCopyKeepsThePin(t *testing.T) {
	p := newProfile(t)
	a, other := p.open(t), p.openAs(t, "other")
	login(t, a, "acme", "x", "ak-1")
	replace(t, a, evilAcme)
	if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "x", To: other}); err != nil {
		t.Fatal(err)
	}
	replace(t, other, evilAcme)
	if header, err := applyTo(t, other, "https://evil.test/", "acme", "x"); err == nil {
		t.Errorf("the copy sent %q to a host that nobody accepted", header)
	}
}

// A connection that an older version stored is pinned to the definition that is in force
// when it is first listed, also if the record cannot be written then.
func TestConnectionOfOlderVersionIsPinned(t *testing.T) {
	for name, readOnly := range map[string]bool{"written": false, "read-only": true} {
		t.Run(name, func(t *testing.T) {
			p := newProfile(t)
			a := p.open(t)
			key := "profile:default:acme:connection:x"
			login(t, a, "acme", "x", "ak-1")
			putRecord(t, a, key, `{"schema_version":2,"provider":"acme","profile":"default","connection_name":"x","auth_type":"api_key","status":"connected","api_key":"ak-1"}`)
			if readOnly {
				defer p.failUpdates(t)()
			}
			if _, err := a.Connections(t.Context()); err != nil {
				t.Fatal(err)
			}
			if stored := storedRecord(t, a, key); strings.Contains(stored, `"pin"`) == readOnly {
				t.Errorf("stored %s", stored)
			}
			replace(t, a, wideAcme)
			if header, err := applyTo(t, a, "https://evil.test/", "acme", "x"); err == nil {
				t.Errorf("the added host got %q", header)
			}
			if header, err := applyTo(t, a, "https://api.acme.test/v1", "acme", "x"); err != nil || header != "Bearer ak-1" {
				t.Errorf("the host of before got %q, %v", header, err)
			}
		})
	}
}

// What an import read does not bring a pin of another home along.
func TestImportPinsTheDefinitionInForce(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "x", "ak-1")
	record := storedRecord(t, a, "profile:default:acme:connection:x")
	replace(t, a, evilAcme)
	c, err := auth.ParseConnection("acme", "y", secret.New(record))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Store(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	if header, err := applyTo(t, a, "https://evil.test/", "acme", "y"); err != nil || header != "Bearer ak-1" {
		t.Errorf("%q, %v", header, err)
	}
}

// The endpoints that discovery found for a connection get no credential, and neither do
// the usual ones of a connection that an older version stored without them.
func TestDiscoveredEndpointsGetNoCredential(t *testing.T) {
	p := newProfile(t)
	p.install(t, `{"schema_version":2,"name":"found","flows":["dcr_pkce"],"hosts":["api.found.test"],"oauth":{"discovery":"resource","resource":"https://api.found.test/mcp"}}`)
	a := p.open(t)
	decide := func(path string) routing.Reason {
		t.Helper()
		c, err := a.Connection(t.Context(), "found", "")
		if err != nil {
			t.Fatal(err)
		}
		b, err := a.Binding(c)
		if err != nil {
			t.Fatal(err)
		}
		table, err := routing.New([]routing.Binding{b}, routing.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return table.Request("POST", "api.found.test", 443, path).Reason
	}
	check := func(excluded, allowed []string) {
		t.Helper()
		for _, path := range excluded {
			if got := decide(path); got != routing.OAuthEndpoint {
				t.Errorf("%s: %s, want %s", path, got, routing.OAuthEndpoint)
			}
		}
		for _, path := range allowed {
			if got := decide(path); got != routing.Matched {
				t.Errorf("%s: %s, want %s", path, got, routing.Matched)
			}
		}
	}
	obtained := func(endpoints ...string) func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
		return func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
			return flows.Obtained{
				Flow: providers.FlowDCRPKCE, Client: flows.Client{ID: "me", Issuer: "https://as.test", RegistrationURL: "https://as.test/clients/me"},
				Token: flows.Token{AccessToken: secret.New("at-1"), RefreshToken: secret.New("rt-1"), Endpoints: endpoints},
			}, nil
		}
	}
	if _, err := a.Login(t.Context(), auth.LoginRequest{Provider: "found", Obtain: obtained("https://as.test/as/token", "https://as.test/as/par")}); err != nil {
		t.Fatal(err)
	}
	check([]string{"/as/token", "/as/par", "/as/token.json", "/clients/me"}, []string{"/mcp", "/token", "/as"})
	if _, err := a.Login(t.Context(), auth.LoginRequest{Provider: "found", Force: true, Obtain: obtained()}); err != nil {
		t.Fatal(err)
	}
	check([]string{"/token", "/register", "/authorize"}, []string{"/mcp", "/as/token"})
}
