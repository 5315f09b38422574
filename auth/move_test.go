package auth_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
	"github.com/authsome/authsome/vault"
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
	wantNames(t, a, "acme/x (default)", "acme/y")
	wantNames(t, to, "acme/x (default)", "acme/z")
	wantApplied(t, to, "acme", "x", "Bearer ak-x")
	wantApplied(t, to, "acme", "z", "Bearer ak-y")
	if record := raw(t, to, "profile:other:acme:connection:z"); !strings.Contains(record, `"connection_name":"z"`) || !strings.Contains(record, `"profile":"other"`) {
		t.Errorf("record %s", record)
	}

	// What is there is replaced only with force.
	again := auth.Transfer{Provider: "acme", Connection: "y", To: to, As: "x"}
	_, err = a.Copy(t.Context(), again)
	if connected, ok := errors.AsType[*auth.ConnectedError](err); !ok || connected.Connection != "x" {
		t.Errorf("over another: %v", err)
	}
	wantApplied(t, to, "acme", "x", "Bearer ak-x")
	again.Force = true
	if _, err := a.Copy(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	wantApplied(t, to, "acme", "x", "Bearer ak-y")
	_, err = a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "none", To: to})
	wantLoginRequired(t, err, "acme", "none", auth.ReasonMissing)
	if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "x", To: to, As: "a:b"}); err == nil {
		t.Error("a name with a colon")
	}

	// In the same profile it needs another name.
	if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "x", To: p.open(t), Force: true}); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("over itself: %v", err)
	}
	if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "acme", Connection: "x", To: a, As: "twin"}); err != nil {
		t.Error(err)
	}
	wantNames(t, a, "acme/twin", "acme/x (default)", "acme/y")
}

// Two holders of a refresh token would be the end of it.
func TestCopyOfARefreshTokenIsRefused(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, to := p.open(t), p.openAs(t, "other")
	s.logIn(t, a, time.Now().Add(time.Hour))
	_, err := a.Copy(t.Context(), auth.Transfer{Provider: "live", To: to, Force: true})
	if !errors.Is(err, auth.ErrOneHolder) || !strings.HasPrefix(err.Error(), "copy live/x: ") {
		t.Errorf("error %v", err)
	}
	wantNames(t, to)
	if raw(t, to, "profile:other:live:client") != "" {
		t.Error("the client was copied")
	}
}

// A connection that asks with its own credentials needs no refresh token; each
// holder has a token of its own.
func TestCopyOfClientCredentials(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		p, a := connected(t, "again", e)
		to := p.openAs(t, "other")
		to.SetGrant(e.grant)
		t.Cleanup(to.Close)
		if _, err := a.Copy(t.Context(), auth.Transfer{Provider: "again", To: to}); err != nil {
			t.Fatal(err)
		}
		if c := stored(t, to, "again"); !c.AccessToken.IsZero() || !c.ExpiresAt.IsZero() || c.Err(time.Now()) != nil {
			t.Errorf("copied %+v, with token %v", c, !c.AccessToken.IsZero())
		}
		wantApplied(t, to, "again", "x", "Bearer a1")
		wantApplied(t, a, "again", "x", "Bearer a0")
		if e.client.ID != "me" || e.client.Secret.Reveal() != "client-secret" {
			t.Errorf("asked as %q", e.client.ID)
		}
	})
}

