package auth_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
)

// If the answer to a refresh is lost, the refresh token is sent once more when the access
// token has expired, and then never again.
func TestAmbiguousFailure(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []error
		reason  string // empty if the result is a new token
		code    string
		calls   int
	}{
		{"the second succeeds", []error{ambiguous}, "", "", 2},
		{"the second is refused, because the first was accepted", []error{ambiguous, permanent}, auth.ReasonInvalid, "invalid_grant", 2},
		{"the second is also lost", []error{ambiguous, ambiguous}, auth.ReasonInvalid, "no_answer", 2},
		{"an answer without a token", []error{malformed, permanent}, auth.ReasonInvalid, "invalid_grant", 2},
		{"complete answers in between", []error{ambiguous, transient, transient}, "", "", 4},
		{"a complete answer, then the next is lost", []error{ambiguous, transient, ambiguous}, auth.ReasonInvalid, "no_answer", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				e := &endpoint{}
				p, a := connected(t, "oau", e)
				e.failNext(test.answers...)
				time.Sleep(56*time.Minute + 30*time.Second)
				for range 209 {
					wantApplied(t, a, "oau", "x", "Bearer a0")
					time.Sleep(time.Second)
				}
				if e.count() != 1 {
					t.Errorf("%d attempts while the old token was valid", e.count())
				}
				if c := stored(t, a, "oau"); c.RefreshStarted.IsZero() || c.RefreshAttempts != 1 || c.Status != auth.StatusConnected {
					t.Errorf("stored %+v", c)
				}
				time.Sleep(time.Second)
				b := openOther(t, p, e)
				for range 40 {
					apply(t, a, "oau", "x")
					apply(t, b, "oau", "x")
					time.Sleep(time.Second)
				}
				_, err := apply(t, a, "oau", "x")
				if test.reason == "" {
					wantApplied(t, a, "oau", "x", fmt.Sprint("Bearer a", test.calls))
					wantApplied(t, b, "oau", "x", fmt.Sprint("Bearer a", test.calls))
				} else {
					wantLoginRequired(t, err, "oau", "x", test.reason)
				}
				if c := stored(t, a, "oau"); c.StatusCode != test.code || c.RefreshAttempts != 0 || !c.RefreshStarted.IsZero() {
					t.Errorf("stored %+v", c)
				}
				if e.count() != test.calls {
					t.Errorf("%d attempts, want %d", e.count(), test.calls)
				}
				for _, token := range e.refresh {
					if token != "r0" {
						t.Errorf("sent %q", token)
					}
				}
			})
		})
	}
}

// A panic while an answer is handled does not end the process. It counts as a lost
// answer, and what the answer said does not reach the log.
func TestPanicOfARefreshIsALostAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		var reported auth.Refresh
		a.OnRefresh = func(r auth.Refresh) { reported = r }
		a.SetGrant(func(context.Context, *flows.Config, auth.Connection) (flows.Token, error) { panic("secret text") })
		time.Sleep(61 * time.Minute)
		_, err := apply(t, a, "oau", "x")
		wantUnavailable(t, err, time.Second)
		if reported.Outcome != auth.RefreshAmbiguous || reported.Err == nil || strings.Contains(reported.Err.Error(), "secret text") {
			t.Errorf("reported %+v", reported)
		}
		a.SetGrant(e.grant)
		time.Sleep(time.Second)
		wantApplied(t, a, "oau", "x", "Bearer a1")
	})
}

// A refresh whose process was killed counts as one whose answer was lost.
func TestKilledRefresh(t *testing.T) {
	record := func(attempts int, expires string) string {
		return fmt.Sprintf(`{"status":"connected","auth_type":"oauth2","access_token":"a0","refresh_token":"r0","client_id":"me","flow":"pkce","expires_at":%q,
			"obtained_at":"1999-12-31T23:00:00Z","token_endpoint":"https://oau.test/token","refresh_started":"1999-12-31T23:59:00Z","refresh_attempts":%d}`, expires, attempts)
	}
	for _, test := range []struct {
		name    string
		record  string
		answers []error
		want    string // Authorization, or the code of an invalid connection
		calls   int
	}{
		{"the old token is still valid", record(1, "2000-01-01T00:01:00Z"), nil, "Bearer a0", 0},
		{"a second attempt", record(1, "2000-01-01T00:00:00Z"), nil, "Bearer a1", 1},
		{"a second attempt is refused", record(1, "2000-01-01T00:00:00Z"), []error{permanent}, "invalid_grant", 1},
		{"killed twice", record(2, "2000-01-01T00:00:00Z"), nil, "no_answer", 0},
		{"killed twice, the old token is still valid", record(2, "2000-01-01T00:01:00Z"), nil, "Bearer a0", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				e := &endpoint{life: time.Hour}
				a := openOther(t, newProfile(t), e)
				putRecord(t, a, "profile:default:oau:connection:x", test.record)
				e.failNext(test.answers...)
				for range 3 {
					h, err := apply(t, a, "oau", "x")
					login, ok := errors.AsType[*auth.LoginRequiredError](err)
					if ok && login.Code != test.want || !ok && h.Get("Authorization") != test.want {
						t.Errorf("got %v, %v; want %s", h, err, test.want)
					}
				}
				if e.count() != test.calls {
					t.Errorf("%d attempts, want %d", e.count(), test.calls)
				}
			})
		})
	}
}

// If a refresh does not use the refresh token up, a lost answer is a transient failure.
func TestAmbiguousFailureWithoutRotation(t *testing.T) {
	for _, provider := range []string{"reuse", "machine"} {
		t.Run(provider, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				e := &endpoint{}
				_, a := connected(t, provider, e)
				e.failNext(ambiguous, ambiguous, malformed, ambiguous)
				time.Sleep(time.Hour)
				for range 4 {
					_, err := apply(t, a, provider, "x")
					wantUnavailable(t, err, 30*time.Second)
					time.Sleep(30 * time.Second)
				}
				wantApplied(t, a, provider, "x", "Bearer a5")
				if provider == "machine" && e.refresh[0] != "" {
					t.Error("a refresh token was sent")
				}
			})
		})
	}
}

// If a refresh invalidates the access token, requests wait for the new one.
func TestOldTokenIsNotUsedDuringInvalidatingRefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{delay: 5 * time.Second}
		p, a := connected(t, "strict", e)
		b := openOther(t, p, e)
		wantApplied(t, b, "strict", "x", "Bearer a0")
		time.Sleep(57 * time.Minute)
		wantApplied(t, a, "strict", "x", "Bearer a0") // starts the refresh
		time.Sleep(time.Second)
		if err := b.Reload(t.Context()); err != nil { // as a process does when the generation changes
			t.Fatal(err)
		}
		var both sync.WaitGroup
		begun := time.Now()
		for _, one := range []*auth.Auth{a, b} {
			both.Go(func() { wantApplied(t, one, "strict", "x", "Bearer a1") })
		}
		both.Wait()
		if waited := time.Since(begun); waited < 3*time.Second || e.count() != 1 {
			t.Errorf("waited %v, %d calls", waited, e.count())
		}
		// If the answer is lost, no token is valid.
		e.failNext(ambiguous)
		time.Sleep(57 * time.Minute)
		wantApplied(t, a, "strict", "x", "Bearer a1")
		time.Sleep(10 * time.Second)
		wantApplied(t, a, "strict", "x", "Bearer a3")
	})
}
