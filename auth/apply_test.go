package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
)

func TestApplyReplacesWhatTheClientSent(t *testing.T) {
	a := newAuth(t)
	login(t, a, "raw", "x", "ak-1")
	r, err := http.NewRequest("GET", "https://raw.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{"X-Api-Key": {"a", "b"}, "x-api-key": {"c"}, "Other": {"d"}}
	if err := a.Apply(t.Context(), r, "raw", "x"); err != nil {
		t.Fatal(err)
	}
	if len(r.Header) != 2 || len(r.Header["X-Api-Key"]) != 1 || r.Header.Get("X-Api-Key") != "ak-1" {
		t.Errorf("header %v", r.Header)
	}
}

// After a login with another base URL, a proxy chooses the connection by its old hosts
// until it has new routes.
func TestNewCredentialIsNotSentToOldHosts(t *testing.T) {
	a := newAuth(t)
	for _, l := range []struct{ base, key string }{{"https://old.corp.test:8443", "ak-old"}, {"https://new.corp.test", "ak-new"}} {
		if _, err := a.Login(t.Context(), auth.LoginRequest{Provider: "acme", BaseURL: l.base, Force: true, Obtain: obtainKey(l.key)}); err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequest("GET", l.base+"/v1", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.ApplyMarked(t.Context(), r, "acme", "default"); err != nil || r.Header.Get("Authorization") != "Bearer "+l.key {
			t.Errorf("%s: %v, %v", l.base, r.Header, err)
		}
	}
	for _, url := range []string{"https://old.corp.test:8443/v1", "https://new.corp.test:8443/v1"} {
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.ApplyMarked(t.Context(), r, "acme", "default"); !errors.Is(err, auth.ErrMoved) || len(r.Header) != 0 {
			t.Errorf("%s: %v, %v", url, r.Header, err)
		}
	}
}

func TestUnusableConnections(t *testing.T) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct{ name, provider, record, reason string }{
		{"missing", "acme", ``, auth.ReasonMissing},
		{"expired by status", "gith", `{"status":"expired","access_token":"t"}`, auth.ReasonExpired},
		{"expired by time", "gith", `{"status":"connected","access_token":"t","expires_at":"2026-07-01T00:00:00Z"}`, auth.ReasonExpired},
		{"access token and refresh token expired", "gith", `{"status":"connected","access_token":"t","refresh_token":"r","refresh_expires_at":"2026-07-01T00:00:00Z","expires_at":"2026-06-30T23:59:59+00:00"}`, auth.ReasonExpired},
		{"expired, from another token endpoint", "gith", `{"status":"connected","access_token":"t","refresh_token":"r","token_endpoint":"https://evil.test/token","expires_at":"2026-06-30T23:59:59+00:00"}`, auth.ReasonEndpoint},
		{"fresh, from another token endpoint", "gith", `{"status":"connected","access_token":"t","refresh_token":"r","token_endpoint":"https://evil.test/token","expires_at":"2026-07-01T23:59:59+00:00"}`, ""},
		{"revoked", "gith", `{"status":"revoked","access_token":"t"}`, auth.ReasonRevoked},
		{"invalid", "acme", `{"status":"invalid","api_key":"k"}`, auth.ReasonInvalid},
		{"not connected", "acme", `{"status":"not_connected","api_key":"k"}`, auth.ReasonMissing},
		{"a status of a newer version", "acme", `{"status":"suspended","api_key":"k"}`, auth.ReasonInvalid},
		{"no status", "acme", `{"api_key":"k"}`, auth.ReasonInvalid},
		{"no secret", "acme", `{"status":"connected"}`, auth.ReasonMissing},
		{"fresh", "gith", `{"status":"connected","access_token":"t","expires_at":"2026-07-01T01:00:00.5+01:00"}`, ""},
		{"no expiry", "gith", `{"status":"connected","access_token":"t","scopes":null,"account":null,"expires_at":null}`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := newAuth(t)
			a.Now = func() time.Time { return now }
			if test.record != "" {
				putRecord(t, a, "profile:default:"+test.provider+":connection:x", test.record)
			}
			for range 2 { // the second time from the cache
				h, err := apply(t, a, test.provider, "x")
				if test.reason == "" {
					if err != nil || h.Get("Authorization") != "Bearer t" {
						t.Errorf("header %v, error %v", h, err)
					}
					continue
				}
				wantLoginRequired(t, err, test.provider, "x", test.reason)
				if got := h.Get("Authorization"); got != "Bearer placeholder" {
					t.Errorf("the request was changed: %q", got)
				}
			}
			if test.record == "" {
				return
			}
			c, err := a.Connection(t.Context(), test.provider, "x")
			if err != nil || (c.Err(now) == nil) != (test.reason == "") {
				t.Errorf("Err is %v, error %v", c.Err(now), err)
			}
			if expired := c.Status == auth.StatusExpired; expired != (test.reason == auth.ReasonExpired || test.reason == auth.ReasonEndpoint) {
				t.Errorf("status %s with reason %q", c.Status, test.reason)
			}
		})
	}
}

