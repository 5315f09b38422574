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
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// What a token endpoint can come to.
var (
	transient = &flows.TokenError{Kind: flows.Transient, Status: 503}
	permanent = &flows.TokenError{Kind: flows.Permanent, Status: 400, Code: "invalid_grant"}
	ambiguous = &flows.TokenError{Kind: flows.Ambiguous, Err: context.DeadlineExceeded}
	nonsense  = &flows.TokenError{Kind: flows.Protocol, Status: 200}
)

// endpoint is a token endpoint that lives in this process, and no network.
type endpoint struct {
	life time.Duration // of its tokens; 0 gives none
	take time.Duration // an answer

	mu      sync.Mutex // guards all below
	calls   []time.Time
	refresh []string // tokens that were sent
	answers []error  // to come, then success
	client  flows.Client
}

func (e *endpoint) grant(ctx context.Context, config *flows.Config, c auth.Connection) (flows.Token, error) {
	e.mu.Lock()
	e.calls = append(e.calls, time.Now())
	n := len(e.calls)
	e.refresh = append(e.refresh, c.RefreshToken.Reveal())
	e.client = config.Client
	var err error
	if len(e.answers) > 0 {
		err, e.answers = e.answers[0], e.answers[1:]
	}
	take := e.take
	e.mu.Unlock()
	select {
	case <-ctx.Done():
		return flows.Token{}, ambiguous
	case <-time.After(take):
	}
	if err != nil {
		return flows.Token{}, err
	}
	t := flows.Token{AccessToken: secret.New(fmt.Sprint("a", n)), TokenType: "Bearer"}
	if !c.RefreshToken.IsZero() {
		t.RefreshToken = secret.New(fmt.Sprint("r", n))
	}
	if e.life != 0 {
		t.ExpiresAt = time.Now().Add(e.life)
	}
	return t, nil
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calls)
}

func (e *endpoint) next(answers ...error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers = answers
}

// connected is a profile whose connection x of the provider has a token a0 for an
// hour, obtained now, and whose token endpoint is e. It is for a bubble, in which
// time is synctest's.
func connected(t *testing.T, provider string, e *endpoint) (*profile, *auth.Auth) {
	t.Helper()
	if e.life == 0 {
		e.life = time.Hour
	}
	p := newProfile(t)
	a := p.open(t)
	a.SetGrant(e.grant)
	t.Cleanup(a.Close)
	loginOAuth(t, a, provider, "a0", "r0", time.Hour)
	return p, a
}

// another is another process's view of the profile.
func another(t *testing.T, p *profile, e *endpoint) *auth.Auth {
	t.Helper()
	a := p.open(t)
	a.SetGrant(e.grant)
	t.Cleanup(a.Close)
	return a
}

func loginOAuth(t *testing.T, a *auth.Auth, provider, access, refresh string, life time.Duration) {
	t.Helper()
	_, err := a.Login(t.Context(), auth.LoginRequest{Provider: provider, Connection: "x", Force: true,
		Obtain: func(_ context.Context, d *providers.Definition, _ auth.Known) (flows.Obtained, error) {
			o := flows.Obtained{Client: flows.Client{ID: "me", Secret: secret.New("client-secret")}, Flow: d.Flows[0]}
			o.Token = flows.Token{AccessToken: secret.New(access), RefreshToken: secret.New(refresh), TokenType: "bearer"}
			if life > 0 {
				o.Token.ExpiresAt = time.Now().Add(life)
			}
			if o.Flow == providers.FlowClientCredentials {
				o.Token.RefreshToken = secret.String{}
			}
			return o, nil
		}})
	if err != nil {
		t.Fatalf("login %s: %v", provider, err)
	}
}

func stored(t *testing.T, a *auth.Auth, provider string) auth.Connection {
	t.Helper()
	c, err := a.Connection(t.Context(), provider, "x")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func wantUnavailable(t *testing.T, err error, after time.Duration) {
	t.Helper()
	later, ok := errors.AsType[*auth.RefreshUnavailableError](err)
	if !ok || !errors.Is(err, auth.ErrRefreshUnavailable) || errors.Is(err, auth.ErrLoginRequired) || later.RetryAfter <= 0 || later.RetryAfter > after {
		t.Errorf("error %v, want one to try again after at most %v", err, after)
	}
}

// bubble runs a test in which time passes at once.
func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, fn)
}

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

