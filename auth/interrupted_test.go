package auth_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/vault"
)

// failUpdates makes every update of the profile's vault fail, like a full disk, until
// restore is called. Views still work.
func (p *profile) failUpdates(tb testing.TB) (restore func()) {
	tb.Helper()
	obstacle := filepath.Join(p.dir, "profile", "generation.new")
	if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
		tb.Fatal(err)
	}
	return func() { os.RemoveAll(obstacle) }
}

// A move that is interrupted between the two vaults says so, and the next move completes
// it: with and without force, and even if the connection was refreshed in its new profile
// in between, which uses up the refresh token in the old one.
func TestInterruptedMoveIsCompleted(t *testing.T) {
	for name, test := range map[string]struct{ refreshed, force bool }{
		"untouched": {}, "with force": {force: true}, "refreshed": {refreshed: true}, "refreshed, with force": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := startServer(t)
			p := s.profile(t)
			a, to := p.open(t), p.openAs(t, "other")
			t.Cleanup(to.Close)
			s.logIn(t, a, time.Now().Add(-time.Second))
			move := auth.Transfer{Provider: "live", To: to, Force: test.force}
			restore := p.failUpdates(t)
			_, err := a.Move(t.Context(), move)
			interrupted, ok := errors.AsType[*auth.MoveError](err)
			if !ok || interrupted.From != "default" || interrupted.To != "other" || !strings.HasPrefix(err.Error(), "live/x is now in profile other, and still in profile default: ") {
				t.Fatalf("error %v", err)
			}
			restore()
			wantConnections(t, a, "live/x (default)")
			wantConnections(t, to, "live/x (default)")
			if test.refreshed {
				wantApplied(t, to, "live", "x", "Bearer access-1-canary")
			}
			if _, err := a.Move(t.Context(), move); err != nil {
				t.Fatal(err)
			}
			wantConnections(t, a)
			later := p.openAs(t, "other")
			later.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
			t.Cleanup(later.Close)
			if _, err := later.Header(t.Context(), "live", "x"); err != nil || len(s.reused) > 0 {
				t.Errorf("after the move: %v; tokens used twice: %v", err, s.reused)
			}
		})
	}
}

// If the other profile cannot be written, the connection stays where it is.
func TestFailedMoveChangesNothing(t *testing.T) {
	p := newProfile(t)
	a, to := p.openAs(t, "other"), p.open(t)
	login(t, a, "acme", "x", "ak-x")
	restore := p.failUpdates(t)
	_, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", To: to})
	if _, interrupted := errors.AsType[*auth.MoveError](err); err == nil || interrupted {
		t.Errorf("error %v", err)
	}
	restore()
	wantConnections(t, a, "acme/x (default)")
	wantConnections(t, to)
}

// An interrupted move of an API key is completed only if the key is still the same.
func TestInterruptedMoveOfKey(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	login(t, a, "acme", "x", "ak-x")
	move := auth.Transfer{Provider: "acme", To: to}
	restore := p.failUpdates(t)
	if _, err := a.Move(t.Context(), move); err == nil {
		t.Fatal("no error")
	}
	restore()
	if _, err := a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "x", Obtain: obtainKey("ak-new"), Force: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Move(t.Context(), move); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("another key: %v", err)
	}
	wantApplied(t, a, "acme", "x", "Bearer ak-new")
	move.Force = true
	if _, err := a.Move(t.Context(), move); err != nil {
		t.Fatal(err)
	}
	wantConnections(t, a)
	wantApplied(t, to, "acme", "x", "Bearer ak-new")
}

// A login or a logout in the old profile, while the connection is being written to the
// new one, wins over the move.
func TestMoveWhileConnectionIsReplaced(t *testing.T) {
	for name, test := range map[string]struct {
		replace func(t *testing.T, a *auth.Auth)
		ok      func(error) bool
		want    []string // in the old profile
	}{
		"login": {func(t *testing.T, a *auth.Auth) {
			if _, err := a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "x", Obtain: obtainKey("ak-new"), Force: true}); err != nil {
				t.Error(err)
			}
		}, func(err error) bool { _, interrupted := errors.AsType[*auth.MoveError](err); return interrupted }, []string{"acme/x (default)"}},
		"logout": {func(t *testing.T, a *auth.Auth) {
			if err := a.Remove(t.Context(), "acme"); err != nil {
				t.Error(err)
			}
		}, func(err error) bool { return err == nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProfile(t)
			a, b, to, busy := p.open(t), p.open(t), p.openAs(t, "other"), p.openAs(t, "other")
			login(t, a, "acme", "x", "ak-x")
			unlock := startMove(t, a, to, busy, "acme")
			test.replace(t, b)
			if err := unlock(); !test.ok(err) {
				t.Errorf("error %v", err)
			}
			wantConnections(t, b, test.want...)
			wantConnections(t, to, "acme/x (default)")
			wantApplied(t, to, "acme", "x", "Bearer ak-x")
		})
	}
}

// No refresh starts while a connection is being moved.
func TestNoRefreshDuringMove(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, b, to, busy := p.open(t), p.open(t), p.openAs(t, "other"), p.openAs(t, "other")
	t.Cleanup(b.Close)
	t.Cleanup(to.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	unlock := startMove(t, a, to, busy, "live")
	refreshed := make(chan error)
	go func() {
		_, err := b.Header(context.Background(), "live", "x")
		refreshed <- err
	}()
	time.Sleep(100 * time.Millisecond) // long enough for a refresh
	if err := unlock(); err != nil {
		t.Error(err)
	}
	wantLoginRequired(t, <-refreshed, "live", "x", auth.ReasonMissing)
	wantApplied(t, to, "live", "x", "Bearer access-1-canary")
	if len(s.reused) > 0 || s.count("token") != 1 {
		t.Errorf("%d token requests, with used tokens %v", s.count("token"), s.reused)
	}
}

// startMove starts a move while another process, busy, has locked the vault of the new
// profile. It returns when the connection was read and its write waits for that lock.
// unlock releases the lock and returns the result of the move.
func startMove(t *testing.T, a, to, busy *auth.Auth, provider string) (unlock func() error) {
	t.Helper()
	locked, release, waiting := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	var locking sync.WaitGroup
	locking.Go(func() {
		busy.Vault.Update(context.Background(), func(*vault.Tx) error {
			close(locked)
			<-release
			return nil
		})
	})
	<-locked
	to.Vault.OnWait = func(string) { waiting <- struct{}{} }
	moved := make(chan error)
	go func() {
		_, err := a.Move(context.Background(), auth.Transfer{Provider: provider, To: to})
		moved <- err
	}()
	<-waiting
	return func() error {
		close(release)
		locking.Wait()
		return <-moved
	}
}
