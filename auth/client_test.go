package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
)

// records returns all records of a profile, by key.
func records(tb testing.TB, a *auth.Auth) map[string]string {
	tb.Helper()
	all := make(map[string]string)
	err := a.Vault.View(context.Background(), func(tx *vault.Tx) error {
		found, err := tx.List("")
		for _, r := range found {
			all[r.Key] = string(r.Value)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	return all
}

func TestFailedLoginChangesNothing(t *testing.T) {
	a := newAuth(t)
	signIn(t, a, "x", flows.Client{ID: "me", Secret: secret.New("cs")})
	before := records(t, a)
	for _, force := range []bool{false, true} {
		_, err := a.Login(t.Context(), auth.LoginRequest{Provider: "oau", Connection: fmt.Sprint(force), Force: force, Reset: true,
			Obtain: func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
				return flows.Obtained{Client: flows.Client{ID: "mistyped"}}, context.Canceled
			}})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	}
	if diff := cmp.Diff(before, records(t, a)); diff != "" {
		t.Error(diff)
	}
}

// usedClients makes token requests return a token, and returns the clients that they were
// made with, by the refresh token.
func usedClients(a *auth.Auth) map[string]flows.Client {
	used := make(map[string]flows.Client)
	a.SetGrant(func(_ context.Context, config *flows.Config, c auth.Connection) (flows.Token, error) {
		used[c.RefreshToken.Reveal()] = config.Client
		return flows.Token{AccessToken: secret.New("new"), ExpiresAt: time.Now().Add(time.Hour)}, nil
	})
	return used
}

// expire makes a connection's access token due for a refresh.
func expire(tb testing.TB, a *auth.Auth, provider, name string) {
	tb.Helper()
	c, err := a.Connection(tb.Context(), provider, name)
	if err == nil {
		c.ExpiresAt = time.Now().Add(-time.Minute)
		_, err = a.Store(tb.Context(), c, true)
	}
	if err != nil {
		tb.Fatal(err)
	}
}

func TestConnectionsRefreshWithTheirClients(t *testing.T) {
	a := newAuth(t)
	clients := map[string]flows.Client{
		"x":     {ID: "me", Secret: secret.New("one"), Issuer: "https://one.test"},
		"y":     {ID: "you", Secret: secret.New("two"), Issuer: "https://one.test"},
		"z":     {ID: "me", Secret: secret.New("three"), Issuer: "https://two.test"}, // another server gave out the same ID
		"again": {ID: "me", Secret: secret.New("one"), Issuer: "https://one.test"},
	}
	used := usedClients(a)
	for _, name := range []string{"x", "y", "z", "again"} {
		signIn(t, a, name, clients[name])
	}
	for name, client := range clients {
		expire(t, a, "oau", name)
		if _, err := apply(t, a, "oau", name); err != nil {
			t.Fatal(err)
		}
		if got := used["r-"+name]; got.ID != client.ID || !got.Secret.Equal(client.Secret) || got.Issuer != client.Issuer {
			t.Errorf("%s was refreshed with the client %+v", name, got)
		}
	}
	var keys []string
	for key := range records(t, a) {
		if len(key) > 26 && key[:26] == "profile:default:oau:client" {
			keys = append(keys, key)
		}
	}
	if len(keys) != 2 {
		t.Errorf("further clients %q, want two", keys)
	}
}

func TestSecretOfClientIsReplaced(t *testing.T) {
	a := newAuth(t)
	putRecord(t, a, "profile:default:oau:client", `{"schema_version":2,"client_id":"me","client_secret":"old","later":1}`)
	signIn(t, a, "x", flows.Client{ID: "me", Secret: secret.New("new"), Issuer: "https://oau.test/token"})
	want := `{"client_id":"me","client_secret":"new","issuer":"https://oau.test/token","later":1,"profile":"default","provider":"oau","schema_version":2}`
	if got := storedRecord(t, a, "profile:default:oau:client"); got != want {
		t.Errorf("record %s", got)
	}
}

func TestClientsThatALoginMayUse(t *testing.T) {
	a := newAuth(t)
	for _, c := range []struct{ name, client, issuer string }{
		{"a", "c-a", "i"}, {"b", "c-b", "i"}, {"other", "c-o", "j"},
	} {
		signIn(t, a, c.name, flows.Client{ID: c.client, Issuer: c.issuer})
	}
	if err := a.SetDefault(t.Context(), "oau", "b"); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name       string // of the connection
		reset      bool
		issuer, id string
		want       string
	}{
		{name: "a", issuer: "i", want: "c-a"},
		{name: "new", issuer: "i", want: "c-b"}, // as the default connection
		{name: "other", issuer: "i", want: "c-b"},
		{name: "new", issuer: "j", want: "c-o"},
		{name: "new", issuer: "i", id: "c-a", want: "c-a"},
		{name: "new", issuer: "i", id: "c-o", want: ""},
		{name: "new", issuer: "k", want: ""},
		{name: "a", reset: true, issuer: "i", want: ""},
	} {
		var got flows.Client
		_, err := a.Login(t.Context(), auth.LoginRequest{Provider: "oau", Connection: test.name, Force: true, Reset: test.reset,
			Obtain: func(_ context.Context, _ *providers.Definition, known auth.Known) (flows.Obtained, error) {
				got = known.Client(test.issuer, test.id)
				return flows.Obtained{}, context.Canceled
			}})
		if !errors.Is(err, context.Canceled) || got.ID != test.want {
			t.Errorf("%+v: client %q, error %v", test, got.ID, err)
		}
	}
}

// However the address of a connection is written, the next login to it has its client: the
// flow stores the usual address, and a login that names none is for that one.
func TestClientsOfTheUsualAddress(t *testing.T) {
	p := newProfile(t)
	p.install(t, `{"schema_version":2,"name":"inst","flows":["pkce"],"hosts":["{base_url}"],"base_url":"https://inst.test",
		"oauth":{"authorization_url":"{base_url}/authorize","token_url":"{base_url}/token"}}`)
	a := p.open(t)
	for _, c := range []struct{ name, address string }{{"default", "https://inst.test"}, {"two", "https://inst.test/"}, {"own", "https://own.test"}} {
		_, err := a.Login(t.Context(), auth.LoginRequest{Provider: "inst", Connection: c.name, BaseURL: c.address,
			Obtain: func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
				return flows.Obtained{Flow: "pkce", Token: flows.Token{AccessToken: secret.New("t")}, Client: flows.Client{ID: "c-" + c.name, Issuer: "i"}}, nil
			}})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ name, address, want string }{
		{"two", "", "c-two"}, {"two", "https://INST.test:443", "c-two"}, {"new", "", "c-default"}, {"own", "https://own.test/", "c-own"},
	} {
		var got flows.Client
		_, err := a.Login(t.Context(), auth.LoginRequest{Provider: "inst", Connection: test.name, BaseURL: test.address, Force: true,
			Obtain: func(_ context.Context, _ *providers.Definition, known auth.Known) (flows.Obtained, error) {
				got = known.Client("i", "")
				return flows.Obtained{}, context.Canceled
			}})
		if !errors.Is(err, context.Canceled) || got.ID != test.want {
			t.Errorf("%+v: client %q, error %v", test, got.ID, err)
		}
	}
}

