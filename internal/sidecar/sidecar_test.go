package sidecar

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

const definition = `{"schema_version": 2, "name": "acme", "flows": ["api_key"], "base_url": "https://one.acme.test", "hosts": ["{base_url}"],
	"params": [{"name": "api_key", "secret": true}]}`

// life is a sidecar with a real vault, and a second process's view of it.
type life struct {
	*Sidecar
	other *auth.Auth
	dir   string
}

func start(t *testing.T) *life {
	t.Helper()
	dir := t.TempDir()
	custom := filepath.Join(dir, "providers")
	if _, err := providers.Install(custom, []byte(definition), false); err != nil {
		t.Fatal(err)
	}
	set, err := providers.Load(custom)
	if err != nil {
		t.Fatal(err)
	}
	key, err := masterKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *auth.Auth {
		v, err := vault.Open(filepath.Join(dir, "profile"), key)
		if err != nil {
			t.Fatal(err)
		}
		return &auth.Auth{Vault: v, Providers: set, Profile: "default"}
	}
	own := open()
	l := &life{other: open(), dir: dir}
	l.login(t, "https://one.acme.test", "first", false)
	authority, err := ca.New(ca.Options{CommonName: "test"})
	if err != nil {
		t.Fatal(err)
	}
	l.Sidecar = &Sidecar{
		Auth: own, Vault: own.Vault, Providers: func() (*providers.Set, error) { return providers.Load(custom) },
		Authority: authority, Proxy: &intercept.Proxy{}, Metrics: metrics.New(prometheus.NewRegistry()), Profile: "default",
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(t.Context(), listener); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.Drain(ctx); err != nil {
			t.Error(err)
		}
	})
	return l
}

// masterKey reads the master key of a home, which the first call creates.
func masterKey(home string) (*vault.MasterKey, error) {
	return (&vault.Keeper{
		Home:   home,
		Places: func() (vault.Places, error) { return vault.Places{Place: vault.Place{Mode: vault.ModeLocalKey}}, nil },
		Vaults: func() ([]string, error) { return nil, nil },
	}).Load()
}

// login is another process's.
func (l *life) login(t *testing.T, baseURL, key string, force bool) {
	t.Helper()
	obtain := func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
		return flows.Obtained{Values: providers.Values{"api_key": secret.New(key)}, Flow: providers.FlowAPIKey}, nil
	}
	if _, err := l.other.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "default", BaseURL: baseURL, Force: force, Obtain: obtain}); err != nil {
		t.Fatal(err)
	}
}

// apply is the credential that a request to host gets.
func (l *life) apply(t *testing.T, host string) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = credentials{l.Sidecar}.Apply(t.Context(), r, "acme", "default")
	return r.Header.Get("Authorization"), err
}

// reload does now what the sidecar does by itself when the vault's generation moves.
func (l *life) reload(t *testing.T) {
	t.Helper()
	if err := l.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func wantRefusal(t *testing.T, err error, code intercept.Code) {
	t.Helper()
	if r, ok := errors.AsType[*intercept.Refusal](err); !ok || r.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

// What another process writes is served, and what it takes away is refused: a
// route never disappears while the process lives.
func TestReload(t *testing.T) {
	l := start(t)
	if got, err := l.apply(t, "one.acme.test"); got != "Bearer first" || err != nil {
		t.Errorf("at first: %q, %v", got, err)
	}
	l.login(t, "https://two.acme.test", "second", true)
	l.reload(t)
	if got, err := l.apply(t, "two.acme.test"); got != "Bearer second" || err != nil {
		t.Errorf("after a login: %q, %v", got, err)
	}
	if got, err := l.apply(t, "one.acme.test"); got != "" {
		t.Errorf("the host before got %q", got)
	} else {
		wantRefusal(t, err, intercept.CodeVaultUnavailable)
	}
	if _, err := l.other.Logout(t.Context(), "acme", "default"); err != nil {
		t.Fatal(err)
	}
	l.reload(t)
	got, err := l.apply(t, "two.acme.test")
	if wantRefusal(t, err, intercept.CodeLoginRequired); got != "" {
		t.Errorf("after the logout: %q", got)
	}
	if d := l.Table().Request(http.MethodGet, "two.acme.test", 443, "/"); d.Reason != routing.LoginRequired {
		t.Errorf("after the logout the route is %s", d.Reason)
	}
}

// While the vault cannot be read, nothing is served from memory, and all is well
// again when it can.
func TestUnreadableVaultServesNothing(t *testing.T) {
	l := start(t)
	path := filepath.Join(l.dir, "profile", "generation")
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reload(t.Context()); err == nil {
		t.Error("it was reloaded")
	}
	got, err := l.apply(t, "one.acme.test")
	if wantRefusal(t, err, intercept.CodeVaultUnavailable); got != "" {
		t.Errorf("served %q", got)
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	l.reload(t)
	if got, err := l.apply(t, "one.acme.test"); got != "Bearer first" || err != nil {
		t.Errorf("later: %q, %v", got, err)
	}
}

// The stored authority is made once, and its certificate is put back where it is
// missing.
func TestStoredAuthorityLasts(t *testing.T) {
	l := start(t)
	path := filepath.Join(l.dir, "ca.pem")
	first, err := StoredAuthority(t.Context(), l.Vault, path, ca.Options{CommonName: "lasting"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	again, err := StoredAuthority(t.Context(), l.other.Vault, path, ca.Options{CommonName: "another"})
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil || string(written) != string(first.CertificatePEM()) || string(again.CertificatePEM()) != string(written) {
		t.Errorf("another certificate, or none: %v", err)
	}
}
