package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
)

func TestFreshTokenNeedsNeitherLockNorFile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		p, a := connected(t, "oau", e)
		wantApplied(t, a, "oau", "x", "Bearer a0")
		home := filepath.Join(p.dir, "profile")
		if err := os.Rename(home, home+".away"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(55*time.Minute - time.Second)
		wantApplied(t, a, "oau", "x", "Bearer a0")
		if err := os.Rename(home+".away", home); err != nil {
			t.Fatal(err)
		}
		if e.count() != 0 {
			t.Error("a fresh token was refreshed")
		}
	})
}

func TestDueTokenIsUsedWhileItIsRefreshed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{delay: time.Second}
		_, a := connected(t, "oau", e)
		time.Sleep(57 * time.Minute) // due, with any jitter
		begun := time.Now()
		for range 100 {
			wantApplied(t, a, "oau", "x", "Bearer a0")
		}
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("requests waited %v although the token was still valid", waited)
		}
		time.Sleep(2 * time.Second)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		c := stored(t, a, "oau")
		if e.count() != 1 || c.AccessToken.Reveal() != "a1" || c.RefreshToken.Reveal() != "r1" || !c.RefreshStarted.IsZero() || c.RefreshAttempts != 0 {
			t.Errorf("%d calls, stored %s %s, %+v", e.count(), c.AccessToken.Reveal(), c.RefreshToken.Reveal(), c)
		}
		if e.client.ID != "me" || e.client.Secret.Reveal() != "client-secret" {
			t.Errorf("requested as client %q", e.client.ID)
		}
		// The new token is refreshed by its own expiry.
		time.Sleep(54 * time.Minute)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		if e.count() != 1 {
			t.Error("refreshed again before it was due")
		}
	})
}

func TestExpiredTokenIsRefreshedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{delay: time.Second}
		p, a := connected(t, "oau", e)
		b := openOther(t, p, e)
		wantApplied(t, b, "oau", "x", "Bearer a0")
		time.Sleep(time.Hour)
		var all sync.WaitGroup
		for i := range 500 {
			all.Go(func() { wantApplied(t, []*auth.Auth{a, b}[i%2], "oau", "x", "Bearer a1") })
		}
		all.Wait()
		if e.count() != 1 {
			t.Errorf("%d refreshes", e.count())
		}
	})
}

func TestTransientFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		p, a := connected(t, "oau", e)
		e.failNext(slices.Repeat([]error{transient}, 1000)...)
		time.Sleep(58 * time.Minute)
		for range 119 { // a request each second until the token expires
			wantApplied(t, a, "oau", "x", "Bearer a0")
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := e.count(); n < 6 || n > 9 {
			t.Errorf("%d attempts in two minutes", n)
		}
		for i := 1; i < len(e.calls); i++ {
			// Requests come once a second, so a wait can be up to a second longer.
			want := min(time.Second<<(i-1), 30*time.Second)
			if wait := e.calls[i].Sub(e.calls[i-1]); wait < want-want/5 || wait > want+2*time.Second {
				t.Errorf("wait %d was %v", i, wait)
			}
		}
		time.Sleep(2 * time.Second)
		_, err := apply(t, a, "oau", "x")
		wantUnavailable(t, err, 30*time.Second)
		n := e.count()
		for range 100 {
			_, err := apply(t, a, "oau", "x")
			wantUnavailable(t, err, 30*time.Second)
		}
		if e.count() > n+1 {
			t.Errorf("%d attempts for a hundred requests at the same time", e.count()-n)
		}
		c := stored(t, a, "oau")
		if c.Status != auth.StatusConnected || c.RefreshAttempts != 0 || !c.RefreshStarted.IsZero() {
			t.Errorf("stored %+v", c)
		}
		// Another process does not wait for this one's back-off.
		e.failNext()
		b := openOther(t, p, e)
		want := fmt.Sprint("Bearer a", e.count()+1)
		wantApplied(t, b, "oau", "x", want)
		time.Sleep(30 * time.Second)
		wantApplied(t, a, "oau", "x", want)
	})
}

func TestRetryAfterIsRespected(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		e.failNext(&flows.TokenError{Kind: flows.Transient, Status: 429, RetryAfter: 90 * time.Second})
		time.Sleep(time.Hour)
		_, err := apply(t, a, "oau", "x")
		wantUnavailable(t, err, 90*time.Second)
		time.Sleep(89 * time.Second)
		_, err = apply(t, a, "oau", "x")
		wantUnavailable(t, err, time.Second)
		if e.count() != 1 {
			t.Errorf("%d attempts before Retry-After had passed", e.count())
		}
		time.Sleep(time.Second)
		wantApplied(t, a, "oau", "x", "Bearer a2")
	})
}

func TestPermanentFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		p, a := connected(t, "oau", e)
		var reported []auth.Refresh
		a.OnRefresh = func(r auth.Refresh) { reported = append(reported, r) }
		e.failNext(permanent)
		time.Sleep(time.Hour)
		at := time.Now()
		for range 50 {
			_, err := apply(t, a, "oau", "x")
			wantLoginRequired(t, err, "oau", "x", auth.ReasonInvalid)
			if login, ok := errors.AsType[*auth.LoginRequiredError](err); !ok || login.Code != "invalid_grant" || !login.Since.Equal(at) ||
				!strings.Contains(err.Error(), "invalid since 2000-01-01T01:00:00Z (invalid_grant)") {
				t.Errorf("error %v", err)
			}
			time.Sleep(time.Minute)
		}
		c := stored(t, a, "oau")
		if c.Status != auth.StatusInvalid || c.StatusCode != "invalid_grant" || !c.StatusSince.Equal(at) || c.Err(time.Now()) == nil {
			t.Errorf("stored %+v", c)
		}
		_, err := apply(t, openOther(t, p, e), "oau", "x")
		wantLoginRequired(t, err, "oau", "x", auth.ReasonInvalid)
		if e.count() != 1 {
			t.Errorf("%d attempts with a token that was refused permanently", e.count())
		}
		if len(reported) != 1 || reported[0].Outcome != auth.RefreshInvalid || reported[0].Code != "invalid_grant" || reported[0].Connection != "x" {
			t.Errorf("reported %+v", reported)
		}
		loginOAuth(t, a, "oau", tokens{"b0", "s0", time.Hour})
		wantApplied(t, a, "oau", "x", "Bearer b0")
		if c := stored(t, a, "oau"); c.Status != auth.StatusConnected || c.StatusCode != "" || !c.StatusSince.IsZero() {
			t.Errorf("stored after a login %+v", c)
		}
	})
}

