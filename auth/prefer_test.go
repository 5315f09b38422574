package auth_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/routing"
)

// sharing are providers with the same hosts, as a service has that can be used in two
// ways, and one whose hosts are those of its connections.
var sharing = []string{
	key("app", `["api.one.test","up.one.test"]`), key("token", `["api.one.test","only.one.test"]`), key("third", `["api.one.test"]`), key("wild", `["*.wild.test"]`), key("wilder", `["*.wild.test"]`),
	key("own", `["{base_url}"]`),
}

func key(name, hosts string) string {
	return `{"schema_version":2,"name":"` + name + `","flows":["api_key"],"params":[{"name":"api_key","secret":true}],"hosts":` + hosts + `}`
}

func newSharing(t *testing.T) *profile {
	t.Helper()
	p := newProfile(t)
	for _, d := range sharing {
		p.install(t, d)
	}
	return p
}

// table is the routing table of the profile.
func table(t *testing.T, a *auth.Auth) *routing.Table {
	t.Helper()
	all, err := a.Connections(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var bindings []routing.Binding
	for _, c := range all {
		b, err := a.Binding(c)
		if err != nil {
			t.Fatal(err)
		}
		bindings = append(bindings, b)
	}
	preferred, err := a.Preferences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	table, err := routing.New(bindings, routing.Options{Prefer: preferred})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// wantServed checks who serves hosts, in pairs of a host and a connection, or of what
// can be chosen if the requests are refused.
func wantServed(t *testing.T, a *auth.Auth, pairs ...string) {
	t.Helper()
	served := table(t, a)
	for i := 0; i < len(pairs); i += 2 {
		d := served.Request("GET", pairs[i], 443, "/")
		got := d.Provider + "/" + d.Connection
		if d.Action != routing.Inject {
			got = strings.Join(d.Choices, " or ")
		}
		if got != pairs[i+1] {
			t.Errorf("%s is served by %q (%s), want %q", pairs[i], got, d.Reason, pairs[i+1])
		}
	}
}

func wantPreferred(t *testing.T, a *auth.Auth, want ...string) {
	t.Helper()
	found, err := a.Preferences(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, host := range slices.Sorted(maps.Keys(found)) {
		got = append(got, host+" "+found[host].String())
	}
	if !slices.Equal(got, want) {
		t.Errorf("preferred: %q, want %q", got, want)
	}
}

// loginAt logs in to the provider own with a base URL.
func loginAt(t *testing.T, a *auth.Auth, name, baseURL string, force bool) {
	t.Helper()
	if _, err := a.Login(t.Context(), auth.LoginRequest{Provider: "own", Connection: name, BaseURL: baseURL, Force: force, Obtain: obtainKey("k-" + name)}); err != nil {
		t.Fatal(err)
	}
}

// A connection that is stored, in whatever way, takes no requests from the one that
// served them before, and makes none ambiguous.
func TestTheOneThatServesKeepsServing(t *testing.T) {
	p := newSharing(t)
	a := p.open(t)
	login(t, a, "app", "x", "k")
	login(t, a, "token", "x", "k")
	wantServed(t, a, "api.one.test", "app/x", "up.one.test", "app/x", "only.one.test", "token/x")
	wantPreferred(t, a, "api.one.test app")
	login(t, a, "third", "x", "k")
	wantServed(t, a, "api.one.test", "app/x")

	login(t, a, "wilder", "x", "k")
	from := p.openAs(t, "other")
	login(t, from, "wild", "x", "k")
	for _, transfer := range []func() (auth.Connection, error){
		func() (auth.Connection, error) {
			return from.Copy(t.Context(), auth.Transfer{Provider: "wild", To: a, As: "y"})
		},
		func() (auth.Connection, error) { return from.Move(t.Context(), auth.Transfer{Provider: "wild", To: a}) },
	} {
		if _, err := transfer(); err != nil {
			t.Fatal(err)
		}
		wantServed(t, a, "x.wild.test", "wilder/x")
	}
	wantPreferred(t, a, "*.wild.test wilder", "api.one.test app")
	wantPreferred(t, from)

	// An accepted definition can add hosts.
	login(t, a, "git", "x", "k")
	p.install(t, key("git", `["git.test","only.one.test"]`))
	a.UseProviders(p.set)
	accept(t, a, "git", "x")
	wantServed(t, a, "only.one.test", "token/x", "git.test", "git/x")
}

// The same holds for connections of one provider.
func TestKeepsServingWithinAProvider(t *testing.T) {
	a := newSharing(t).open(t)
	loginAt(t, a, "a", "https://a.test", false)
	loginAt(t, a, "b", "https://b.test", false)
	wantPreferred(t, a)
	loginAt(t, a, "b2", "https://b.test", false)
	wantServed(t, a, "a.test", "own/a", "b.test", "own/b")
	wantPreferred(t, a, "b.test own=b")
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "own", Connection: "b", To: a, As: "renamed"}); err != nil {
		t.Fatal(err)
	}
	wantServed(t, a, "b.test", "own/renamed")
	if _, err := a.Logout(t.Context(), "own", "renamed"); err != nil {
		t.Fatal(err)
	}
	wantPreferred(t, a)
	wantServed(t, a, "b.test", "own/b2")
	loginAt(t, a, "a", "https://b.test", true) // the default connection serves what it covers
	wantServed(t, a, "b.test", "own/a")
	wantPreferred(t, a)

	// A choice of the user is not undone.
	if err := a.SetDefault(t.Context(), "own", "b2"); err != nil {
		t.Fatal(err)
	}
	wantServed(t, a, "b.test", "own/b2")
	wantPreferred(t, a)
}

func TestPrefer(t *testing.T) {
	a := newSharing(t).open(t)
	ctx := t.Context()
	wantLoginRequired(t, a.Prefer(ctx, routing.Choice{Provider: "token"}, "api.one.test"), "token", "", auth.ReasonMissing)
	login(t, a, "app", "x", "k")
	login(t, a, "token", "x", "k")
	wantLoginRequired(t, a.Prefer(ctx, routing.Choice{Provider: "token", Connection: "y"}, "api.one.test"), "token", "y", auth.ReasonMissing)
	wantPreferred(t, a, "api.one.test app")
	generation, err := a.Vault.Generation()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Prefer(ctx, routing.Choice{Provider: "token"}, "api.one.test", "up.one.test"); err != nil {
		t.Fatal(err)
	}
	wantServed(t, a, "api.one.test", "token/x", "up.one.test", "app/x") // only app covers up.one.test
	if now, err := a.Vault.Generation(); err != nil || now == generation {
		t.Errorf("generation %d, %v: running proxies would not notice", now, err)
	}

	// It lasts across new logins of both, and other changes.
	for _, provider := range []string{"app", "token"} {
		if _, err := a.Login(ctx, auth.LoginRequest{Provider: provider, Connection: "x", Force: true, Obtain: obtainKey("k2")}); err != nil {
			t.Fatal(err)
		}
	}
	login(t, a, "app", "y", "k")
	login(t, a, "token", "y", "k")
	if err := a.SetDefault(ctx, "token", "y"); err != nil {
		t.Fatal(err)
	}
	wantServed(t, a, "api.one.test", "token/y")
}

// A preference ends with the connection, so that it neither leaves requests without one
// nor takes them from the one that served them in the meantime.
func TestPreferenceEndsWithTheConnection(t *testing.T) {
	for name, remove := range map[string]func(a *auth.Auth) error{
		"logout": func(a *auth.Auth) error { _, err := a.Logout(t.Context(), "token", "x"); return err },
		"remove": func(a *auth.Auth) error { return a.Remove(t.Context(), "token") },
		"revoke": func(a *auth.Auth) error { _, err := a.Revoke(t.Context(), "token"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			a := newSharing(t).open(t)
			login(t, a, "app", "x", "k")
			login(t, a, "token", "x", "k")
			if err := a.Prefer(t.Context(), routing.Choice{Provider: "token"}, "api.one.test"); err != nil {
				t.Fatal(err)
			}
			if err := remove(a); err != nil {
				t.Fatal(err)
			}
			wantServed(t, a, "api.one.test", "app/x")
			wantPreferred(t, a)
			login(t, a, "token", "x", "k")
			wantServed(t, a, "api.one.test", "app/x")
		})
	}
}

// Accepting a definition that changes the hosts makes no connection of the provider
// preferred: all of them change at once.
func TestAcceptKeepsTheDefault(t *testing.T) {
	p := newSharing(t)
	a := p.open(t)
	login(t, a, "app", "x", "k")
	login(t, a, "app", "y", "k")
	if err := a.SetDefault(t.Context(), "app", "y"); err != nil {
		t.Fatal(err)
	}
	p.install(t, key("app", `["new.one.test"]`))
	a.UseProviders(p.set)
	d, err := a.InForce("app")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Accept(t.Context(), "app", []string{"x", "y"}, d); err != nil {
		t.Fatal(err)
	}
	wantServed(t, a, "new.one.test", "app/y")
	wantPreferred(t, a)
}

// Connections that an older version stored side by side stay ambiguous: nobody has chosen.
func TestAmbiguityOfAnOlderVersion(t *testing.T) {
	p := newSharing(t)
	a := p.open(t)
	for _, provider := range []string{"app", "token"} {
		putRecord(t, a, "profile:default:"+provider+":connection:x", `{"schema_version":2,"status":"connected","auth_type":"api_key","api_key":"k"}`)
	}
	wantServed(t, a, "api.one.test", "app or token")
	login(t, a, "third", "x", "k")
	wantServed(t, a, "api.one.test", "app or third or token")
	wantPreferred(t, a)
}

// Members that a newer version stored are kept.
func TestUnknownMembersOfPreferences(t *testing.T) {
	a := newSharing(t).open(t)
	login(t, a, "app", "x", "k")
	login(t, a, "token", "x", "k")
	putRecord(t, a, "profile:default:preferences", `{"schema_version":3,"hosts":{"api.one.test":{"provider":"app","why":"first"},"z.test":{"provider":"app"}},"later":1}`)
	if err := a.Prefer(t.Context(), routing.Choice{Provider: "token"}, "z.test"); err != nil {
		t.Fatal(err)
	}
	const want = `{"hosts":{"api.one.test":{"provider":"app","why":"first"},"z.test":{"provider":"token"}},"later":1,"profile":"default","schema_version":3}`
	if got := storedRecord(t, a, "profile:default:preferences"); got != want {
		t.Errorf("stored %s", got)
	}
}