func TestDueTokenIsServedWhileItIsRenewed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{take: time.Second}
		_, a := connected(t, "oau", e)
		time.Sleep(57 * time.Minute) // within the window, whatever the jitter
		begun := time.Now()
		for range 100 {
			wantApplied(t, a, "oau", "x", "Bearer a0")
		}
		if waited := time.Since(begun); waited > 0 {
			t.Errorf("requests waited %v for a refresh that they did not need yet", waited)
		}
		time.Sleep(2 * time.Second)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		c := stored(t, a, "oau")
		if e.count() != 1 || c.AccessToken.Reveal() != "a1" || c.RefreshToken.Reveal() != "r1" || !c.RefreshStarted.IsZero() || c.RefreshAttempts != 0 {
			t.Errorf("%d calls, stored %s %s, %+v", e.count(), c.AccessToken.Reveal(), c.RefreshToken.Reveal(), c)
		}
		if e.client.ID != "me" || e.client.Secret.Reveal() != "client-secret" {
			t.Errorf("asked as client %q", e.client.ID)
		}
		// The new one has a life of its own.
		time.Sleep(54 * time.Minute)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		if e.count() != 1 {
			t.Error("refreshed again before it was due")
		}
	})
}

func TestExpiredTokenIsRenewedOnceForAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{take: time.Second}
		p, a := connected(t, "oau", e)
		b := another(t, p, e)
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
		fails := make([]error, 1000)
		for i := range fails {
			fails[i] = transient
		}
		e.next(fails...)
		time.Sleep(58 * time.Minute)
		for range 119 { // a request each second, to the end of the token
			wantApplied(t, a, "oau", "x", "Bearer a0")
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if n := e.count(); n < 6 || n > 9 {
			t.Errorf("%d attempts in two minutes", n)
		}
		for i := 1; i < len(e.calls); i++ {
			// A request comes every second, so a wait can be that much longer.
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
			t.Errorf("%d attempts for a hundred requests at one time", e.count()-n)
		}
		c := stored(t, a, "oau")
		if c.Status != auth.StatusConnected || c.RefreshAttempts != 0 || !c.RefreshStarted.IsZero() {
			t.Errorf("stored %+v", c)
		}
		// Another process is not bound by this one's wait.
		e.next()
		b := another(t, p, e)
		want := fmt.Sprint("Bearer a", e.count()+1)
		wantApplied(t, b, "oau", "x", want)
		time.Sleep(30 * time.Second)
		wantApplied(t, a, "oau", "x", want)
	})
}

func TestRetryAfterIsHonoured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		e.next(&flows.TokenError{Kind: flows.Transient, Status: 429, RetryAfter: 90 * time.Second})
		time.Sleep(time.Hour)
		_, err := apply(t, a, "oau", "x")
		wantUnavailable(t, err, 90*time.Second)
		time.Sleep(89 * time.Second)
		_, err = apply(t, a, "oau", "x")
		wantUnavailable(t, err, time.Second)
		if e.count() != 1 {
			t.Errorf("%d attempts before the time that the provider asked for", e.count())
		}
		time.Sleep(time.Second)
		wantApplied(t, a, "oau", "x", "Bearer a2")
	})
}

func TestPermanentFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		p, a := connected(t, "oau", e)
		var heard []auth.Refresh
		a.OnRefresh = func(r auth.Refresh) { heard = append(heard, r) }
		e.next(permanent)
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
		_, err := apply(t, another(t, p, e), "oau", "x")
		wantLoginRequired(t, err, "oau", "x", auth.ReasonInvalid)
		if e.count() != 1 {
			t.Errorf("%d attempts with a token that was refused for good", e.count())
		}
		if len(heard) != 1 || heard[0].Outcome != auth.RefreshInvalid || heard[0].Code != "invalid_grant" || heard[0].Connection != "x" {
			t.Errorf("heard %+v", heard)
		}
		loginOAuth(t, a, "oau", "b0", "s0", time.Hour)
		wantApplied(t, a, "oau", "x", "Bearer b0")
		if c := stored(t, a, "oau"); c.Status != auth.StatusConnected || c.StatusCode != "" || !c.StatusSince.IsZero() {
			t.Errorf("stored after a login %+v", c)
		}
	})
}

