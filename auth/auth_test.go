package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

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

// definitions that the tests use; git and github are there because one name
// begins with the other.
var definitions = []string{
	`{"schema_version":1,"name":"acme","display_name":"Acme","auth_type":"api_key","flow":"api_key","host_url":"https://api.acme.test/v1","api_key":{}}`,
	`{"schema_version":1,"name":"raw","display_name":"Raw","auth_type":"api_key","flow":"api_key","host_url":"raw.test","api_key":{"header_name":"X-Api-Key","header_prefix":"","key_pattern":"ak-.+"}}`,
	`{"schema_version":1,"name":"git","display_name":"Git","auth_type":"api_key","flow":"api_key","host_url":"git.test","api_key":{}}`,
	`{"schema_version":1,"name":"gith","display_name":"Gith","auth_type":"oauth2","flow":"pkce","host_url":"api.gith.test",
		"oauth":{"authorization_url":"https://gith.test/authorize","token_url":"https://api.gith.test/login/token"}}`,
	oauth("oau", `"flows":["pkce"]`, ``),
	oauth("dead", `"flows":["pkce"]`, `"refresh_invalidates_access":true`),
	oauth("reuse", `"flows":["pkce"]`, `"refresh_reusable":true`),
	oauth("again", `"flows":["client_credentials"]`, ``),
}

// oauth is a definition whose tokens can be renewed.
func oauth(name, flows, more string) string {
	if more != "" {
		more += ","
	}
	return fmt.Sprintf(`{"schema_version":2,"name":%[1]q,"display_name":%[1]q,%[2]s,"hosts":["api.%[1]s.test"],
		"oauth":{%[3]s"authorization_url":"https://%[1]s.test/authorize","token_url":"https://%[1]s.test/token"}}`, name, flows, more)
}

// profile is a profile's directory with a master key, as it is on a disk.
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

// open opens the profile, as each process does for itself.
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

// obtainFunc is the flow of a login.
type obtainFunc = func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error)

// given is the flow of a user who has a key.
func given(key string) obtainFunc {
	return func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
		return flows.Obtained{Values: providers.Values{"api_key": secret.New(key)}, Flow: providers.FlowAPIKey}, nil
	}
}

func login(tb testing.TB, a *auth.Auth, provider, name, key string) auth.Connection {
	tb.Helper()
	c, err := a.Login(tb.Context(), auth.LoginRequest{Provider: provider, Connection: name, Obtain: given(key)})
	if err != nil {
		tb.Fatalf("login %s/%s: %v", provider, name, err)
	}
	return c
}

// apply is what Apply leaves in the header.
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
	if !ok || got.Provider != provider || got.Connection != name || got.Reason != reason || !errors.Is(err, auth.ErrLoginRequired) {
		tb.Errorf("error %v, want %v", err, want)
	}
}