// TestConnectionOfPythonHasItsClient heals connections that were imported without naming
// their client.
func TestConnectionOfPythonHasItsClient(t *testing.T) {
	const connection = `{"schema_version":2,"auth_type":"oauth2","status":"connected","access_token":"a","refresh_token":"r-py","token_type":"Bearer",
		"expires_at":"2020-01-01T00:00:00Z","token_endpoint":"https://oau.test/token"}`
	const client = `{"schema_version":2,"provider":"oau","client_id":"py","client_secret":"cs","issuer":"https://oau.test/token"}`
	const refused = `{"schema_version":2,"auth_type":"oauth2","status":"invalid","status_since":"2026-01-01T00:00:00Z","status_code":"invalid_client","access_token":"a",
		"refresh_token":"r-py","token_type":"Bearer","expires_at":"2020-01-01T00:00:00Z","token_endpoint":"https://oau.test/token"}`
	const elsewhere = `{"schema_version":2,"client_id":"py","client_secret":"cs","issuer":"https://other.test"}`
	for name, test := range map[string]struct{ connection, more, second string }{
		"only client":           {connection, "", ""},
		"two clients":           {connection, `{"schema_version":2,"client_id":"other","issuer":"https://other.test"}`, client},
		"client of two issuers": {connection, elsewhere, strings.Replace(elsewhere, "other", "third", 1)},
		"refused without it":    {refused, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuth(t)
			used := usedClients(a)
			putRecord(t, a, "profile:default:oau:connection:x", test.connection)
			putRecord(t, a, "profile:default:oau:client", client)
			if test.more != "" {
				putRecord(t, a, "profile:default:oau:client", test.more)
				putRecord(t, a, "profile:default:oau:client:0", test.second)
			}
			if _, err := apply(t, a, "oau", "x"); err != nil {
				t.Fatal(err)
			}
			if got := used["r-py"]; got.ID != "py" || got.Secret.Reveal() != "cs" {
				t.Errorf("it was refreshed with the client %+v", got)
			}
			if c, err := a.Connection(t.Context(), "oau", "x"); err != nil || c.ClientID != "py" || c.Err(time.Now()) != nil {
				t.Errorf("client %q, %v, %v", c.ClientID, err, c.Err(time.Now()))
			}
		})
	}
}

