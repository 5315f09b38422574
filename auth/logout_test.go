package auth_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/flows"
)

func TestLogoutRevokes(t *testing.T) {
	s := startServer(t)
	a := s.profile(t).open(t)
	s.logIn(t, a, time.Now().Add(time.Hour))
	result, err := a.Logout(t.Context(), "live", "")
	if err != nil || result.Connection != "x" || result.Remote != nil {
		t.Errorf("result %+v, %v", result, err)
	}
	if want := []string{"refresh-0-canary", "access-0-canary"}; !slices.Equal(s.revoked, want) {
		t.Errorf("revoked %v, want %v", s.revoked, want)
	}
	wantConnections(t, a)
	if storedRecord(t, a, "profile:default:live:client") == "" || len(s.clients) > 0 {
		t.Error("the logout deleted the client")
	}
}

// The connection is deleted here even if the provider does not revoke its tokens.
func TestLogoutDeletesDespiteProvider(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, s *server, p *profile) context.Context
		remote  func(error) bool
		calls   int // of the revocation endpoint
	}{
		{"refused", func(t *testing.T, s *server, p *profile) context.Context { s.refuse = 400; return t.Context() }, tokenError(flows.Permanent, flows.Protocol), 2},
		{"unavailable", func(t *testing.T, s *server, p *profile) context.Context { s.refuse = 503; return t.Context() }, tokenError(flows.Transient), 2},
		{"unreachable", func(t *testing.T, s *server, p *profile) context.Context { s.Close(); return t.Context() }, tokenError(flows.Transient), 0},
		{"the definition has no revocation now", func(t *testing.T, s *server, p *profile) context.Context {
			p.install(t, strings.ReplaceAll(oauth("live", `"flows":["pkce"]`, ""), "https://live.test/token", s.URL+"/token"))
			accept(t, p.open(t), "live", "x")
			return t.Context()
		}, func(err error) bool { return errors.Is(err, auth.ErrAddressChanged) }, 0},
		{"the definition has another revocation endpoint now", func(t *testing.T, s *server, p *profile) context.Context {
			s.install(t, p, s.URL+"/revoke?me")
			accept(t, p.open(t), "live", "x")
			return t.Context()
		}, func(err error) bool { return errors.Is(err, auth.ErrAddressChanged) }, 0},
		{"a definition with another revocation endpoint waits", func(t *testing.T, s *server, p *profile) context.Context {
			s.install(t, p, s.URL+"/elsewhere")
			return t.Context()
		}, func(err error) bool { return err == nil }, 2},
		{"no definition", func(t *testing.T, s *server, p *profile) context.Context {
			p.set = newProfile(t).set
			return t.Context()
		}, func(err error) bool { return err != nil }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t)
			p := s.profile(t)
			s.logIn(t, p.open(t), time.Now().Add(time.Hour))
			ctx := test.prepare(t, s, p)
			a := p.open(t)
			result, err := a.Logout(ctx, "live", "x")
			if err != nil || !test.remote(result.Remote) || result.Remote != nil && strings.Contains(result.Remote.Error(), "canary") {
				t.Errorf("result %+v, %v", result, err)
			}
			if n := s.count("revoke"); n != test.calls {
				t.Errorf("%d revocation requests, want %d", n, test.calls)
			}
			wantConnections(t, a)
		})
	}
}

func tokenError(kinds ...flows.Kind) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*flows.TokenError](err)
		return ok && slices.Contains(kinds, e.Kind)
	}
}

// The connection is deleted here even if the caller gives up while the provider does not
// answer.
func TestCancelledLogoutDeletes(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	ctx, cancel := context.WithCancel(t.Context())
	hanging := startServer(t)
	hanging.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.FormValue("token") // net/http notices the end of a request only after its body is read
		cancel()
		<-r.Context().Done()
	})
	s.install(t, p, hanging.URL+"/revoke")
	a := p.open(t)
	s.logIn(t, a, time.Now().Add(time.Hour))
	result, err := a.Logout(ctx, "live", "x")
	if err != nil || !errors.Is(result.Remote, context.Canceled) {
		t.Errorf("result %+v, %v", result, err)
	}
	wantConnections(t, a)
}

func TestRevokeRemovesEverything(t *testing.T) {
	s := startServer(t)
	a := s.profile(t).open(t)
	for _, name := range []string{"x", "y", "z"} {
		s.logInAs(t, a, name, time.Now().Add(time.Hour))
	}
	putRecord(t, a, "profile:default:live:connection:bad", `nonsense`)
	results, err := a.Revoke(t.Context(), "live")
	if err != nil || len(results) != 5 || results[0].Connection != "bad" || results[0].Remote == nil || results[4] != (auth.LogoutResult{}) {
		t.Errorf("results %+v, %v", results, err)
	}
	for _, r := range results[1:] {
		if r.Remote != nil {
			t.Errorf("result %+v", r)
		}
	}
	if len(s.revoked) != 6 || len(s.clients) != 1 {
		t.Errorf("revoked %v, deleted %v", s.revoked, s.clients)
	}
	wantConnections(t, a)
	for _, kind := range []string{"client", "metadata"} {
		if storedRecord(t, a, "profile:default:live:"+kind) != "" {
			t.Errorf("the %s record was not deleted", kind)
		}
	}
	if results, err := a.Revoke(t.Context(), "live"); err != nil || len(results) != 0 {
		t.Errorf("the second time: %+v, %v", results, err)
	}
}

func TestRemoveDoesNotContactProvider(t *testing.T) {
	s := startServer(t)
	a := s.profile(t).open(t)
	s.logIn(t, a, time.Now().Add(-time.Hour))
	if err := a.Remove(t.Context(), "live"); err != nil {
		t.Fatal(err)
	}
	wantConnections(t, a)
	if len(s.requests) > 0 {
		t.Errorf("requests %v", s.requests)
	}
}

// A refresh in progress does not bring a connection back that is logged out.
func TestLogoutDuringRefresh(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, b := p.open(t), p.open(t)
	t.Cleanup(a.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	arrived, answer := make(chan struct{}), make(chan struct{})
	s.during = func(_ *rotation, answered bool) {
		if !answered {
			close(arrived)
			<-answer
		}
	}
	refreshed := make(chan error)
	go func() {
		_, err := a.Header(context.Background(), "live", "x")
		refreshed <- err
	}()
	<-arrived
	loggedOut := make(chan auth.LogoutResult)
	go func() {
		result, err := b.Logout(context.Background(), "live", "x")
		if err != nil {
			t.Error(err)
		}
		loggedOut <- result
	}()
	close(answer)
	if err := <-refreshed; err != nil && !isLoginRequired(err) {
		t.Error(err)
	}
	if result := <-loggedOut; result.Remote != nil {
		t.Errorf("result %+v", result)
	}
	if !slices.Contains(s.revoked, "refresh-1-canary") {
		t.Errorf("revoked %v, but not the newest token", s.revoked)
	}
	wantConnections(t, a)
}