// raw is a record as the vault has it, in canonical form, or "".
func raw(tb testing.TB, a *auth.Auth, key string) string {
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

func put(tb testing.TB, a *auth.Auth, key, value string) {
	tb.Helper()
	if err := a.Vault.Update(tb.Context(), func(tx *vault.Tx) error { return tx.Put(key, []byte(value)) }); err != nil {
		tb.Fatal(err)
	}
}

func names(tb testing.TB, a *auth.Auth) []string {
	tb.Helper()
	all, err := a.Connections(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	list := []string{}
	for _, c := range all {
		name := c.Provider + "/" + c.Name
		if c.Default {
			name += " (default)"
		}
		list = append(list, name)
	}
	return list
}

func wantNames(tb testing.TB, a *auth.Auth, want ...string) {
	tb.Helper()
	if diff := cmp.Diff(want, names(tb, a), cmpopts.EquateEmpty()); diff != "" {
		tb.Errorf("connections (-want +got):\n%s", diff)
	}
}

func TestLogin(t *testing.T) {
	a := newAuth(t)
	at := time.Date(2026, 7, 1, 10, 0, 0, 0, time.FixedZone("", 3600))
	a.Now = func() time.Time { return at }
	made := login(t, a, "acme", "", "ak-1")
	if made.Name != "default" || !made.Default || made.Status != auth.StatusConnected || made.AuthType != "api_key" || made.APIKey.Reveal() != "ak-1" {
		t.Errorf("made %+v", made)
	}
	want := `{"api_key":"ak-1","auth_type":"api_key","connection_name":"default","flow":"api_key","obtained_at":"2026-07-01T09:00:00Z","profile":"default","provider":"acme","schema_version":2,"status":"connected"}`
	if got := raw(t, a, "profile:default:acme:connection:default"); got != want {
		t.Errorf("record\n%s\nwant\n%s", got, want)
	}
	want = `{"connection_names":["default"],"default_connection":"default","profile":"default","provider":"acme","schema_version":2}`
	if got := raw(t, a, "profile:default:acme:metadata"); got != want {
		t.Errorf("metadata\n%s\nwant\n%s", got, want)
	}
	wantApplied(t, a, "acme", "default", "Bearer ak-1")
	wantApplied(t, a, "acme", "", "Bearer ak-1")

	found, err := a.Connection(t.Context(), "acme", "")
	if err != nil || !found.APIKey.Equal(made.APIKey) || !found.ObtainedAt.Equal(at) || !found.Default {
		t.Errorf("found %+v, %v", found, err)
	}

	login(t, a, "raw", "work", "ak-2")
	h, err := apply(t, a, "raw", "work")
	if err != nil || h.Get("X-Api-Key") != "ak-2" {
		t.Errorf("header %v, %v", h, err)
	}
}

func TestLoginDoesNotReplaceUnasked(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "work", "ak-1")
	asked := 0
	again := auth.LoginRequest{Provider: "acme", Connection: "work", Obtain: func(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
		asked++
		return given("ak-2")(ctx, d, known)
	}}
	_, err := a.Login(t.Context(), again)
	connected, ok := errors.AsType[*auth.ConnectedError](err)
	if !ok || connected.Provider != "acme" || connected.Connection != "work" || !errors.Is(err, auth.ErrConnected) || asked != 0 {
		t.Errorf("error %v, asked %d times", err, asked)
	}
	// The connection may appear while the user is typing.
	_, err = a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "late", Obtain: func(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
		if _, err := a.Login(ctx, auth.LoginRequest{Provider: "acme", Connection: "late", Obtain: given("ak-first")}); err != nil {
			return flows.Obtained{}, err
		}
		return given("ak-second")(ctx, d, known)
	}})
	if !errors.Is(err, auth.ErrConnected) {
		t.Errorf("error %v for a connection that appeared meanwhile", err)
	}
	wantApplied(t, a, "acme", "late", "Bearer ak-first")
	wantApplied(t, a, "acme", "work", "Bearer ak-1")
	again.Force = true
	if _, err := a.Login(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, a, "acme", "work", "Bearer ak-2")
	wantNames(t, a, "acme/late", "acme/work (default)")
}