func TestNewTokenWithoutExpiry(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		e.life = 0
		time.Sleep(time.Hour)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		time.Sleep(200 * time.Hour)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		if c := stored(t, a, "oau"); !c.ExpiresAt.IsZero() || e.count() != 1 {
			t.Errorf("expires at %v, %d calls", c.ExpiresAt, e.count())
		}
	})
}

// A refresh goes on if the request that started it is cancelled.
func TestCancelledRequestDoesNotCancelRefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{delay: 5 * time.Second}
		_, a := connected(t, "oau", e)
		time.Sleep(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := make(chan error)
		go func() {
			r, _ := http.NewRequest("GET", "https://api.oau.test/", nil)
			cancelled <- a.Apply(ctx, r, "oau", "x")
		}()
		time.Sleep(time.Second)
		cancel()
		if err := <-cancelled; !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled request got %v", err)
		}
		wantApplied(t, a, "oau", "x", "Bearer a1")
		if e.count() != 1 {
			t.Errorf("%d calls", e.count())
		}
	})
}

// A login during a refresh wins over its result.
func TestLoginDuringRefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{delay: 10 * time.Second}
		p, a := connected(t, "oau", e)
		b := openOther(t, p, e)
		time.Sleep(57 * time.Minute)
		wantApplied(t, a, "oau", "x", "Bearer a0")
		time.Sleep(time.Second)
		loginOAuth(t, b, "oau", tokens{"b0", "s0", time.Hour})
		time.Sleep(10 * time.Second)
		wantApplied(t, a, "oau", "x", "Bearer b0")
		wantApplied(t, b, "oau", "x", "Bearer b0")
		if c := stored(t, a, "oau"); c.RefreshToken.Reveal() != "s0" {
			t.Errorf("stored %s", c.RefreshToken.Reveal())
		}
	})
}

// A refresh token is not sent to the token endpoint of a changed definition. Until the
// definition is accepted, the connection uses its own one; then it needs a login.
func TestChangedTokenEndpointGetsNothing(t *testing.T) {
	changed := strings.ReplaceAll(oauth("oau", `"flows":["pkce"]`, ``), "https://oau.test/token", "https://evil.test/token")
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		replace(t, a, changed)
		time.Sleep(time.Hour)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		if !slices.Equal(e.endpoints, []string{"https://oau.test/token"}) {
			t.Errorf("refreshed at %s", e.endpoints)
		}
	})
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		replace(t, a, changed)
		accept(t, a, "oau", "x")
		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { a.KeepFresh(ctx, func(string, string) bool { return true }) })
		time.Sleep(59 * time.Minute)
		wantApplied(t, a, "oau", "x", "Bearer a0")
		time.Sleep(time.Minute)
		_, err := apply(t, a, "oau", "x")
		wantLoginRequired(t, err, "oau", "x", auth.ReasonEndpoint)
		if c := stored(t, a, "oau"); c.Status != auth.StatusExpired || c.Err(time.Now()) == nil {
			t.Errorf("connection %+v", c)
		}
		if e.count() != 0 {
			t.Error("the token was sent")
		}
		loginOAuth(t, a, "oau", tokens{"b0", "s0", time.Hour})
		time.Sleep(time.Hour)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		cancel()
		keeping.Wait()
	})
}

func TestCloseWaitsForRefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{delay: 5 * time.Second}
		p, a := connected(t, "oau", e)
		time.Sleep(57 * time.Minute)
		wantApplied(t, a, "oau", "x", "Bearer a0")
		time.Sleep(time.Second)
		a.Close()
		if c := stored(t, openOther(t, p, e), "oau"); c.RefreshToken.Reveal() != "r1" {
			t.Errorf("stored %s when Close returned", c.RefreshToken.Reveal())
		}
		wantApplied(t, a, "oau", "x", "Bearer a1")
		time.Sleep(time.Hour)
		_, err := apply(t, a, "oau", "x")
		wantUnavailable(t, err, time.Second)
		if e.count() != 1 {
			t.Error("refreshed after Close")
		}
	})
}

// If the provider's clock and ours differ by more than a token's life, each new token has
// already expired. It is used, and it is not refreshed at every request.
func TestNewTokenIsAlreadyExpired(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{life: -time.Hour}
		_, a := connected(t, "oau", e)
		time.Sleep(time.Hour)
		for range 600 {
			h, err := apply(t, a, "oau", "x")
			if want := fmt.Sprint("Bearer a", e.count()); err != nil || h.Get("Authorization") != want {
				t.Fatalf("%v, %v; want %s", h, err, want)
			}
			time.Sleep(time.Second)
		}
		if n := e.count(); n < 9 || n > 12 {
			t.Errorf("%d refreshes in ten minutes", n)
		}
	})
}
