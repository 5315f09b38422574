package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
	"github.com/authsome/authsome/vault/vaulttest"
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
	calls    int // of the API
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
	// A request is sent again only if its body was read before the 401.
	io.Copy(io.Discard, r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
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
	definition := fmt.Sprintf(`{"schema_version":2,"name":"live","display_name":"Live","flows":["pkce"],"hosts":["api.live.test"],"verify":{"url":"https://api.live.test/me"},
		"oauth":{"authorization_url":"%[1]s/authorize","token_url":"%[1]s/token","revocation":{"url":"%[1]s/revoke"}}}`, p.endpoint.URL)
	if _, err := providers.Install(custom, []byte(definition), true); err != nil {
		b.t.Fatal(err)
	}
	set, err := providers.Load(custom)
	if err != nil {
		b.t.Fatal(err)
	}
	key, err := vaulttest.MasterKey(b.home)
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

// apiClient requests the API of a provider through a proxy, and keeps the last answer.
type apiClient struct {
	t      *testing.T
	client *http.Client
	url    string

	status int
	header http.Header
	said   string // the message and the fix of a refusal
}

// get makes a request and returns its status.
func (a *apiClient) get() int {
	a.t.Helper()
	response, err := a.client.Get(a.url)
	if err != nil {
		a.t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct {
		Error struct{ Code, Message, Fix string }
	}
	json.NewDecoder(response.Body).Decode(&body)
	a.status, a.header, a.said = response.StatusCode, response.Header, body.Error.Message+" | "+body.Error.Fix
	return a.status
}

// untilStatus makes requests until one has the status.
func (a *apiClient) untilStatus(status int, what string) {
	a.t.Helper()
	eventually(a.t, what, func() bool { return a.get() == status })
}

// A proxy refreshes a token, waits while the token endpoint is down, stops after it
// refuses the token permanently, and uses a login in another terminal. No output and no
// file contains a token.
func TestProxyRefreshesTokens(t *testing.T) {
	t.Parallel()
	b, p := newBench(t), startProvider(t)
	b.run("", "init")
	p.logIn(b, time.Now().Add(-time.Second))
	p.set(func() { p.life = 2 }) // before the proxy may refresh the token by itself
	cmd, proxy, admin := b.proxy(p.flags()...)
	api := &apiClient{t: t, client: client(t, proxy, admin), url: "https://" + p.host + "/x"}
	for range 3 {
		if api.get() != 200 {
			t.Fatalf("%d %s", api.status, api.said)
		}
	}
	checkEndpointDown(t, p, api)
	checkPermanentRefusal(t, p, api)
	refusal := api.said
	metrics := checkRefusalIsReported(t, b, p, admin)
	// A login in another terminal.
	p.set(func() { p.life = 3600 })
	p.logIn(b, time.Now().Add(time.Hour))
	start := time.Now()
	api.untilStatus(200, "the login is noticed")
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("the login was noticed after %v", took)
	}
	cmd.Process.Signal(os.Interrupt)
	if err := cmd.Wait(); err != nil {
		t.Errorf("interrupt: %v\n%s", err, b.out.String())
	}
	contains(t, "audit log", b.auditLog(), `"event":"refresh","profile":"default","provider":"live","connection":"default","outcome":"ok"`,
		`"outcome":"invalid: invalid_grant"`, `"outcome":"transient"`)
	b.noLeaks(map[string]string{"metrics": metrics, "an answer": refusal}, providerAccess, providerRefresh, providerClient)
}

// checkEndpointDown lets the token expire while the token endpoint is down.
func checkEndpointDown(t *testing.T, p *provider, api *apiClient) {
	t.Helper()
	p.set(func() { p.down = true })
	api.untilStatus(503, "the token expires")
	retry := api.header.Get("Retry-After")
	if api.header.Get("X-Authsome-Error") != "refresh_unavailable" || retry == "" || retry == "0" {
		t.Errorf("while the token endpoint is down: %v %s", api.header, api.said)
	}
	if before := p.asked(); before > 0 {
		for range 20 {
			api.get()
		}
		if more := p.asked() - before; more > 1 {
			t.Errorf("%d requests to a token endpoint that sent Retry-After: 7", more)
		}
	}
}

// checkPermanentRefusal lets the token endpoint refuse the refresh token.
func checkPermanentRefusal(t *testing.T, p *provider, api *apiClient) {
	t.Helper()
	p.set(func() { p.down, p.refresh = false, "" })
	api.untilStatus(403, "the refusal is noticed")
	before := p.asked()
	header, said := api.header, api.said
	for range 5 {
		if status := api.get(); status != 403 {
			t.Errorf("status %d after a permanent refusal", status)
		}
	}
	if header.Get("X-Authsome-Error") != "login_required" || p.asked() != before {
		t.Errorf("after a permanent refusal: %v; %d more token requests", header, p.asked()-before)
	}
	contains(t, "answer after a permanent refusal", said, "authsome login live", "invalid since 20", "(invalid_grant)")
}

// checkRefusalIsReported checks that commands and metrics report a connection that
// needs a login, and returns the metrics.
func checkRefusalIsReported(t *testing.T, b *bench, p *provider, admin string) (metrics string) {
	t.Helper()
	for _, args := range [][]string{{"list", "live"}, {"get", "live"}, {"why", "https://" + p.host + "/x"}} {
		out, err := b.command(args...).Output()
		if err != nil || !strings.Contains(string(out), "invalid") {
			t.Errorf("authsome %v: %v\n%s", args, err, out)
		}
		b.Write(out)
	}
	eventually(t, "the metrics report it", func() bool {
		_, metrics = fetch(t, http.DefaultClient, "http://"+admin+"/metrics")
		return strings.Contains(metrics, `authsome_connection_unusable_since_seconds{connection="default",provider="live",status="invalid"} 1.`)
	})
	contains(t, "metrics", metrics, `authsome_refreshes_total{outcome="refreshed",provider="live"} 1`,
		`authsome_refreshes_total{outcome="transient",provider="live"}`, `authsome_refreshes_total{outcome="invalid",provider="live"} 1`)
	return metrics
}

// A token that the service no longer accepts is refreshed after the first 401, and the
// request is sent again.
func TestProxyRefreshesAfter401(t *testing.T) {
	b, p := newBench(t), startProvider(t)
	b.run("", "init")
	p.logIn(b, time.Now().Add(time.Hour))
	old := time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339)
	p.age(b, old)
	_, proxy, admin := b.proxy(p.flags()...)
	c := client(t, proxy, admin)
	p.set(func() { p.alive = "another" })
	response, err := c.Post("https://"+p.host+"/x", "text/plain", strings.NewReader("small"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 200 || p.asked() != 1 {
		t.Errorf("%d after %d refreshes", response.StatusCode, p.asked())
	}
	// If the service refuses the new token too, the proxy does not refresh again.
	p.set(func() { p.alive = "another" })
	for range 10 {
		if status, _ := fetch(t, c, "https://"+p.host+"/x"); status != 401 {
			t.Errorf("status %d for a token that was just refreshed", status)
		}
	}
	if p.asked() != 1 {
		t.Errorf("%d refreshes", p.asked())
	}
}

// Logout and revoke revoke the tokens at the provider if they can, and delete the
// connection in any case.
func TestLogoutRevokesTokens(t *testing.T) {
	b, p := newBench(t), startProvider(t)
	b.run("", "init")
	for _, test := range []struct {
		command string
		down    bool
		said    string
	}{
		{"logout", false, "live revoked the tokens of live/default"}, {"revoke", false, "live revoked the tokens of live/default"},
		{"logout", true, "live did not revoke the tokens of live/default, which may still be valid"}, {"revoke", true, "live did not revoke"},
	} {
		p.set(func() { p.down, p.revoked = test.down, nil })
		p.logIn(b, time.Now().Add(time.Hour))
		b.run("", test.command, "live")
		b.mu.Lock()
		said := b.out.String()
		b.out.Reset()
		b.mu.Unlock()
		if !strings.Contains(said, test.said) || len(leaks([]byte(said), providerAccess)) > 0 {
			t.Errorf("%s said %s", test.command, said)
		}
		if want := []string{p.refresh, p.alive}; !test.down && !slices.Equal(p.revoked, want) {
			t.Errorf("%s revoked %v, want %v", test.command, p.revoked, want)
		}
		out, err := b.command("list", "live", "--json").Output()
		if err != nil || strings.Contains(string(out), "connection_name") || strings.Contains(string(out), "configured") != (test.command == "logout") {
			t.Errorf("after %s: %v\n%s", test.command, err, out)
		}
		b.run("", "revoke", "live")
		b.out.Reset()
	}
}

// age changes the time at which the stored token was obtained.
func (p *provider) age(b *bench, obtained string) {
	b.t.Helper()
	key, err := vaulttest.MasterKey(b.home)
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