// A refresh token whose answer was lost is sent once more when there is nothing
// else left, and then never again.
func TestAmbiguousFailure(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []error
		reason  string // "" is a new token
		code    string
		calls   int
	}{
		{"the second is taken", []error{ambiguous}, "", "", 2},
		{"the second is refused: the first was taken", []error{ambiguous, permanent}, auth.ReasonInvalid, "invalid_grant", 2},
		{"the second is lost too", []error{ambiguous, ambiguous}, auth.ReasonInvalid, "no_answer", 2},
		{"an answer without a token", []error{nonsense, permanent}, auth.ReasonInvalid, "invalid_grant", 2},
		{"a complete answer in between", []error{ambiguous, transient, transient}, "", "", 4},
		{"and then lost again", []error{ambiguous, transient, ambiguous}, auth.ReasonInvalid, "no_answer", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				e := &endpoint{}
				p, a := connected(t, "oau", e)
				e.next(test.answers...)
				time.Sleep(56*time.Minute + 30*time.Second)
				for range 209 {
					wantApplied(t, a, "oau", "x", "Bearer a0")
					time.Sleep(time.Second)
				}
				if e.count() != 1 {
					t.Errorf("%d attempts while the old token served", e.count())
				}
				if c := stored(t, a, "oau"); c.RefreshStarted.IsZero() || c.RefreshAttempts != 1 || c.Status != auth.StatusConnected {
					t.Errorf("stored %+v", c)
				}
				time.Sleep(time.Second)
				b := another(t, p, e)
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

// A process that was killed while it asked leaves the same case behind.
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
		{"the old token serves", record(1, "2000-01-01T00:01:00Z"), nil, "Bearer a0", 0},
		{"once more", record(1, "2000-01-01T00:00:00Z"), nil, "Bearer a1", 1},
		{"once more, refused", record(1, "2000-01-01T00:00:00Z"), []error{permanent}, "invalid_grant", 1},
		{"killed twice", record(2, "2000-01-01T00:00:00Z"), nil, "no_answer", 0},
		{"killed twice, the old token serves", record(2, "2000-01-01T00:01:00Z"), nil, "Bearer a0", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				e := &endpoint{life: time.Hour}
				a := another(t, newProfile(t), e)
				put(t, a, "profile:default:oau:connection:x", test.record)
				e.next(test.answers...)
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

// Where asking uses nothing up, a lost answer is like any failure that passes.
func TestAmbiguousFailureWithoutRotation(t *testing.T) {
	for _, provider := range []string{"reuse", "again"} {
		t.Run(provider, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				e := &endpoint{}
				_, a := connected(t, provider, e)
				e.next(ambiguous, ambiguous, nonsense, ambiguous)
				time.Sleep(time.Hour)
				for range 4 {
					_, err := apply(t, a, provider, "x")
					wantUnavailable(t, err, 30*time.Second)
					time.Sleep(30 * time.Second)
				}
				wantApplied(t, a, provider, "x", "Bearer a5")
				if provider == "again" && e.refresh[0] != "" {
					t.Error("a refresh token came from somewhere")
				}
			})
		})
	}
}

func TestOldTokenThatMayBeDeadIsNotServed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{take: 5 * time.Second}
		p, a := connected(t, "dead", e)
		b := another(t, p, e)
		wantApplied(t, b, "dead", "x", "Bearer a0")
		time.Sleep(57 * time.Minute)
		wantApplied(t, a, "dead", "x", "Bearer a0") // and this begins it
		time.Sleep(time.Second)
		if err := b.Reload(t.Context()); err != nil { // as its process does when the generation moves
			t.Fatal(err)
		}
		var both sync.WaitGroup
		begun := time.Now()
		for _, one := range []*auth.Auth{a, b} {
			both.Go(func() { wantApplied(t, one, "dead", "x", "Bearer a1") })
		}
		both.Wait()
		if waited := time.Since(begun); waited < 3*time.Second || e.count() != 1 {
			t.Errorf("waited %v, %d calls", waited, e.count())
		}
		// An answer that is lost means that there is no token at all.
		e.next(ambiguous)
		time.Sleep(57 * time.Minute)
		wantApplied(t, a, "dead", "x", "Bearer a1")
		time.Sleep(10 * time.Second)
		wantApplied(t, a, "dead", "x", "Bearer a3")
	})
}

