package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
	"github.com/authsome/authsome/vault/vaulttest"
)

const canary = "ak-canary-4d5e6f"

// definitions are the providers of the tests. The name gith begins with git, so that a
// prefix that matches too much is noticed.
var definitions = []string{
	`{"schema_version":1,"name":"acme","display_name":"Acme","auth_type":"api_key","flow":"api_key","host_url":"https://api.acme.test/v1","api_key":{}}`,
	`{"schema_version":1,"name":"raw","display_name":"Raw","auth_type":"api_key","flow":"api_key","host_url":"raw.test","api_key":{"header_name":"X-Api-Key","header_prefix":"","key_pattern":"ak-.+"}}`,
	`{"schema_version":1,"name":"git","display_name":"Git","auth_type":"api_key","flow":"api_key","host_url":"git.test","api_key":{}}`,
	`{"schema_version":1,"name":"gith","display_name":"Gith","auth_type":"oauth2","flow":"pkce","host_url":"api.gith.test",
		"oauth":{"authorization_url":"https://gith.test/authorize","token_url":"https://api.gith.test/login/token"}}`,
	oauth("oau", `"flows":["pkce"]`, ``),
	oauth("strict", `"flows":["pkce"]`, `"refresh_invalidates_access":true`),
	oauth("reuse", `"flows":["pkce"]`, `"refresh_reusable":true`),
	oauth("machine", `"flows":["client_credentials"]`, ``),
}

// oauth returns the definition of a provider whose tokens can be renewed. more are
// members of its oauth object.
func oauth(name, flows, more string) string {
	if more != "" {
		more += ","
	}
	return fmt.Sprintf(`{"schema_version":2,"name":%[1]q,"display_name":%[1]q,%[2]s,"hosts":["api.%[1]s.test"],
		"oauth":{%[3]s"authorization_url":"https://%[1]s.test/authorize","token_url":"https://%[1]s.test/token"}}`, name, flows, more)
}

// profile is a profile on disk: a directory with a vault and a master key.
type profile struct {
	dir string
	set *providers.Set
}

func newProfile(tb testing.TB) *profile {
	tb.Helper()
	dir := tb.TempDir()
	custom := filepath.Join(dir, "providers")
	for _, d := range definitions {
		if _, err := providers.Install(custom, []byte(d), false); err != nil {
			tb.Fatal(err)
		}
	}
	set, err := providers.Load(custom)
	if err != nil {
		tb.Fatal(err)
	}
	return &profile{dir, set}
}

// install adds a definition, or replaces one.
func (p *profile) install(tb testing.TB, definition string) {
	tb.Helper()
	custom := filepath.Join(p.dir, "providers")
	if _, err := providers.Install(custom, []byte(definition), true); err != nil {
		tb.Fatal(err)
	}
	set, err := providers.Load(custom)
	if err != nil {
		tb.Fatal(err)
	}
	p.set = set
}

// open opens the profile as a separate process would.
func (p *profile) open(tb testing.TB) *auth.Auth {
	tb.Helper()
	return p.openDir(tb, "profile", "default")
}

// openAs opens another profile of the same home.
func (p *profile) openAs(tb testing.TB, name string) *auth.Auth {
	tb.Helper()
	return p.openDir(tb, name, name)
}

func (p *profile) openDir(tb testing.TB, dir, name string) *auth.Auth {
	tb.Helper()
	key, err := vaulttest.MasterKey(p.dir)
	if err != nil {
		tb.Fatal(err)
	}
	home := filepath.Join(p.dir, dir)
	if err := os.MkdirAll(home, 0o700); err != nil {
		tb.Fatal(err)
	}
	v, err := vault.Open(home, key)
	if err != nil {
		tb.Fatal(err)
	}
	return &auth.Auth{Vault: v, Providers: p.set, Profile: name}
}

func newAuth(tb testing.TB) *auth.Auth {
	tb.Helper()
	return newProfile(tb).open(tb)
}

// obtainFunc is the type of [auth.LoginRequest.Obtain].
type obtainFunc = func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error)

// obtainKey returns a flow that obtains an API key.
func obtainKey(key string) obtainFunc {
	return func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
		return flows.Obtained{Values: providers.Values{"api_key": secret.New(key)}, Flow: providers.FlowAPIKey}, nil
	}
}

func login(tb testing.TB, a *auth.Auth, provider, name, key string) auth.Connection {
	tb.Helper()
	c, err := a.Login(tb.Context(), auth.LoginRequest{Provider: provider, Connection: name, Obtain: obtainKey(key)})
	if err != nil {
		tb.Fatalf("login %s/%s: %v", provider, name, err)
	}
	return c
}

// apply applies a credential to a request that has a placeholder, and returns the
// request's header.
func apply(tb testing.TB, a *auth.Auth, provider, name string) (http.Header, error) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), "GET", "https://api.acme.test/v1/x", nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer placeholder")
	err = a.Apply(tb.Context(), r, provider, name)
	return r.Header, err
}

func wantApplied(tb testing.TB, a *auth.Auth, provider, name, want string) {
	tb.Helper()
	h, err := apply(tb, a, provider, name)
	if got := h.Get("Authorization"); err != nil || got != want {
		tb.Errorf("%s/%s: Authorization %q, error %v; want %q", provider, name, got, err, want)
	}
}

func wantLoginRequired(tb testing.TB, err error, provider, name, reason string) {
	tb.Helper()
	want := &auth.LoginRequiredError{Provider: provider, Connection: name, Reason: reason}
	got, ok := errors.AsType[*auth.LoginRequiredError](err)
	if !ok || got.Provider != provider || got.Connection != name || got.Reason != reason {
		tb.Errorf("error %v, want %v", err, want)
	}
}

func isLoginRequired(err error) bool {
	_, ok := errors.AsType[*auth.LoginRequiredError](err)
	return ok
}

func lacksDefault(err error) bool {
	_, ok := errors.AsType[*auth.NoDefaultError](err)
	return ok
}

// storedRecord returns a record in canonical form, or "" if it does not exist.
func storedRecord(tb testing.TB, a *auth.Auth, key string) string {
	tb.Helper()
	var value jsontext.Value
	err := a.Vault.View(tb.Context(), func(tx *vault.Tx) error {
		data, err := tx.Get(key)
		value = jsontext.Value(data)
		return err
	})
	if errors.Is(err, vault.ErrNotFound) {
		return ""
	}
	if err == nil {
		err = value.Canonicalize()
	}
	if err != nil {
		tb.Fatalf("%s: %v", key, err)
	}
	return string(value)
}

func putRecord(tb testing.TB, a *auth.Auth, key, value string) {
	tb.Helper()
	if err := a.Vault.Update(tb.Context(), func(tx *vault.Tx) error { return tx.Put(key, []byte(value)) }); err != nil {
		tb.Fatal(err)
	}
}

// wantConnections checks the profile's connections, written as "acme/x (default)".
func wantConnections(tb testing.TB, a *auth.Auth, want ...string) {
	tb.Helper()
	all, err := a.Connections(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	var got []string
	for _, c := range all {
		name := c.Provider + "/" + c.Name
		if c.Default {
			name += " (default)"
		}
		got = append(got, name)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		tb.Errorf("connections (-want +got):\n%s", diff)
	}
}
