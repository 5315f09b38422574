package sidecar

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
	"github.com/authsome/authsome/vault/vaulttest"
)

const definition = `{"schema_version": 2, "name": "acme", "flows": ["api_key"], "base_url": "https://one.acme.test", "hosts": ["{base_url}"],
	"params": [{"name": "api_key", "secret": true}]}`

// rig is a running sidecar with a real vault, which a second process uses too.
type rig struct {
	*Sidecar
	addr   string     // of the proxy
	second *auth.Auth // the second process
	dir    string
}

// start starts a sidecar; change may alter its options first.
func start(t *testing.T, change func(r *rig, o *Options)) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir()}
	custom := filepath.Join(r.dir, "providers")
	if _, err := providers.Install(custom, []byte(definition), false); err != nil {
		t.Fatal(err)
	}
	set, err := providers.Load(custom)
	if err != nil {
		t.Fatal(err)
	}
	key, err := vaulttest.MasterKey(r.dir)
	if err != nil {
		t.Fatal(err)
	}
	open := func() *auth.Auth {
		v, err := vault.Open(filepath.Join(r.dir, "profile"), key)
		if err != nil {
			t.Fatal(err)
		}
		return &auth.Auth{Vault: v, Providers: set, Profile: "default"}
	}
	first := open()
	r.second = open()
	r.login(t, "https://one.acme.test", "first", false)
	authority, err := ca.New(ca.Options{CommonName: "test"})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Auth: first, Vault: first.Vault, Providers: func() (*providers.Set, error) { return providers.Load(custom) },
		Authority: authority, Profile: "default",
	}
	if change != nil {
		change(r, &o)
	}
	r.Sidecar = New(o)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.addr = listener.Addr().String()
	if err := r.Start(t.Context(), listener); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := r.Drain(ctx); err != nil {
			t.Error(err)
		}
	})
	return r
}

// login connects acme in the second process.
func (r *rig) login(t *testing.T, baseURL, key string, force bool) {
	t.Helper()
	obtain := func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
		return flows.Obtained{Values: providers.Values{"api_key": secret.New(key)}, Flow: providers.FlowAPIKey}, nil
	}
	if _, err := r.second.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "default", BaseURL: baseURL, Force: force, Obtain: obtain}); err != nil {
		t.Fatal(err)
	}
}

// apply returns the credential that a request to host gets.
func (r *rig) apply(t *testing.T, host string) (string, error) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = credentials{r.Sidecar}.Apply(t.Context(), q, "acme", "default")
	return q.Header.Get("Authorization"), err
}

// reload does at once what the sidecar does when the vault's generation changes.
func (r *rig) reload(t *testing.T) {
	t.Helper()
	if err := r.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// until waits until the sidecar has noticed something that changed on the disk.
func (r *rig) until(t *testing.T, what string, noticed func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !noticed(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("this did not happen: %s", what)
		}
	}
}

// get sends a request through the proxy and returns the status of the response.
func (r *rig) get(t *testing.T, target string) int {
	t.Helper()
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr})}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(target)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

func wantRefusal(t *testing.T, err error, code intercept.Code) {
	t.Helper()
	if r, ok := errors.AsType[*intercept.Refusal](err); !ok || r.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}