func TestAnswerWithoutAnEnd(t *testing.T) {
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

// peers.md 38: the refresh belongs to nobody's request.
func TestCancelledRequestDoesNotEndItsRefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{take: 5 * time.Second}
		_, a := connected(t, "oau", e)
		time.Sleep(time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			r, _ := http.NewRequest("GET", "https://api.oau.test/", nil)
			gone <- a.Apply(ctx, r, "oau", "x")
		}()
		time.Sleep(time.Second)
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the cancelled request got %v", err)
		}
		wantApplied(t, a, "oau", "x", "Bearer a1")
		if e.count() != 1 {
			t.Errorf("%d calls", e.count())
		}
	})
}

// A login or a logout that comes while a refresh is under way has the last word.
func TestReplacedWhileRefreshing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{take: 10 * time.Second}
		p, a := connected(t, "oau", e)
		b := another(t, p, e)
		time.Sleep(57 * time.Minute)
		wantApplied(t, a, "oau", "x", "Bearer a0")
		time.Sleep(time.Second)
		loginOAuth(t, b, "oau", "b0", "s0", time.Hour)
		time.Sleep(10 * time.Second)
		wantApplied(t, a, "oau", "x", "Bearer b0")
		wantApplied(t, b, "oau", "x", "Bearer b0")
		if c := stored(t, a, "oau"); c.RefreshToken.Reveal() != "s0" {
			t.Errorf("stored %s", c.RefreshToken.Reveal())
		}
	})
}

// peers.md 31: whoever can write a definition must not be sent what was obtained
// under another.
func TestOtherTokenEndpointGetsNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		custom := filepath.Join(t.TempDir(), "providers")
		changed := strings.ReplaceAll(oauth("oau", `"flows":["pkce"]`, ``), "https://oau.test/token", "https://evil.test/token")
		if _, err := providers.Install(custom, []byte(changed), false); err != nil {
			t.Fatal(err)
		}
		set, err := providers.Load(custom)
		if err != nil {
			t.Fatal(err)
		}
		a.UseProviders(set)
		if err := a.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { a.KeepFresh(ctx, func(string, string) bool { return true }) })
		time.Sleep(59 * time.Minute)
		wantApplied(t, a, "oau", "x", "Bearer a0")
		time.Sleep(time.Minute)
		_, err = apply(t, a, "oau", "x")
		wantLoginRequired(t, err, "oau", "x", auth.ReasonEndpoint)
		if c := stored(t, a, "oau"); c.Status != auth.StatusExpired || c.Err(time.Now()) == nil {
			t.Errorf("presented %+v", c)
		}
		if e.count() != 0 {
			t.Error("the token was sent")
		}
		loginOAuth(t, a, "oau", "b0", "s0", time.Hour)
		time.Sleep(time.Hour)
		wantApplied(t, a, "oau", "x", "Bearer a1")
		cancel()
		keeping.Wait()
	})
}

func TestRenewAfterARefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		p, a := connected(t, "oau", e)
		b := another(t, p, e)
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
				t.Errorf("renewed: %t", got)
			}
		}
		old, others := mark(a), mark(b)
		renew(a, old, false) // it was obtained just now
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
			t.Errorf("%d renewed by %d refreshes", renewed.Load(), e.count())
		}
		wantApplied(t, a, "oau", "x", "Bearer a1")
		renew(a, old, true)    // there is another already
		renew(b, others, true) // and in the vault too, which b did not know
		wantApplied(t, b, "oau", "x", "Bearer a1")
		renew(a, mark(a), false) // it was obtained just now
		if e.count() != 1 {
			t.Errorf("%d refreshes", e.count())
		}
		// Whoever can provoke refusals gets one a minute.
		e.next(slices.Repeat([]error{transient}, 100)...)
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
			t.Error("renewed nothing")
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

