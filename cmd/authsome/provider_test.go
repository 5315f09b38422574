package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// provider is an API with its authorization server.
type provider struct {
	*service
	endpoint *httptest.Server

	mu       sync.Mutex // guards all below
	tokens   int
	alive    string // the access token that the API accepts
	refresh  string // the refresh token that is valid; with "" all are refused
	life     int    // how long new tokens are valid, in seconds
	down     bool
	requests int // for tokens
	revoked  []string
}

const (
	providerAccess  = "access-canary-2b1f8d7e"
	providerRefresh = "refresh-canary-9c3e5a40"
	providerClient  = "client-canary-77aa01bc"
)

func startProvider(t *testing.T) *provider {
	t.Helper()
	authority, err := ca.New(ca.Options{CommonName: "service authority"})
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{service: &service{host: "api.live.test", ca: filepath.Join(t.TempDir(), "ca.pem")}, life: 3600}
	if err := os.WriteFile(p.ca, authority.CertificatePEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	api := &http.Server{
		TLSConfig: &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) }},
		Handler:   http.HandlerFunc(p.serveAPI),
	}
	go api.ServeTLS(l, "", "")
	t.Cleanup(func() { api.Close() })
	p.endpoint = httptest.NewServer(http.HandlerFunc(p.serveToken))
	t.Cleanup(p.endpoint.Close)
	return p
}

func (p *provider) serveAPI(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.alive == "" || r.Header.Get("Authorization") != "Bearer "+p.alive {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	fmt.Fprint(w, "fine")
}

func (p *provider) serveToken(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.URL.Path == "/revoke" {
		if p.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		p.revoked = append(p.revoked, r.FormValue("token"))
		return
	}
	p.requests++
	w.Header().Set("Content-Type", "application/json")
	switch {
	case p.down:
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case p.refresh == "" || r.FormValue("refresh_token") != p.refresh || r.FormValue("client_secret") != providerClient:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"no such %s"}`, r.FormValue("refresh_token"))
		return
	}
	p.next()
	json.NewEncoder(w).Encode(map[string]any{"access_token": p.alive, "refresh_token": p.refresh, "token_type": "Bearer", "expires_in": p.life})
}

// next replaces the valid tokens.
func (p *provider) next() {
	p.tokens++
	p.alive, p.refresh = fmt.Sprint(providerAccess, "-", p.tokens), fmt.Sprint(providerRefresh, "-", p.tokens)
}

// set changes fields of p.
func (p *provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

// asked returns how often the program requested a token.
func (p *provider) asked() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.requests
}

// logIn stores a connection whose access token expires at end, as a login in another
// terminal does.
func (p *provider) logIn(b *bench, end time.Time) {
	b.t.Helper()
	custom := filepath.Join(b.home, "providers")
	definition := fmt.Sprintf(`{"schema_version":2,"name":"live","display_name":"Live","flows":["pkce"],"hosts":["api.live.test"],
		"oauth":{"authorization_url":"%[1]s/authorize","token_url":"%[1]s/token","revocation":{"url":"%[1]s/revoke"}}}`, p.endpoint.URL)
	if _, err := providers.Install(custom, []byte(definition), true); err != nil {
		b.t.Fatal(err)
	}
	set, err := providers.Load(custom)
	if err != nil {
		b.t.Fatal(err)
	}
	key, err := vault.EnsureMasterKey(filepath.Join(b.home, "master.key"))
	if err != nil {
		b.t.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(b.home, "profiles", "default"), key)
	if err != nil {
		b.t.Fatal(err)
	}
	p.mu.Lock()
	p.next()
	token := flows.Token{AccessToken: secret.New(p.alive), RefreshToken: secret.New(p.refresh), TokenType: "Bearer", ExpiresAt: end}
	p.mu.Unlock()
	a := &auth.Auth{Vault: v, Providers: set, Profile: "default"}
	_, err = a.Login(b.t.Context(), auth.LoginRequest{Provider: "live", Force: true,
		Obtain: func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
			return flows.Obtained{Token: token, Flow: providers.FlowPKCE, Client: flows.Client{ID: "me", Secret: secret.New(providerClient)}}, nil
		}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// age changes the time at which the stored token was obtained.
func (p *provider) age(b *bench, obtained string) {
	b.t.Helper()
	key, err := vault.EnsureMasterKey(filepath.Join(b.home, "master.key"))
	if err != nil {
		b.t.Fatal(err)
	}
	v, err := vault.Open(filepath.Join(b.home, "profiles", "default"), key)
	if err != nil {
		b.t.Fatal(err)
	}
	err = v.Update(b.t.Context(), func(tx *vault.Tx) error {
		const name = "profile:default:live:connection:default"
		value, err := tx.Get(name)
		if err != nil {
			return err
		}
		var record map[string]any
		if err := json.Unmarshal(value, &record); err != nil {
			return err
		}
		record["obtained_at"] = obtained
		if value, err = json.Marshal(record); err != nil {
			return err
		}
		return tx.Put(name, value)
	})
	if err != nil {
		b.t.Fatal(err)
	}
}