func TestCachedCredentialExpires(t *testing.T) {
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	a := newAuth(t)
	a.Now = func() time.Time { return now }
	putRecord(t, a, "profile:default:gith:connection:x", `{"status":"connected","access_token":"t","expires_at":"2026-07-01T00:01:00Z"}`)
	wantApplied(t, a, "gith", "x", "Bearer t")
	now = now.Add(time.Minute)
	_, err := apply(t, a, "gith", "x")
	wantLoginRequired(t, err, "gith", "x", auth.ReasonExpired)
	// A token that another process stores is found without Reload.
	putRecord(t, a, "profile:default:gith:connection:x", `{"status":"connected","access_token":"t2","expires_at":"2026-07-01T01:00:00Z"}`)
	now = now.Add(2 * time.Second)
	wantApplied(t, a, "gith", "x", "Bearer t2")
}

func TestCachedCredentialNeedsNoFile(t *testing.T) {
	p := newProfile(t)
	a := p.open(t)
	login(t, a, "acme", "x", "ak-1")
	wantApplied(t, a, "acme", "x", "Bearer ak-1")
	home := filepath.Join(p.dir, "profile")
	if err := os.Rename(home, home+".away"); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, a, "acme", "x", "Bearer ak-1")
	if _, err := apply(t, a, "acme", "y"); err == nil || isLoginRequired(err) {
		t.Errorf("an uncached connection without the vault: %v", err)
	}
	if err := a.Reload(t.Context()); err == nil {
		t.Error("Reload without the vault succeeded")
	}
	if h, err := apply(t, a, "acme", "x"); err == nil || isLoginRequired(err) {
		t.Errorf("after a failed Reload: %v, %v", h, err)
	}
	if err := os.RemoveAll(home); err != nil { // in case the failed attempts created it
		t.Fatal(err)
	}
	if err := os.Rename(home+".away", home); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, a, "acme", "x", "Bearer ak-1")
}

func TestReload(t *testing.T) {
	p := newProfile(t)
	a, other := p.open(t), p.open(t)
	now := time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	a.Now = func() time.Time { return now }
	_, err := apply(t, a, "acme", "x")
	wantLoginRequired(t, err, "acme", "x", auth.ReasonMissing)
	login(t, other, "acme", "x", "ak-1")
	_, err = apply(t, a, "acme", "x")
	wantLoginRequired(t, err, "acme", "x", auth.ReasonMissing) // remembered for a second
	if err := a.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, a, "acme", "x", "Bearer ak-1")

	if _, err := other.Logout(t.Context(), "acme", "x"); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, a, "acme", "x", "Bearer ak-1") // still cached
	if err := a.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = apply(t, a, "acme", "x")
	wantLoginRequired(t, err, "acme", "x", auth.ReasonMissing)

	login(t, other, "acme", "x", "ak-2")
	now = now.Add(time.Second)
	wantApplied(t, a, "acme", "x", "Bearer ak-2") // without Reload, a second later
}

func TestReloadUsesNewDefinitions(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "x", "ak-1")
	changed := `{"schema_version":1,"name":"acme","display_name":"Acme","auth_type":"api_key","flow":"api_key","host_url":"https://api.acme.test/v1","api_key":{"header_prefix":"Token"}}`
	replace(t, a, changed)
	wantApplied(t, a, "acme", "x", "Bearer ak-1")
	accept(t, a, "acme", "x")
	wantApplied(t, a, "acme", "x", "Token ak-1")
}

func TestMissingDefinition(t *testing.T) {
	a := newAuth(t)
	login(t, a, "git", "x", "ak-1")
	login(t, a, "acme", "x", "ak-1")
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	a.UseProviders(set)
	if err := a.Reload(t.Context()); err != nil {
		t.Fatalf("Reload fails because one connection has no definition: %v", err)
	}
	_, err = apply(t, a, "git", "x")
	if _, ok := errors.AsType[*providers.NotFoundError](err); !ok {
		t.Errorf("error %v", err)
	}
	wantConnections(t, a, "acme/x (default)", "git/x (default)")
	if _, err := a.Logout(t.Context(), "git", "x"); err != nil {
		t.Errorf("logout without a definition: %v", err)
	}
}

func TestCancelledRequestDoesNotCancelLoad(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "x", "ak-1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := http.NewRequest("GET", "https://api.acme.test/v1/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Apply(ctx, r, "acme", "x"); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	wantApplied(t, a, "acme", "x", "Bearer ak-1")
	if err := a.Apply(ctx, r, "acme", "x"); err != nil {
		t.Errorf("a cancelled request with a cached credential: %v", err)
	}
}

// BenchmarkApplyMarked measures what the proxy does for each request, with a fresh
// credential.
func BenchmarkApplyMarked(b *testing.B) {
	for _, bench := range []struct{ name, hosts, url string }{
		{"one host", `"api.acme.test"`, "https://api.acme.test/v1/x"},
		{"twenty hosts", manyHosts, "https://h19.acme.test/v1/x"},
		{"wildcard", `"*.acme.test"`, "https://api.acme.test/v1/x"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			p := newProfile(b)
			p.install(b, `{"schema_version":2,"name":"wide","display_name":"Wide","flows":["api_key"],"hosts":[`+bench.hosts+`],
				"params":[{"name":"api_key","secret":true}],"inject":[{"in":"header","name":"Authorization","value":"Bearer {api_key}"}]}`)
			a := p.open(b)
			login(b, a, "wide", "x", "ak-1")
			r, err := http.NewRequest("GET", bench.url, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := a.ApplyMarked(b.Context(), r, "wide", "x"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// manyHosts is the hosts member of a definition with twenty hosts.
var manyHosts = func() string {
	var hosts []string
	for i := range 20 {
		hosts = append(hosts, fmt.Sprintf(`"h%d.acme.test"`, i))
	}
	return strings.Join(hosts, ",")
}()