// TestTenantsShareAClient is about records of older versions, which had one client for each
// provider, with the issuer of the last login.
func TestTenantsShareAClient(t *testing.T) {
	a := newAuth(t)
	used := usedClients(a)
	signIn(t, a, "x", flows.Client{ID: "me", Issuer: "https://tenant.test"})
	putRecord(t, a, "profile:default:oau:client", `{"schema_version":2,"client_id":"me","client_secret":"cs","issuer":"https://other.test"}`)
	expire(t, a, "oau", "x")
	if _, err := apply(t, a, "oau", "x"); err != nil {
		t.Fatal(err)
	}
	if got := used["r-x"]; got.Secret.Reveal() != "cs" || got.Issuer != "https://tenant.test" {
		t.Errorf("it was refreshed with the client %+v", got)
	}
}

// An imported client belongs to the instance that issued it, so a login at another one
// does not send its secret there.
func TestImportClient(t *testing.T) {
	a := newAuth(t)
	signIn(t, a, "x", flows.Client{ID: "me", Secret: secret.New("cs"), Issuer: "https://oau.test/token"})
	oau, err := a.Providers.Lookup("oau")
	if err != nil {
		t.Fatal(err)
	}
	instance, err := providers.Parse([]byte(`{"schema_version":2,"name":"inst","flows":["device_code"],"hosts":["{base_url}"],"base_url":"https://inst.test",
		"oauth":{"token_url":"{base_url}/token","device_authorization_url":"{base_url}/device"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		d           *providers.Definition
		id, baseURL string
		stored      bool
	}{
		{oau, "me", "", false}, {oau, "py", "https://oau.test", true}, {oau, "py", "", false},
		{instance, "py", "https://corp.test/", true}, {instance, "py", "https://corp.test", false}, {instance, "py", "", true}, {instance, "py", "https://inst.test", false},
	} {
		c := auth.ImportedClient{Definition: test.d, BaseURL: test.baseURL,
			Record: secret.New(fmt.Sprintf(`{"schema_version":2,"client_id":%q,"client_secret":"imported","base_url":%q}`, test.id, test.baseURL))}
		if has, err := a.HasClient(t.Context(), c); err != nil || has == test.stored {
			t.Errorf("before: %+v: stored %v, %v", c, has, err)
		}
		if stored, err := a.ImportClient(t.Context(), c); err != nil || stored != test.stored {
			t.Errorf("%+v: stored %v, %v", c, stored, err)
		}
		if has, err := a.HasClient(t.Context(), c); err != nil || !has {
			t.Errorf("%+v is not stored: %v", c, err)
		}
	}
	if c, err := a.Connection(t.Context(), "oau", "x"); err != nil || !c.Renewable(time.Now()) {
		t.Errorf("x cannot be renewed: %v", err)
	}
}