func TestMoveKey(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	for _, name := range []string{"x", "y", "z"} {
		login(t, a, "acme", name, "ak-"+name)
	}
	running := p.open(t) // another process, with the profile's connections at hand
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
	wantNames(t, a, "acme/y", "acme/z") // which acts next is not guessed
	if m := raw(t, a, "profile:default:acme:metadata"); !strings.Contains(m, `"default_connection":""`) {
		t.Errorf("metadata %s", m)
	}
	wantNames(t, to, "acme/x (default)")
	wantApplied(t, to, "acme", "x", "Bearer ak-x")
	if after, err := running.Vault.Generation(); err != nil || after == before {
		t.Errorf("generation %d after %d, %v", after, before, err)
	}
	if err := running.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = apply(t, running, "acme", "x")
	wantLoginRequired(t, err, "acme", "x", auth.ReasonMissing)

	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", To: to}); !errors.Is(err, auth.ErrNoDefault) {
		t.Errorf("without a default: %v", err)
	}
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", Connection: "y", To: to, As: "x"}); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("over another: %v", err)
	}
	wantNames(t, a, "acme/y", "acme/z")
	if moved, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", Connection: "y", To: to, As: "x", Force: true}); err != nil || !moved.Default {
		t.Errorf("with force: %+v, %v", moved, err)
	}
	wantApplied(t, to, "acme", "x", "Bearer ak-y")
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", To: to}); err != nil {
		t.Errorf("the only one: %v", err)
	}
	wantNames(t, a)
	wantNames(t, to, "acme/x (default)", "acme/z")
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
	wantNames(t, a, "acme/new (default)", "acme/y")
	wantApplied(t, a, "acme", "", "Bearer ak-x")
	rename.Connection, rename.As = "new", "y"
	if _, err := a.Move(t.Context(), rename); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("over another: %v", err)
	}
	rename.As, rename.Force = "new", true
	if _, err := a.Move(t.Context(), rename); !errors.Is(err, auth.ErrConnected) {
		t.Errorf("over itself: %v", err)
	}
	wantNames(t, a, "acme/new (default)", "acme/y")
	rename.As = "y"
	if _, err := a.Move(t.Context(), rename); err != nil {
		t.Error(err)
	}
	wantNames(t, a, "acme/y (default)")
	wantApplied(t, a, "acme", "y", "Bearer ak-x")
}

// The connection goes on in its new profile as if nothing had happened.
func TestMoveOfARefreshToken(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, to := p.open(t), p.openAs(t, "other")
	t.Cleanup(to.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "live", To: to, As: "y"}); err != nil {
		t.Fatal(err)
	}
	wantNames(t, a)
	wantApplied(t, to, "live", "y", "Bearer access-1-canary")
	if len(s.requests) != 1 || len(s.revoked) > 0 {
		t.Errorf("asked %v", s.requests)
	}
	if _, err := to.Logout(t.Context(), "live", ""); err != nil || !slices.Contains(s.revoked, "refresh-1-canary") {
		t.Errorf("logout: %v, revoked %v", err, s.revoked)
	}
}

// A refresh that was sent is waited for: its answer is what moves.
func TestMoveDuringARefresh(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, b, to := p.open(t), p.open(t), p.openAs(t, "other")
	t.Cleanup(a.Close)
	t.Cleanup(to.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	asked, answer := make(chan struct{}), make(chan struct{})
	s.during = func(_ *rotation, answered bool) {
		if !answered {
			close(asked)
			<-answer
		}
	}
	go a.Header(context.Background(), "live", "x")
	<-asked
	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if _, err := b.Move(short, auth.Transfer{Provider: "live", To: to}); !errors.Is(err, auth.ErrBusy) {
		t.Errorf("during the refresh: %v", err)
	}
	wantNames(t, to)
	moved := make(chan error)
	go func() {
		_, err := b.Move(context.Background(), auth.Transfer{Provider: "live", To: to})
		moved <- err
	}()
	close(answer)
	if err := <-moved; err != nil {
		t.Fatal(err)
	}
	wantNames(t, a)
	if c, err := to.Connection(t.Context(), "live", "x"); err != nil || c.RefreshToken.Reveal() != "refresh-1-canary" {
		t.Errorf("what moved is not the last token: %v", err)
	}
}

// fail has every update of the profile's vault fail, as a full disk does, until
// mend is called. Views go on.
func (p *profile) fail(tb testing.TB) (mend func()) {
	tb.Helper()
	obstacle := filepath.Join(p.dir, "profile", "generation.new")
	if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
		tb.Fatal(err)
	}
	return func() { os.RemoveAll(obstacle) }
}