func TestLoginErrors(t *testing.T) {
	a := newAuth(t)
	for name, test := range map[string]struct {
		request auth.LoginRequest
		check   func(error) bool
	}{
		"unknown provider": {auth.LoginRequest{Provider: "nobody"}, func(err error) bool {
			_, ok := errors.AsType[*providers.NotFoundError](err)
			return ok
		}},
		"colon in the name":   {auth.LoginRequest{Provider: "acme", Connection: "a:b"}, nil},
		"newline in the name": {auth.LoginRequest{Provider: "acme", Connection: "a\nb"}, nil},
		"base URL":            {auth.LoginRequest{Provider: "acme", BaseURL: "http://api.acme.test"}, nil},
	} {
		test.request.Obtain = given("canary-4711")
		_, err := a.Login(t.Context(), test.request)
		if err == nil || strings.Contains(err.Error(), "4711") || test.check != nil && !test.check(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	bad := auth.Connection{Provider: "acme", Name: "x", AuthType: "api_key", APIKey: secret.New("4711\r\nX-Evil: 1")}
	if _, err := a.Store(t.Context(), bad, false); err == nil || strings.Contains(err.Error(), "4711") {
		t.Errorf("a key that no header can carry: %v", err)
	}
	wantNames(t, a)
}

func TestDefault(t *testing.T) {
	a := newAuth(t)
	ctx := t.Context()
	wantDefault := func(want string) {
		t.Helper()
		if got, err := a.Default(ctx, "acme"); err != nil || got != want {
			t.Errorf("default %q, %v; want %q", got, err, want)
		}
	}
	_, err := a.Default(ctx, "acme")
	wantLoginRequired(t, err, "acme", "", auth.ReasonMissing)
	for _, name := range []string{"b", "a", "c"} {
		login(t, a, "acme", name, "ak-"+name)
	}
	wantDefault("b")
	if err := a.SetDefault(ctx, "acme", "c"); err != nil {
		t.Fatal(err)
	}
	wantDefault("c")
	wantApplied(t, a, "acme", "", "Bearer ak-c")
	wantLoginRequired(t, a.SetDefault(ctx, "acme", "nobody"), "acme", "nobody", auth.ReasonMissing)
	wantDefault("c")

	if left, err := a.Logout(ctx, "acme", ""); err != nil || left.Connection != "c" || !errors.Is(left.Remote, flows.ErrNoRevocation) {
		t.Errorf("logged out of %+v, %v", left, err)
	}
	wantNames(t, a, "acme/a", "acme/b")
	_, err = a.Default(ctx, "acme")
	several, ok := errors.AsType[*auth.NoDefaultError](err)
	if !ok || !errors.Is(err, auth.ErrNoDefault) || cmp.Diff([]string{"a", "b"}, several.Connections) != "" {
		t.Errorf("error %v, want a and b to choose from", err)
	}
	if _, err := apply(t, a, "acme", ""); !errors.Is(err, auth.ErrNoDefault) {
		t.Errorf("Apply without a default: %v", err)
	}
	if _, err := a.Logout(ctx, "acme", ""); !errors.Is(err, auth.ErrNoDefault) {
		t.Errorf("Logout without a default: %v", err)
	}
	if _, err := a.Logout(ctx, "acme", "a"); err != nil {
		t.Fatal(err)
	}
	wantDefault("b") // the only one
	login(t, a, "acme", "d", "ak-d")
	wantNames(t, a, "acme/b", "acme/d") // and that makes no default
	for _, name := range []string{"b", "d"} {
		if _, err := a.Logout(ctx, "acme", name); err != nil {
			t.Fatal(err)
		}
	}
	login(t, a, "acme", "e", "ak-e")
	wantDefault("e")
	wantNames(t, a, "acme/e (default)")
	_, err = a.Logout(ctx, "acme", "b")
	wantLoginRequired(t, err, "acme", "b", auth.ReasonMissing)
}

func TestRemove(t *testing.T) {
	a := newAuth(t)
	for _, provider := range []string{"git", "acme"} {
		login(t, a, provider, "one", "ak-1")
		login(t, a, provider, "two", "ak-2")
	}
	put(t, a, "profile:default:git:client", `{"client_id":"x"}`)
	put(t, a, "profile:default:gith:client", `{"client_id":"y"}`)
	put(t, a, "profile:default:git:state", `{}`)
	wantApplied(t, a, "git", "one", "Bearer ak-1")
	for range 2 {
		if err := a.Remove(t.Context(), "git"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := apply(t, a, "git", "one")
	wantLoginRequired(t, err, "git", "one", auth.ReasonMissing)
	wantNames(t, a, "acme/one (default)", "acme/two")
	for _, kind := range []string{"client", "state", "metadata", "connection:one"} {
		if got := raw(t, a, "profile:default:git:"+kind); got != "" {
			t.Errorf("%s is still there: %s", kind, got)
		}
	}
	if raw(t, a, "profile:default:gith:client") == "" {
		t.Error("a provider whose name begins with the other's lost its client")
	}
	for _, name := range []string{"", "acme:connection", "a:b"} {
		if err := a.Remove(t.Context(), name); err == nil {
			t.Errorf("removed %q", name)
		}
	}
}

func TestStates(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "one", "ak-1")
	login(t, a, "raw", "one", "ak-1")
	put(t, a, "profile:default:gith:client", `{"client_id":"y"}`)
	put(t, a, "profile:default:raw:client", `{"client_id":"y"}`)
	login(t, a, "git", "one", "ak-1")
	if _, err := a.Logout(t.Context(), "git", "one"); err != nil {
		t.Fatal(err)
	}
	want := map[string]auth.State{"acme": auth.StateConnected, "raw": auth.StateConnected, "gith": auth.StateConfigured, "git": auth.StateAvailable}
	got, err := a.States(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("states %v (-want +got):\n%s", err, diff)
	}
	for _, provider := range []string{"acme", "raw"} {
		if err := a.SetStatus(t.Context(), provider, "one", auth.StatusRevoked); err != nil {
			t.Fatal(err)
		}
	}
	want["acme"], want["raw"] = auth.StateAvailable, auth.StateConfigured
	got, err = a.States(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("states after a revocation %v (-want +got):\n%s", err, diff)
	}
}

func TestProfilesAreApart(t *testing.T) {
	one := newAuth(t)
	// Even in one vault, and with a name that begins with the other's.
	two := &auth.Auth{Vault: one.Vault, Providers: one.Providers, Profile: "default2"}
	login(t, one, "acme", "work", "ak-one")
	wantNames(t, two)
	_, err := apply(t, two, "acme", "work")
	wantLoginRequired(t, err, "acme", "work", auth.ReasonMissing)
	login(t, two, "acme", "work", "ak-two")
	if err := one.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, one, "acme", "work", "Bearer ak-one")
	wantApplied(t, two, "acme", "work", "Bearer ak-two")
	if err := two.Remove(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, one, "acme/work (default)")
	for _, name := range []string{"", "default:acme", "a\x00"} {
		bad := &auth.Auth{Vault: one.Vault, Providers: one.Providers, Profile: name}
		if _, err := bad.Connections(t.Context()); err == nil {
			t.Errorf("the profile %q was read", name)
		}
		if _, err := apply(t, bad, "acme", "work"); err == nil {
			t.Errorf("the profile %q was applied", name)
		}
	}
}

func TestNothingPrints(t *testing.T) {
	a := newAuth(t)
	put(t, a, "profile:default:acme:connection:x", `{"status":"connected","auth_type":"api_key","api_key":"`+canary+`","fields":{"f":"`+canary+
		`"},"later_secret":"`+canary+`","account":{"id":"me","later":"`+canary+`"}}`)
	if _, err := apply(t, a, "acme", "x"); err != nil {
		t.Fatal(err)
	}
	c, err := a.Connection(t.Context(), "acme", "x")
	if err != nil {
		t.Fatal(err)
	}
	if c.Fields["f"].Reveal() != canary || c.Account.ID != "me" {
		t.Errorf("fields %q, account %q", c.Fields["f"].Reveal(), c.Account.ID)
	}
	for _, value := range []any{a.TokenSource("acme", "x"), a.RoundTripper("acme", "x", nil)} {
		if text := fmt.Sprintf("%v %+v %#v", value, value, value); strings.Contains(text, canary) {
			t.Errorf("%T prints a secret: %s", value, text)
		}
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{c, &c, []auth.Connection{c}, map[string]auth.Connection{"c": c}} {
			if text := fmt.Sprintf(format, value); strings.Contains(text, canary) || strings.Contains(text, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s of %T prints a secret: %s", format, value, text)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	p := newProfile(t)
	a, other := p.open(t), p.open(t)
	login(t, a, "acme", "stays", "ak-stays")
	stop := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				wantApplied(t, a, "acme", "stays", "Bearer ak-stays")
				if h, err := apply(t, a, "acme", "comes"); err == nil && h.Get("Authorization") != "Bearer ak-comes" ||
					err != nil && !errors.Is(err, auth.ErrLoginRequired) {
					t.Errorf("%v, %v", h, err)
					return
				}
			}
		})
	}
	for range 5 {
		writers.Go(func() {
			if err := a.Reload(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		login(t, other, "acme", "comes", "ak-comes")
		if err := a.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		wantApplied(t, a, "acme", "comes", "Bearer ak-comes")
		if _, err := other.Logout(t.Context(), "acme", "comes"); err != nil {
			t.Error(err)
		}
		if err := a.Reload(t.Context()); err != nil {
			t.Error(err)
		}
		if h, err := apply(t, a, "acme", "comes"); err == nil {
			t.Errorf("%v was applied after the logout and Reload", h)
		}
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}
