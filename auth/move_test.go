package auth_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

func TestMoveKey(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	for _, name := range []string{"x", "y", "z"} {
		login(t, a, "acme", name, "ak-"+name)
	}
	running := p.open(t) // another process that has cached the connections
	if err := running.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	before, err := running.Vault.Generation()
	if err != nil {
		t.Fatal(err)
	}
	moved, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", To: to})
	if err != nil || moved.Name != "x" || !moved.Default {
		t.Errorf("moved %+v, %v", moved, err)
	}
	wantConnections(t, a, "acme/y", "acme/z") // neither becomes the default
	if m := storedRecord(t, a, "profile:default:acme:metadata"); !strings.Contains(m, `"default_connection":""`) {
		t.Errorf("metadata %s", m)
	}
	wantConnections(t, to, "acme/x (default)")
	wantApplied(t, to, "acme", "x", "Bearer ak-x")
	if after, err := running.Vault.Generation(); err != nil || after == before {
		t.Errorf("generation %d after %d, %v", after, before, err)
	}
	if err := running.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = apply(t, running, "acme", "x")
	wantLoginRequired(t, err, "acme", "x", auth.ReasonMissing)

	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", To: to}); !lacksDefault(err) {
		t.Errorf("without a default: %v", err)
	}
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", Connection: "y", To: to, As: "x"}); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("onto another connection: %v", err)
	}
	wantConnections(t, a, "acme/y", "acme/z")
	if moved, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", Connection: "y", To: to, As: "x", Force: true}); err != nil || !moved.Default {
		t.Errorf("with force: %+v, %v", moved, err)
	}
	wantApplied(t, to, "acme", "x", "Bearer ak-y")
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", To: to}); err != nil {
		t.Errorf("the only connection: %v", err)
	}
	wantConnections(t, a)
	wantConnections(t, to, "acme/x (default)", "acme/z")
	_, err = a.Move(t.Context(), auth.Transfer{Provider: "acme", Connection: "z", To: to})
	wantLoginRequired(t, err, "acme", "z", auth.ReasonMissing)
}

func TestRename(t *testing.T) {
	p := newProfile(t)
	a := p.open(t)
	login(t, a, "acme", "x", "ak-x")
	login(t, a, "acme", "y", "ak-y")
	rename := auth.Transfer{Provider: "acme", Connection: "x", To: p.open(t), As: "new"}
	if c, err := a.Move(t.Context(), rename); err != nil || c.Name != "new" || !c.Default {
		t.Errorf("renamed %+v, %v", c, err)
	}
	wantConnections(t, a, "acme/new (default)", "acme/y")
	wantApplied(t, a, "acme", "", "Bearer ak-x")
	rename.Connection, rename.As = "new", "y"
	if _, err := a.Move(t.Context(), rename); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("onto another connection: %v", err)
	}
	rename.As, rename.Force = "new", true
	if _, err := a.Move(t.Context(), rename); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("onto itself: %v", err)
	}
	wantConnections(t, a, "acme/new (default)", "acme/y")
	rename.As = "y"
	if _, err := a.Move(t.Context(), rename); err != nil {
		t.Error(err)
	}
	wantConnections(t, a, "acme/y (default)")
	wantApplied(t, a, "acme", "y", "Bearer ak-x")
}

// A connection with a refresh token is refreshed and revoked in its new profile.
func TestMoveRefreshToken(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, to := p.open(t), p.openAs(t, "other")
	t.Cleanup(to.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "live", To: to, As: "y"}); err != nil {
		t.Fatal(err)
	}
	wantConnections(t, a)
	wantApplied(t, to, "live", "y", "Bearer access-1-canary")
	if len(s.requests) != 1 || len(s.revoked) > 0 {
		t.Errorf("requests %v, revoked %v", s.requests, s.revoked)
	}
	if _, err := to.Logout(t.Context(), "live", ""); err != nil || !slices.Contains(s.revoked, "refresh-1-canary") {
		t.Errorf("logout: %v, revoked %v", err, s.revoked)
	}
}