// Interrupted between the two vaults, a move says where things are, and is
// finished by the next; with force as well, and also if the connection has been
// refreshed in its new profile, so that the old one's token is used up.
func TestMoveInterrupted(t *testing.T) {
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
			mend := p.fail(t)
			_, err := a.Move(t.Context(), move)
			half, ok := errors.AsType[*auth.MoveError](err)
			if !ok || half.From != "default" || half.To != "other" || !strings.HasPrefix(err.Error(), "live/x is in profile other now, and still in profile default: ") {
				t.Fatalf("error %v", err)
			}
			mend()
			wantNames(t, a, "live/x (default)")
			wantNames(t, to, "live/x (default)")
			if test.refreshed {
				wantApplied(t, to, "live", "x", "Bearer access-1-canary")
			}
			if _, err := a.Move(t.Context(), move); err != nil {
				t.Fatal(err)
			}
			wantNames(t, a)
			later := p.openAs(t, "other")
			later.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
			t.Cleanup(later.Close)
			if _, err := later.Header(t.Context(), "live", "x"); err != nil || len(s.reused) > 0 {
				t.Errorf("after the move: %v, tokens %v were used twice", err, s.reused)
			}
		})
	}
}

// One that never reached the other profile stays as it was.
func TestMoveThatCannotBegin(t *testing.T) {
	p := newProfile(t)
	a, to := p.openAs(t, "other"), p.open(t)
	login(t, a, "acme", "x", "ak-x")
	mend := p.fail(t)
	_, err := a.Move(t.Context(), auth.Transfer{Provider: "acme", To: to})
	if _, half := errors.AsType[*auth.MoveError](err); err == nil || half {
		t.Errorf("error %v", err)
	}
	mend()
	wantNames(t, a, "acme/x (default)")
	wantNames(t, to)
}

// A key that is there already is the same; another of its name is not.
func TestMoveInterruptedKey(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	login(t, a, "acme", "x", "ak-x")
	move := auth.Transfer{Provider: "acme", To: to}
	mend := p.fail(t)
	if _, err := a.Move(t.Context(), move); err == nil {
		t.Fatal("no error")
	}
	mend()
	if _, err := a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "x", Obtain: given("ak-new"), Force: true}); err != nil {
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
	wantNames(t, a)
	wantApplied(t, to, "acme", "x", "Bearer ak-new")
}

// A login or a logout in the profile that it leaves comes between the two vaults,
// and its word holds.
func TestMoveOfWhatIsReplacedMeanwhile(t *testing.T) {
	for name, test := range map[string]struct {
		meanwhile func(t *testing.T, a *auth.Auth)
		ok        func(error) bool
		left      []string
	}{
		"login": {func(t *testing.T, a *auth.Auth) {
			if _, err := a.Login(t.Context(), auth.LoginRequest{Provider: "acme", Connection: "x", Obtain: given("ak-new"), Force: true}); err != nil {
				t.Error(err)
			}
		}, func(err error) bool { _, half := errors.AsType[*auth.MoveError](err); return half }, []string{"acme/x (default)"}},
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
			moved, leave := moveInto(t, a, to, busy, "acme")
			test.meanwhile(t, b)
			leave()
			if err := <-moved; !test.ok(err) {
				t.Errorf("error %v", err)
			}
			wantNames(t, b, test.left...)
			wantNames(t, to, "acme/x (default)")
			wantApplied(t, to, "acme", "x", "Bearer ak-x")
		})
	}
}

