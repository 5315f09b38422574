package auth_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/vault"
)

// A damaged vault is reported as such, and not as a missing login or an empty list.
func TestDamagedVault(t *testing.T) {
	p := newProfile(t)
	a := p.open(t)
	login(t, a, "acme", "x", "ak-1")
	if err := a.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(p.dir, "profile", "vault", "MANIFEST")); err != nil {
		t.Fatal(err)
	}
	check := func(what string, err error) {
		t.Helper()
		if _, ok := errors.AsType[*vault.DamageError](err); !ok || isLoginRequired(err) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	check("Reload", a.Reload(t.Context()))
	_, err := a.Connections(t.Context())
	check("Connections", err)
	_, err = a.Connection(t.Context(), "acme", "x")
	check("Connection", err)
	_, err = apply(t, a, "acme", "x")
	check("Apply", err)
	_, err = a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "x", Obtain: obtainKey("ak-2")})
	check("Login", err)
	_, err = a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "x", Obtain: obtainKey("ak-2"), Force: true})
	check("Login with force", err)
	_, err = a.TokenSource("acme", "x").Token()
	check("Token", err)
}

func TestLockedVault(t *testing.T) {
	p := newProfile(t)
	a, other := p.open(t), p.open(t)
	login(t, a, "acme", "x", "ak-1")
	wantApplied(t, a, "acme", "x", "Bearer ak-1")
	inside, leave := make(chan struct{}), make(chan struct{})
	done := make(chan error)
	go func() {
		done <- other.Vault.Update(context.Background(), func(*vault.Tx) error {
			close(inside)
			<-leave
			return nil
		})
	}()
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := a.Connections(ctx); !errors.Is(err, vault.ErrLocked) {
		t.Errorf("Connections: %v", err)
	}
	if _, err := a.Header(ctx, "acme", "y"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an uncached connection: %v", err)
	}
	wantApplied(t, a, "acme", "x", "Bearer ak-1")
	close(leave)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestCloseWaitsForLoad(t *testing.T) {
	p := newProfile(t)
	a, other := p.open(t), p.open(t)
	login(t, other, "acme", "x", "ak-1")
	locked, unlock := make(chan struct{}), make(chan struct{})
	var locking sync.WaitGroup
	locking.Go(func() {
		other.Vault.Update(context.Background(), func(*vault.Tx) error {
			close(locked)
			<-unlock
			return nil
		})
	})
	<-locked
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := a.Header(ctx, "acme", "x"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a locked vault: %v", err)
	}
	closed := make(chan struct{})
	go func() {
		a.Close()
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("Close returned during a load")
	case <-time.After(30 * time.Millisecond):
	}
	close(unlock)
	locking.Wait()
	<-closed
}

// After Close, connections can still be read, without a goroutine.
func TestLoadAfterClose(t *testing.T) {
	p := newProfile(t)
	a := p.open(t)
	login(t, p.open(t), "acme", "x", "ak-1")
	a.Close()
	wantApplied(t, a, "acme", "x", "Bearer ak-1")
}
