package auth_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

func TestLogin(t *testing.T) {
	a := newAuth(t)
	at := time.Date(2026, 7, 1, 10, 0, 0, 0, time.FixedZone("", 3600))
	a.Now = func() time.Time { return at }
	made := login(t, a, "acme", "", "ak-1")
	if made.Name != "default" || !made.Default || made.Status != auth.StatusConnected || made.AuthType != "api_key" || made.APIKey.Reveal() != "ak-1" {
		t.Errorf("login returned %+v", made)
	}
	want := `{"api_key":"ak-1","auth_type":"api_key","connection_name":"default","flow":"api_key","obtained_at":"2026-07-01T09:00:00Z",` +
		`"pin":{"definition":{"api_key":{},"auth_type":"api_key","display_name":"Acme","flow":"api_key","host_url":"https://api.acme.test/v1","name":"acme","schema_version":1},"source":"custom"},` +
		`"profile":"default","provider":"acme","schema_version":2,"status":"connected"}`
	if got := storedRecord(t, a, "profile:default:acme:connection:default"); got != want {
		t.Errorf("record\n%s\nwant\n%s", got, want)
	}
	want = `{"connection_names":["default"],"default_connection":"default","profile":"default","provider":"acme","schema_version":2}`
	if got := storedRecord(t, a, "profile:default:acme:metadata"); got != want {
		t.Errorf("metadata\n%s\nwant\n%s", got, want)
	}
	wantApplied(t, a, "acme", "default", "Bearer ak-1")
	wantApplied(t, a, "acme", "", "Bearer ak-1")

	found, err := a.Connection(t.Context(), "acme", "")
	if err != nil || !found.APIKey.Equal(made.APIKey) || !found.ObtainedAt.Equal(at) || !found.Default {
		t.Errorf("Connection returned %+v, %v", found, err)
	}

	login(t, a, "raw", "work", "ak-2")
	h, err := apply(t, a, "raw", "work")
	if err != nil || h.Get("X-Api-Key") != "ak-2" {
		t.Errorf("header %v, %v", h, err)
	}
}

func TestLoginReplacesOnlyWithForce(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "work", "ak-1")
	calls := 0
	request := auth.LoginRequest{Provider: "acme", Connection: "work", Obtain: func(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
		calls++
		return obtainKey("ak-2")(ctx, d, known)
	}}
	_, err := a.Login(t.Context(), request)
	connected, ok := errors.AsType[*auth.ConnectedError](err)
	if !ok || connected.Provider != "acme" || connected.Connection != "work" || !errors.Is(err, auth.ErrConnected) || calls != 0 {
		t.Errorf("error %v, Obtain was called %d times", err, calls)
	}
	// Another process may store the connection while the user is typing.
	_, err = a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "late", Obtain: func(ctx context.Context, d *providers.Definition, known auth.Known) (flows.Obtained, error) {
		if _, err := a.Login(ctx, auth.LoginRequest{Provider: "acme", Connection: "late", Obtain: obtainKey("ak-first")}); err != nil {
			return flows.Obtained{}, err
		}
		return obtainKey("ak-second")(ctx, d, known)
	}})
	if !errors.Is(err, auth.ErrConnected) {
		t.Errorf("error %v for a connection that was stored during the login", err)
	}
	wantApplied(t, a, "acme", "late", "Bearer ak-first")
	wantApplied(t, a, "acme", "work", "Bearer ak-1")
	request.Force = true
	if _, err := a.Login(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, a, "acme", "work", "Bearer ak-2")
	wantConnections(t, a, "acme/late", "acme/work (default)")
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
		test.request.Obtain = obtainKey("canary-4711")
		_, err := a.Login(t.Context(), test.request)
		if err == nil || strings.Contains(err.Error(), "4711") || test.check != nil && !test.check(err) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	bad := auth.Connection{Provider: "acme", Name: "x", AuthType: "api_key", APIKey: secret.New("4711\r\nX-Evil: 1")}
	if _, err := a.Store(t.Context(), bad, false); err == nil || strings.Contains(err.Error(), "4711") {
		t.Errorf("a key that is not a valid header value: %v", err)
	}
	wantConnections(t, a)
}
func TestStoreImportedToken(t *testing.T) {
	a := newAuth(t)
	c, err := a.Store(t.Context(), auth.Connection{
		Provider: "gith", Name: "me", AuthType: "oauth2", AccessToken: secret.New("t"), TokenType: "bearer",
		RefreshToken: secret.New("r"), ExpiresAt: time.Now().Add(time.Hour), Scopes: []string{"read"},
	}, false)
	if err != nil || !c.Default || c.Status != auth.StatusConnected || c.ObtainedAt.IsZero() {
		t.Fatalf("stored %+v, %v", c, err)
	}
	wantApplied(t, a, "gith", "me", "Bearer t")
}
