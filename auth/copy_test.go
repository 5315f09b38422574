package auth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
)

func TestCopyKey(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	login(t, a, "acme", "x", "ak-x")
	login(t, a, "acme", "y", "ak-y")
	copied, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", To: to})
	if err != nil || copied.Name != "x" || !copied.Default {
		t.Errorf("copied %+v, %v", copied, err)
	}
	if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "y", To: to, As: "z"}); err != nil {
		t.Fatal(err)
	}
	wantConnections(t, a, "acme/x (default)", "acme/y")
	wantConnections(t, to, "acme/x (default)", "acme/z")
	wantApplied(t, to, "acme", "x", "Bearer ak-x")
	wantApplied(t, to, "acme", "z", "Bearer ak-y")
	if record := storedRecord(t, to, "profile:other:acme:connection:z"); !strings.Contains(record, `"connection_name":"z"`) || !strings.Contains(record, `"profile":"other"`) {
		t.Errorf("record %s", record)
	}

	// An existing connection is replaced only with force.
	transfer := auth.Transfer{Provider: "acme", Connection: "y", To: to, As: "x"}
	_, err = a.Copy(t.Context(), transfer)
	if connected, ok := errors.AsType[*auth.ConnectedError](err); !ok || connected.Connection != "x" {
		t.Errorf("onto another connection: %v", err)
	}
	wantApplied(t, to, "acme", "x", "Bearer ak-x")
	transfer.Force = true
	if _, err := a.Copy(t.Context(), transfer); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, to, "acme", "x", "Bearer ak-y")
	_, err = a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "none", To: to})
	wantLoginRequired(t, err, "acme", "none", auth.ReasonMissing)
	if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "x", To: to, As: "a:b"}); err == nil {
		t.Error("a name with a colon")
	}

	// Within a profile the copy needs another name.
	if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "x", To: p.open(t), Force: true}); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("onto itself: %v", err)
	}
	if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "x", To: a, As: "twin"}); err != nil {
		t.Error(err)
	}
	wantConnections(t, a, "acme/twin", "acme/x (default)", "acme/y")
}

// Two profiles with one refresh token would make the provider revoke it.
func TestRefreshTokenIsNotCopied(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, to := p.open(t), p.openAs(t, "other")
	s.logIn(t, a, time.Now().Add(time.Hour))
	_, err := a.Copy(t.Context(), auth.Transfer{Provider: "live", To: to, Force: true})
	if !errors.Is(err, auth.ErrOneHolder) || !strings.HasPrefix(err.Error(), "copy live/x: ") {
		t.Errorf("error %v", err)
	}
	wantConnections(t, to)
	if storedRecord(t, to, "profile:other:live:client") != "" {
		t.Error("the client was copied")
	}
}

// A connection of the client_credentials flow has no refresh token, and each copy obtains
// a separate access token.
func TestCopyOfClientCredentials(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		p, a := connected(t, "machine", e)
		to := p.openAs(t, "other")
		to.SetGrant(e.grant)
		t.Cleanup(to.Close)
		if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "machine", To: to}); err != nil {
			t.Fatal(err)
		}
		if c := stored(t, to, "machine"); !c.AccessToken.IsZero() || !c.ExpiresAt.IsZero() || c.Err(time.Now()) != nil {
			t.Errorf("copied %+v, with token %v", c, !c.AccessToken.IsZero())
		}
		wantApplied(t, to, "machine", "x", "Bearer a1")
		wantApplied(t, a, "machine", "x", "Bearer a0")
		if e.client.ID != "me" || e.client.Secret.Reveal() != "client-secret" {
			t.Errorf("requested as client %q", e.client.ID)
		}
	})
}
