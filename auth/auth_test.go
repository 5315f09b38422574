package auth_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
)

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

	if result, err := a.Logout(ctx, "acme", ""); err != nil || result.Connection != "c" || !errors.Is(result.Remote, flows.ErrNoRevocation) {
		t.Errorf("logged out of %+v, %v", result, err)
	}
	wantConnections(t, a, "acme/a", "acme/b")
	_, err = a.Default(ctx, "acme")
	several, ok := errors.AsType[*auth.NoDefaultError](err)
	if !ok || cmp.Diff([]string{"a", "b"}, several.Connections) != "" {
		t.Errorf("error %v, want one that names a and b", err)
	}
	if _, err := apply(t, a, "acme", ""); !lacksDefault(err) {
		t.Errorf("Apply without a default: %v", err)
	}
	if _, err := a.Logout(ctx, "acme", ""); !lacksDefault(err) {
		t.Errorf("Logout without a default: %v", err)
	}
	if _, err := a.Logout(ctx, "acme", "a"); err != nil {
		t.Fatal(err)
	}
	wantDefault("b") // the only one
	login(t, a, "acme", "d", "ak-d")
	wantConnections(t, a, "acme/b (default)", "acme/d") // the one that was used stays the default
	for _, name := range []string{"b", "d"} {
		if _, err := a.Logout(ctx, "acme", name); err != nil {
			t.Fatal(err)
		}
	}
	login(t, a, "acme", "e", "ak-e")
	wantDefault("e")
	wantConnections(t, a, "acme/e (default)")
	_, err = a.Logout(ctx, "acme", "b")
	wantLoginRequired(t, err, "acme", "b", auth.ReasonMissing)
}

func TestRemove(t *testing.T) {
	a := newAuth(t)
	for _, provider := range []string{"git", "acme"} {
		login(t, a, provider, "one", "ak-1")
		login(t, a, provider, "two", "ak-2")
	}
	putRecord(t, a, "profile:default:git:client", `{"client_id":"x"}`)
	putRecord(t, a, "profile:default:gith:client", `{"client_id":"y"}`)
	putRecord(t, a, "profile:default:git:state", `{}`)
	wantApplied(t, a, "git", "one", "Bearer ak-1")
	for range 2 {
		if err := a.Remove(t.Context(), "git"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := apply(t, a, "git", "one")
	wantLoginRequired(t, err, "git", "one", auth.ReasonMissing)
	wantConnections(t, a, "acme/one (default)", "acme/two")
	for _, kind := range []string{"client", "state", "metadata", "connection:one"} {
		if got := storedRecord(t, a, "profile:default:git:"+kind); got != "" {
			t.Errorf("%s was not deleted: %s", kind, got)
		}
	}
	if storedRecord(t, a, "profile:default:gith:client") == "" {
		t.Error("the client of gith was deleted with git")
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
	putRecord(t, a, "profile:default:gith:client", `{"client_id":"y"}`)
	putRecord(t, a, "profile:default:raw:client", `{"client_id":"y"}`)
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
		putRecord(t, a, "profile:default:"+provider+":connection:one", `{"status":"revoked","api_key":"ak-1"}`)
	}
	want["acme"], want["raw"] = auth.StateAvailable, auth.StateConfigured
	got, err = a.States(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("states after a revocation %v (-want +got):\n%s", err, diff)
	}
}

func TestProfilesAreSeparate(t *testing.T) {
	one := newAuth(t)
	// Even in one vault, and if one profile's name begins with the other's.
	two := &auth.Auth{Vault: one.Vault, Providers: one.Providers, Profile: "default2"}
	login(t, one, "acme", "work", "ak-one")
	wantConnections(t, two)
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
	wantConnections(t, one, "acme/work (default)")
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

func TestSecretsAreNotPrinted(t *testing.T) {
	a := newAuth(t)
	putRecord(t, a, "profile:default:acme:connection:x", `{"status":"connected","auth_type":"api_key","api_key":"`+canary+`","fields":{"f":"`+canary+
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
					err != nil && !isLoginRequired(err) {
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
			t.Errorf("%v was applied after a logout and Reload", h)
		}
	}
	writers.Wait()
	close(stop)
	readers.Wait()
}

// Connections are sorted by provider, also if the name of one begins with that of another.
func TestConnectionsAreSorted(t *testing.T) {
	p := newProfile(t)
	p.install(t, strings.Replace(definitions[2], `"name":"git"`, `"name":"git-pat"`, 1))
	a := p.open(t)
	for _, provider := range []string{"git-pat", "git"} {
		login(t, a, provider, "y", "k")
		login(t, a, provider, "x", "k")
	}
	wantConnections(t, a, "git/x", "git/y (default)", "git-pat/x", "git-pat/y (default)")
}
