package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// A token answer without scopes grants the requested ones (RFC 6749 section 5.1). A refresh
// names them only once the server did.
func TestScopesThatNoAnswerNames(t *testing.T) {
	named, sent := "", []string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.FormValue("scope"))
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":"new","token_type":"Bearer","expires_in":3600%s}`, named)
	}))
	t.Cleanup(server.Close)
	p := newProfile(t)
	p.install(t, fmt.Sprintf(`{"schema_version":2,"name":"quiet","flows":["pkce"],"hosts":["api.quiet.test"],
		"oauth":{"authorization_url":"%s/authorize","token_url":"%[1]s/token"}}`, server.URL))
	a := p.open(t)
	login := func(scopes ...string) error {
		_, err := a.Login(t.Context(), auth.LoginRequest{Provider: "quiet", Connection: "x", Scopes: scopes,
			Obtain: func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
				token := flows.Token{AccessToken: secret.New("t"), RefreshToken: secret.New("r"), ExpiresAt: time.Now().Add(time.Hour)}
				return flows.Obtained{Flow: "pkce", Client: flows.Client{ID: "me"}, Token: token, Scopes: scopes}, nil
			}})
		return err
	}
	want := func(scopes ...string) {
		t.Helper()
		if c, err := a.Connection(t.Context(), "quiet", "x"); err != nil || !slices.Equal(c.Scopes, scopes) {
			t.Errorf("scopes %q, %v; want %q", c.Scopes, err, scopes)
		}
	}
	if err := login("read", "write"); err != nil {
		t.Fatal(err)
	}
	want("read", "write")
	if err := login("write", "read"); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("a second login with the same scopes: %v", err)
	}
	for _, answer := range []string{``, `,"scope":"read"`, ``} {
		named = answer
		expire(t, a, "quiet", "x")
		wantApplied(t, a, "quiet", "x", "Bearer new")
	}
	want("read")
	if !slices.Equal(sent, []string{"", "", "read"}) {
		t.Errorf("refreshes sent the scopes %q", sent)
	}
}
