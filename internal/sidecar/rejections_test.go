package sidecar

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/rejection"
	"github.com/authsome/authsome/secret"
)

// newRejections follows the key of acme/default, which was obtained an hour ago.
func newRejections(dir string) (*rejections, auth.Connection) {
	r := &rejections{store: rejection.Store{Dir: dir}, log: slog.New(slog.DiscardHandler)}
	c := auth.Connection{Provider: "acme", Name: "default", Status: auth.StatusConnected, APIKey: secret.New("k"), ObtainedAt: time.Now().Add(-time.Hour)}
	r.use([]auth.Connection{c}, time.Now())
	return r, c
}

// answer is an exchange that got the credential of acme/default.
func answer(status int) *intercept.Exchange {
	return &intercept.Exchange{Kind: intercept.KindRequest, Provider: "acme", Connection: "default", Injected: true, Status: status, Start: time.Now()}
}

// Only a 401 from the service to a request with the credential rejects it, and only a
// success clears that.
func TestWhatRejectsACredential(t *testing.T) {
	r, c := newRejections("")
	own, bare, old, other := answer(401), answer(401), answer(401), answer(401)
	own.Code, bare.Injected, other.Connection = intercept.CodeProxyAuthRequired, false, "other"
	old.Start = c.ObtainedAt.Add(-time.Second)
	for name, x := range map[string]*intercept.Exchange{
		"the proxy's own answer": own, "without the credential": bare, "begun with the previous key": old, "another connection": other,
		"forbidden": answer(403), "not found": answer(404), "success": answer(200), "nothing": answer(0),
	} {
		if r.observe(x); len(r.current()) > 0 {
			t.Fatalf("%s rejects the credential", name)
		}
	}
	r.observe(answer(401))
	since := r.current()
	if len(since) != 1 || time.Since(since[0].Since) > time.Minute {
		t.Fatalf("after a 401: %v", since)
	}
	for _, status := range []int{401, 403, 404, 500, 302} {
		if r.observe(answer(status)); len(r.current()) != 1 || r.current()[0] != since[0] {
			t.Errorf("after a %d: %v", status, r.current())
		}
	}
	if r.observe(answer(204)); len(r.current()) != 0 {
		t.Errorf("after a success: %v", r.current())
	}
}

// A token that auth can refresh is not followed, nor is a connection that needs a login.
func TestRenewableTokensAreNotFollowed(t *testing.T) {
	r, c := newRejections("")
	renewable, unusable := c, c
	renewable.RefreshToken = secret.New("r")
	unusable.Status = auth.StatusRevoked
	for _, c := range []auth.Connection{renewable, unusable} {
		r.use([]auth.Connection{c}, time.Now())
		if r.observe(answer(401)); len(r.current()) != 0 {
			t.Errorf("%+v is rejected", c)
		}
	}
}

// The processes of a profile know the same rejections.
func TestRejectionsAreShared(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rejected")
	one, c := newRejections(dir)
	two := &rejections{store: one.store, log: one.log}
	two.use([]auth.Connection{c}, time.Now())
	one.observe(answer(401))
	one.sync(time.Now(), false)
	if two.sync(time.Now(), false); len(two.current()) != 1 {
		t.Fatalf("the other process knows %v", two.current())
	}
	if since := one.store.Since(CredentialOf(c)); !since.Equal(two.current()[0].Since) {
		t.Errorf("a command reads %v, want %v", since, two.current())
	}
	two.observe(answer(200))
	two.sync(time.Now(), false)
	if one.sync(time.Now(), false); len(one.current()) != 0 {
		t.Errorf("after a success elsewhere: %v", one.current())
	}
	if since := one.store.Since(CredentialOf(c)); !since.IsZero() {
		t.Errorf("after a success elsewhere, a command reads %v", since)
	}
}

// A run that ends before the first regular sync clears an older rejection by a success.
func TestShortRunClearsARejection(t *testing.T) {
	one, c := newRejections(filepath.Join(t.TempDir(), "rejected"))
	one.observe(answer(401))
	one.sync(time.Now(), true)
	two := &rejections{store: one.store, log: one.log}
	if two.use([]auth.Connection{c}, time.Now()); len(two.current()) != 1 {
		t.Fatalf("at its start, the second process knows %v", two.current())
	}
	two.observe(answer(200))
	if two.sync(time.Now(), true); !one.store.Since(CredentialOf(c)).IsZero() {
		t.Error("the rejection is still stored after a success")
	}
}

// What was known about a key says nothing about the one that replaces it.
func TestNewKeyIsNotRejected(t *testing.T) {
	r, c := newRejections(filepath.Join(t.TempDir(), "rejected"))
	r.observe(answer(401))
	r.sync(time.Now(), false)
	r.use([]auth.Connection{c}, time.Now())
	if r.sync(time.Now(), false); len(r.current()) != 1 {
		t.Errorf("after a reload: %v", r.current())
	}
	c.ObtainedAt = time.Now()
	r.use([]auth.Connection{c}, time.Now())
	if r.sync(time.Now(), true); len(r.current()) != 0 || !r.store.Since(CredentialOf(c)).IsZero() {
		t.Errorf("the new key: %v, %v", r.current(), r.store.Since(CredentialOf(c)))
	}
}

// However often an agent provokes a 401 and a success, little is written. The end of
// the process writes the last state.
func TestRejectionsAreWrittenRarely(t *testing.T) {
	r, c := newRejections(filepath.Join(t.TempDir(), "rejected"))
	stored := func() bool { return !r.store.Since(CredentialOf(c)).IsZero() }
	writes, before := 0, false
	now, begin := time.Now(), time.Now()
	for ; now.Sub(begin) < time.Minute; now = now.Add(pollInterval) {
		status := 401
		if before {
			status = 200
		}
		for range 100 {
			r.observe(answer(601 - status))
			r.observe(answer(status))
		}
		if r.sync(now, false); stored() != before {
			writes, before = writes+1, !before
		}
	}
	if writes < 2 || writes > int(time.Minute/rejectionsInterval)+1 {
		t.Errorf("%d writes in a minute", writes)
	}
	status := 401
	if before {
		status = 200
	}
	r.observe(answer(status))
	if r.sync(now.Add(-pollInterval), true); stored() == before {
		t.Error("the end of the process does not write")
	}
}

// In a home that cannot be written, rejections are known in this process, and the log
// says once why they are not stored.
func TestUnwritableRejections(t *testing.T) {
	var log strings.Builder
	r, _ := newRejections(filepath.Join(t.TempDir(), "missing", "rejected"))
	r.log = slog.New(slog.NewTextHandler(&log, nil))
	r.observe(answer(401))
	for range 3 {
		r.sync(time.Now(), true)
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || len(r.current()) != 1 {
		t.Errorf("%d lines in the log, current %v", n, r.current())
	}
}

// A running sidecar stores what its requests show, and shows it in its metrics.
func TestRejectionsOfASidecar(t *testing.T) {
	var store rejection.Store
	r := start(t, func(r *rig, o *Options) {
		store = rejection.Store{Dir: filepath.Join(r.dir, "rejected")}
		o.Rejections = store
	})
	c, err := r.second.Connection(t.Context(), "acme", "default")
	if err != nil {
		t.Fatal(err)
	}
	r.record(*answer(401))
	r.until(t, "the rejection is stored", func() bool { return !store.Since(CredentialOf(c)).IsZero() })
	if got := r.rejections.current(); len(got) != 1 {
		t.Errorf("metrics: %v", got)
	}
}
