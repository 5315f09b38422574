package auth_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// Errors of a token endpoint.
var (
	transient = &flows.TokenError{Kind: flows.Transient, Status: 503}
	permanent = &flows.TokenError{Kind: flows.Permanent, Status: 400, Code: "invalid_grant"}
	ambiguous = &flows.TokenError{Kind: flows.Ambiguous, Err: context.DeadlineExceeded}
	malformed = &flows.TokenError{Kind: flows.Protocol, Status: 200}
)

// endpoint replaces a token endpoint without a network, so that it works with synctest.
// It issues the tokens a1, r1, a2, r2 and so on.
type endpoint struct {
	life  time.Duration // of its tokens; 0 means that they do not expire
	delay time.Duration // of each answer

	mu        sync.Mutex // guards the fields below
	calls     []time.Time
	refresh   []string     // the refresh tokens that were sent
	endpoints []string     // the token endpoints that they were sent to
	errors    []error      // of the next requests; the ones after that succeed
	client    flows.Client // of the last request
}

func (e *endpoint) grant(ctx context.Context, config *flows.Config, c auth.Connection) (flows.Token, error) {
	e.mu.Lock()
	e.calls = append(e.calls, time.Now())
	n := len(e.calls)
	e.refresh = append(e.refresh, c.RefreshToken.Reveal())
	e.endpoints = append(e.endpoints, config.Definition.OAuth.TokenURL)
	e.client = config.Client
	var err error
	if len(e.errors) > 0 {
		err, e.errors = e.errors[0], e.errors[1:]
	}
	delay := e.delay
	e.mu.Unlock()
	select {
	case <-ctx.Done():
		return flows.Token{}, ambiguous
	case <-time.After(delay):
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

// failNext sets the errors of the next requests.
func (e *endpoint) failNext(errs ...error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.errors = errs
}

// connected makes a profile whose token endpoint is e. Its connection x of the provider
// has the tokens a0 and r0, which were obtained now; a0 expires in an hour. It must be
// called in a bubble.
func connected(t *testing.T, provider string, e *endpoint) (*profile, *auth.Auth) {
	t.Helper()
	if e.life == 0 {
		e.life = time.Hour
	}
	p := newProfile(t)
	a := p.open(t)
	a.SetGrant(e.grant)
	t.Cleanup(a.Close)
	loginOAuth(t, a, provider, tokens{"a0", "r0", time.Hour})
	return p, a
}

// openOther opens the profile as another process would.
func openOther(t *testing.T, p *profile, e *endpoint) *auth.Auth {
	t.Helper()
	a := p.open(t)
	a.SetGrant(e.grant)
	t.Cleanup(a.Close)
	return a
}

// tokens are the result of a login. A life of 0 means that the access token does not
// expire.
type tokens struct {
	access, refresh string
	life            time.Duration
}

// loginOAuth stores tokens as the connection x, which it replaces.
func loginOAuth(t *testing.T, a *auth.Auth, provider string, issued tokens) {
	t.Helper()
	_, err := a.Login(t.Context(), auth.LoginRequest{Provider: provider, Connection: "x", Force: true,
		Obtain: func(_ context.Context, d *providers.Definition, _ auth.Known) (flows.Obtained, error) {
			o := flows.Obtained{Client: flows.Client{ID: "me", Secret: secret.New("client-secret")}, Flow: d.Flows[0]}
			o.Token = flows.Token{AccessToken: secret.New(issued.access), RefreshToken: secret.New(issued.refresh), TokenType: "bearer"}
			if issued.life > 0 {
				o.Token.ExpiresAt = time.Now().Add(issued.life)
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

// stored returns the connection x of a provider.
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
	if !ok || !errors.Is(err, auth.ErrRefreshUnavailable) || isLoginRequired(err) || later.RetryAfter <= 0 || later.RetryAfter > after {
		t.Errorf("error %v, want a RefreshUnavailableError with a RetryAfter of at most %v", err, after)
	}
}

// bubble runs a test with the fake clock of synctest.
func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, fn)
}
