package auth_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authsome/authsome/auth"
)

func TestRenewAfterRefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		p, a := connected(t, "oau", e)
		b := openOther(t, p, e)
		mark := func(a *auth.Auth) uint64 {
			t.Helper()
			r, _ := http.NewRequest("GET", "https://api.oau.test/", nil)
			_, m, err := a.ApplyMarked(t.Context(), r, "oau", "x")
			if err != nil || m == 0 {
				t.Fatalf("mark %d, %v", m, err)
			}
			return m
		}
		renew := func(a *auth.Auth, m uint64, want bool) {
			t.Helper()
			if got := a.Renew(t.Context(), "oau", "x", m); got != want {
				t.Errorf("Renew returned %t, want %t", got, want)
			}
		}
		old, others := mark(a), mark(b)
		renew(a, old, false) // the token is too new
		time.Sleep(2 * time.Minute)
		var all sync.WaitGroup
		var renewed atomic.Int64
		for range 50 { // a burst of refusals
			all.Go(func() {
				if a.Renew(t.Context(), "oau", "x", old) {
					renewed.Add(1)
				}
			})
		}
		all.Wait()
		if renewed.Load() != 50 || e.count() != 1 {
			t.Errorf("%d calls of Renew succeeded with %d refreshes", renewed.Load(), e.count())
		}
		wantApplied(t, a, "oau", "x", "Bearer a1")
		renew(a, old, true)    // a has a newer token
		renew(b, others, true) // the vault has one, which b has not read yet
		wantApplied(t, b, "oau", "x", "Bearer a1")
		renew(a, mark(a), false) // the token is too new
		if e.count() != 1 {
			t.Errorf("%d refreshes", e.count())
		}
		// Continuous refusals cause one refresh a minute.
		e.failNext(slices.Repeat([]error{transient}, 100)...)
		before := e.count()
		for range 10 * 60 {
			a.Renew(t.Context(), "oau", "x", mark(a))
			time.Sleep(time.Second)
		}
		if n := e.count() - before; n < 9 || n > 10 {
			t.Errorf("%d refreshes in ten minutes of refusals", n)
		}
		renew(a, 0, false)
		if a.Renew(t.Context(), "oau", "nobody", 7) {
			t.Error("renewed a connection that does not exist")
		}
	})
}

func TestKeyHasNoMark(t *testing.T) {
	a := newAuth(t)
	login(t, a, "acme", "x", "ak-1")
	r, _ := http.NewRequest("GET", "https://api.acme.test/v1", nil)
	if _, m, err := a.ApplyMarked(t.Context(), r, "acme", "x"); m != 0 || err != nil {
		t.Errorf("mark %d, %v", m, err)
	}
}

func TestRefusedTokenWithoutExpiryIsRenewed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		loginOAuth(t, a, "oau", tokens{"b0", "s0", 0})
		time.Sleep(200 * time.Hour)
		r, _ := http.NewRequest("GET", "https://api.oau.test/", nil)
		_, m, err := a.ApplyMarked(t.Context(), r, "oau", "x")
		if err != nil || r.Header.Get("Authorization") != "Bearer b0" || e.count() != 0 {
			t.Fatalf("%v, %v, %d calls", r.Header, err, e.count())
		}
		if !a.Renew(t.Context(), "oau", "x", m) {
			t.Error("Renew returned false")
		}
		wantApplied(t, a, "oau", "x", "Bearer a1")
	})
}

func TestKeepFresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{delay: time.Second}
		p, a := connected(t, "oau", e)
		loginOAuth(t, a, "reuse", tokens{"a0", "r0", time.Hour}) // connected, but not wanted by KeepFresh
		if err := a.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() {
			a.KeepFresh(ctx, func(provider, connection string) bool { return provider == "oau" && connection == "x" })
		})
		for n := range 5 { // without requests
			end := stored(t, a, "oau").ExpiresAt
			time.Sleep(time.Until(end.Add(-301 * time.Second)))
			if e.count() != n {
				t.Fatalf("%d refreshes, want %d", e.count(), n)
			}
			time.Sleep(time.Until(end.Add(-time.Second)))
			begun := time.Now()
			wantApplied(t, a, "oau", "x", fmt.Sprint("Bearer a", n+1))
			if time.Since(begun) > 0 {
				t.Error("a request waited")
			}
		}
		wantApplied(t, openOther(t, p, e), "oau", "x", "Bearer a5")
		if c := stored(t, a, "reuse"); c.AccessToken.Reveal() != "a0" {
			t.Error("an unwanted connection was refreshed")
		}
		cancel()
		keeping.Wait()
	})
}

// While a machine sleeps, its clock goes on and its timers stop.
func TestClockJumps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		var slept atomic.Int64
		a.Now = func() time.Time { return time.Now().Add(time.Duration(slept.Load())).Round(0) }
		if err := a.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { a.KeepFresh(ctx, func(string, string) bool { return true }) })
		time.Sleep(time.Minute)
		slept.Store(int64(57 * time.Minute))
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if e.count() != 1 {
			t.Errorf("%d refreshes half a minute after the machine woke up, want 1", e.count())
		}
		cancel()
		keeping.Wait()
		// A clock that is put back does not prevent refreshes.
		e.failNext(transient)
		e.life = 24 * time.Hour
		slept.Store(int64(10 * time.Hour))
		_, err := apply(t, a, "oau", "x")
		wantUnavailable(t, err, time.Second)
		slept.Store(int64(5 * time.Hour)) // after the token's expiry, and long before retryAt
		wantApplied(t, a, "oau", "x", "Bearer a3")
	})
}

// KeepFresh does not keep calling an endpoint that is down.
func TestKeepFreshGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		if err := a.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.failNext(slices.Repeat([]error{transient}, 10000)...)
		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { a.KeepFresh(ctx, func(string, string) bool { return true }) })
		time.Sleep(time.Hour)
		n := e.count()
		if n < 5 || n > 20 {
			t.Errorf("%d attempts before the token expired", n)
		}
		time.Sleep(100 * time.Hour)
		if more := e.count() - n; more > 1 {
			t.Errorf("%d attempts after the token expired", more)
		}
		e.failNext()
		wantApplied(t, a, "oau", "x", fmt.Sprint("Bearer a", e.count()+1))
		cancel()
		keeping.Wait()
	})
}