func TestTokenWithoutAnEndIsRenewedWhenItIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		loginOAuth(t, a, "oau", "b0", "s0", 0)
		time.Sleep(200 * time.Hour)
		r, _ := http.NewRequest("GET", "https://api.oau.test/", nil)
		_, m, err := a.ApplyMarked(t.Context(), r, "oau", "x")
		if err != nil || r.Header.Get("Authorization") != "Bearer b0" || e.count() != 0 {
			t.Fatalf("%v, %v, %d calls", r.Header, err, e.count())
		}
		if !a.Renew(t.Context(), "oau", "x", m) {
			t.Error("not renewed")
		}
		wantApplied(t, a, "oau", "x", "Bearer a1")
	})
}

func TestKeepFresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{take: time.Second}
		p, a := connected(t, "oau", e)
		loginOAuth(t, a, "reuse", "a0", "r0", time.Hour) // connected, and not wanted
		if err := a.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() {
			a.KeepFresh(ctx, func(provider, connection string) bool { return provider == "oau" && connection == "x" })
		})
		for n := range 5 { // nobody asks for anything
			end := stored(t, a, "oau").ExpiresAt
			time.Sleep(time.Until(end.Add(-301 * time.Second)))
			if e.count() != n {
				t.Fatalf("%d refreshes after %d lives", e.count(), n)
			}
			time.Sleep(time.Until(end.Add(-time.Second)))
			begun := time.Now()
			wantApplied(t, a, "oau", "x", fmt.Sprint("Bearer a", n+1))
			if time.Since(begun) > 0 {
				t.Error("a request waited")
			}
		}
		wantApplied(t, another(t, p, e), "oau", "x", "Bearer a5")
		if c := stored(t, a, "reuse"); c.AccessToken.Reveal() != "a0" {
			t.Error("a connection that nobody wants was refreshed")
		}
		cancel()
		keeping.Wait()
	})
}

// A machine that slept has a clock that jumped and timers that did not.
func TestClockThatJumps(t *testing.T) {
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
			t.Errorf("%d refreshes half a minute after the machine woke up", e.count())
		}
		cancel()
		keeping.Wait()
		// And a clock that is put back does not stop what it can see.
		e.next(transient)
		e.life = 24 * time.Hour
		slept.Store(int64(10 * time.Hour))
		_, err := apply(t, a, "oau", "x")
		wantUnavailable(t, err, time.Second)
		slept.Store(int64(5 * time.Hour)) // still past the end, and before what was to be waited for
		wantApplied(t, a, "oau", "x", "Bearer a3")
	})
}

// In the background, an endpoint that is down is not asked for ever.
func TestBackgroundGivesUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{}
		_, a := connected(t, "oau", e)
		if err := a.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.next(slices.Repeat([]error{transient}, 10000)...)
		ctx, cancel := context.WithCancel(t.Context())
		var keeping sync.WaitGroup
		keeping.Go(func() { a.KeepFresh(ctx, func(string, string) bool { return true }) })
		time.Sleep(time.Hour)
		n := e.count()
		if n < 5 || n > 20 {
			t.Errorf("%d attempts before the end of the token", n)
		}
		time.Sleep(100 * time.Hour)
		if more := e.count() - n; more > 1 {
			t.Errorf("%d attempts that nobody needs", more)
		}
		e.next()
		wantApplied(t, a, "oau", "x", fmt.Sprint("Bearer a", e.count()+1))
		cancel()
		keeping.Wait()
	})
}

func TestCloseWaitsForARefresh(t *testing.T) {
	bubble(t, func(t *testing.T) {
		e := &endpoint{take: 5 * time.Second}
		p, a := connected(t, "oau", e)
		time.Sleep(57 * time.Minute)
		wantApplied(t, a, "oau", "x", "Bearer a0")
		time.Sleep(time.Second)
		a.Close()
		if c := stored(t, another(t, p, e), "oau"); c.RefreshToken.Reveal() != "r1" {
			t.Errorf("stored %s when Close had returned", c.RefreshToken.Reveal())
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

// Where the provider's clock and ours differ by more than a token's life, each
// token has run out when it comes. It is used, and not renewed at every request.
func TestTokenThatComesExpired(t *testing.T) {
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