// No refresh begins while the connection is between the two vaults.
func TestMoveKeepsRefreshesAway(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, b, to, busy := p.open(t), p.open(t), p.openAs(t, "other"), p.openAs(t, "other")
	t.Cleanup(b.Close)
	t.Cleanup(to.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	moved, leave := moveInto(t, a, to, busy, "live")
	refreshed := make(chan error)
	go func() {
		_, err := b.Header(context.Background(), "live", "x")
		refreshed <- err
	}()
	time.Sleep(100 * time.Millisecond) // in which it would have asked
	leave()
	if err := <-moved; err != nil {
		t.Error(err)
	}
	wantLoginRequired(t, <-refreshed, "live", "x", auth.ReasonMissing)
	wantApplied(t, to, "live", "x", "Bearer access-1-canary")
	if len(s.reused) > 0 || s.count("token") != 1 {
		t.Errorf("asked %d times, and with used tokens %v", s.count("token"), s.reused)
	}
}

// moveInto begins a move while another process has the vault it goes to, and
// returns when the connection has been read, and is yet to be written.
func moveInto(t *testing.T, a, to, busy *auth.Auth, provider string) (moved chan error, leave func()) {
	t.Helper()
	inside, release, waiting := make(chan struct{}), make(chan struct{}), make(chan struct{}, 1)
	go busy.Vault.Update(context.Background(), func(*vault.Tx) error {
		close(inside)
		<-release
		return nil
	})
	<-inside
	to.Vault.OnWait = func(string) { waiting <- struct{}{} }
	moved = make(chan error)
	go func() {
		_, err := a.Move(context.Background(), auth.Transfer{Provider: provider, To: to})
		moved <- err
	}()
	<-waiting
	return moved, func() { close(release) }
}

// signIn stores a connection that was obtained with that client.
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

func TestMoveBringsTheClient(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	client := flows.Client{ID: "me", Secret: secret.New("cs"), RegistrationURL: "https://oau.test/client/me", RegistrationToken: secret.New("rt")}
	signIn(t, a, "x", client)
	signIn(t, a, "y", client)
	const here, there = "profile:default:oau:client", "profile:other:oau:client"
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "oau", Connection: "x", To: to}); err != nil {
		t.Fatal(err)
	}
	// The other one here needs the client, so it is deleted with that one at the earliest.
	if r := raw(t, to, there); !strings.Contains(r, `"client_secret":"cs"`) || strings.Contains(r, "registration") || !strings.Contains(raw(t, a, here), "registration") {
		t.Errorf("client there %s, here %s", r, raw(t, a, here))
	}
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "oau", Connection: "y", To: to}); err != nil {
		t.Fatal(err)
	}
	if r := raw(t, to, there); !strings.Contains(r, `"registration_access_token":"rt"`) || raw(t, a, here) != "" {
		t.Errorf("client there %s, here %s", r, raw(t, a, here))
	}
	if c, err := to.Connection(t.Context(), "oau", "y"); err != nil || !c.Renewable(time.Now()) {
		t.Errorf("it cannot be renewed there: %v", err)
	}

	// A client that the user registered stays for the next login.
	signIn(t, a, "z", flows.Client{ID: "me", Secret: secret.New("cs")})
	if _, err := a.Move(t.Context(), auth.Transfer{Provider: "oau", Connection: "z", To: to}); err != nil || raw(t, a, here) == "" {
		t.Errorf("%v, or the client is gone", err)
	}
}

func TestMoveToAnotherClient(t *testing.T) {
	p := newProfile(t)
	a, to := p.open(t), p.openAs(t, "other")
	signIn(t, a, "x", flows.Client{ID: "me", Secret: secret.New("cs")})
	signIn(t, to, "y", flows.Client{ID: "you"})
	_, err := a.Move(t.Context(), auth.Transfer{Provider: "oau", To: to, Force: true})
	if e, ok := errors.AsType[*auth.ClientError](err); !ok || e.Profile != "other" || e.Connection != "x" {
		t.Errorf("error %v", err)
	}
	wantNames(t, a, "oau/x (default)")
	wantNames(t, to, "oau/y (default)")

	// One whose own client was replaced could be renewed nowhere.
	signIn(t, a, "z", flows.Client{ID: "later"})
	_, err = a.Move(t.Context(), auth.Transfer{Provider: "oau", Connection: "x", To: p.openAs(t, "third")})
	wantLoginRequired(t, err, "oau", "x", auth.ReasonClient)
}