// A move waits for a refresh in progress and moves the new token.
func TestMoveDuringRefresh(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, b, to := p.open(t), p.open(t), p.openAs(t, "other")
	t.Cleanup(a.Close)
	t.Cleanup(to.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	arrived, answer := make(chan struct{}), make(chan struct{})
	s.during = func(_ *rotation, answered bool) {
		if !answered {
			close(arrived)
			<-answer
		}
	}
	var refreshing sync.WaitGroup
	refreshing.Go(func() { a.Header(context.Background(), "live", "x") })
	<-arrived
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := b.Move(short, auth.Transfer{Provider: "live", To: to}); !errors.Is(err, auth.ErrBusy) {
		t.Errorf("during the refresh: %v", err)
	}
	wantConnections(t, to)
	moved := make(chan error)
	go func() {
		_, err := b.Move(context.Background(), auth.Transfer{Provider: "live", To: to})
		moved <- err
	}()
	close(answer)
	refreshing.Wait()
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	wantConnections(t, a)
	if c, err := to.Connection(t.Context(), "live", "x"); err != nil || c.RefreshToken.Reveal() != "refresh-1-canary" {
		t.Errorf("another token than the newest was moved: %v", err)
	}
}

// signIn stores a connection of the provider oau that was obtained with the given client.
func signIn(t *testing.T, a *auth.Auth, name string, client flows.Client) {
	t.Helper()
	_, err := a.Login(t.Context(), auth.LoginRequest{Provider: "oau", Connection: name,
		Obtain: func(context.Context, *providers.Definition, auth.Known) (flows.Obtained, error) {
			return flows.Obtained{Client: client, Flow: providers.FlowPKCE, Token: flows.Token{
				AccessToken: secret.New("a-" + name), RefreshToken: secret.New("r-" + name), ExpiresAt: time.Now().Add(time.Hour),
			}}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMoveTakesClientAlong(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	client := flows.Client{ID: "me", Secret: secret.New("cs"), RegistrationURL: "https://oau.test/client/me", RegistrationToken: secret.New("rt")}
	signIn(t, a, "x", client)
	signIn(t, a, "y", client)
	const oldKey, newKey = "profile:default:oau:client", "profile:other:oau:client"
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "oau", Connection: "x", To: to}); err != nil {
		t.Fatal(err)
	}
	// The connection y still needs the client, so the old profile keeps it and the means
	// to delete it at the provider.
	if r := storedRecord(t, to, newKey); !strings.Contains(r, `"client_secret":"cs"`) || strings.Contains(r, "registration") || !strings.Contains(storedRecord(t, a, oldKey), "registration") {
		t.Errorf("client in the new profile %s, in the old one %s", r, storedRecord(t, a, oldKey))
	}
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "oau", Connection: "y", To: to}); err != nil {
		t.Fatal(err)
	}
	if r := storedRecord(t, to, newKey); !strings.Contains(r, `"registration_access_token":"rt"`) || storedRecord(t, a, oldKey) != "" {
		t.Errorf("client in the new profile %s, in the old one %s", r, storedRecord(t, a, oldKey))
	}
	if c, err := to.Connection(t.Context(), "oau", "y"); err != nil || !c.Renewable(time.Now()) {
		t.Errorf("it cannot be renewed in the new profile: %v", err)
	}

	// A client that the user registered is kept for the next login.
	signIn(t, a, "z", flows.Client{ID: "me", Secret: secret.New("cs")})
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "oau", Connection: "z", To: to}); err != nil || storedRecord(t, a, oldKey) == "" {
		t.Errorf("%v, or the client was deleted", err)
	}
}

func TestMoveToProfileWithAnotherClient(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	signIn(t, a, "x", flows.Client{ID: "me", Secret: secret.New("cs")})
	signIn(t, to, "y", flows.Client{ID: "you"})
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "oau", To: to}); err != nil {
		t.Fatal(err)
	}
	wantConnections(t, a)
	wantConnections(t, to, "oau/x", "oau/y (default)")
	for _, name := range []string{"x", "y"} {
		if c, err := to.Connection(t.Context(), "oau", name); err != nil || !c.Renewable(time.Now()) {
			t.Errorf("%s cannot be renewed: %v", name, err)
		}
	}
}
