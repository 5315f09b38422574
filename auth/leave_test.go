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
	left, err := a.Logout(t.Context(), "live", "")
	if err != nil || left.Connection != "x" || left.Remote != nil {
		t.Errorf("left %+v, %v", left, err)
	}
	if want := []string{"refresh-0-canary", "access-0-canary"}; !slices.Equal(s.revoked, want) {
		t.Errorf("revoked %v, want %v", s.revoked, want)
	}
	wantNames(t, a)
	if raw(t, a, "profile:default:live:client") == "" || len(s.clients) > 0 {
		t.Error("a logout took the client away")
	}
}

// Whatever the provider does, it is forgotten here.
func TestLogoutFinishesHere(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, s *server, p *profile) context.Context
		remote  func(error) bool
		asked   int
	}{
		{"refused", func(t *testing.T, s *server, p *profile) context.Context { s.refuse = 400; return t.Context() }, tokenError(flows.Permanent, flows.Protocol), 2},
		{"later", func(t *testing.T, s *server, p *profile) context.Context { s.refuse = 503; return t.Context() }, tokenError(flows.Transient), 2},
		{"down", func(t *testing.T, s *server, p *profile) context.Context { s.Close(); return t.Context() }, tokenError(flows.Transient), 0},
		{"no way", func(t *testing.T, s *server, p *profile) context.Context {
			p.install(t, strings.ReplaceAll(oauth("live", `"flows":["pkce"]`, ""), "https://live.test/token", s.URL+"/token"))
			return t.Context()
		}, func(err error) bool { return errors.Is(err, auth.ErrNotAsked) }, 0},
		{"a definition that asks for the tokens", func(t *testing.T, s *server, p *profile) context.Context {
			s.install(t, p, s.URL+"/revoke?me")
			return t.Context()
		}, func(err error) bool { return errors.Is(err, auth.ErrNotAsked) }, 0},
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
			left, err := a.Logout(ctx, "live", "x")
			if err != nil || !test.remote(left.Remote) || left.Remote != nil && strings.Contains(left.Remote.Error(), "canary") {
				t.Errorf("left %+v, %v", left, err)
			}
			if n := s.count("revoke"); n != test.asked {
				t.Errorf("asked %d times", n)
			}
			wantNames(t, a)
		})
	}
}

func tokenError(kinds ...flows.Kind) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*flows.TokenError](err)
		return ok && slices.Contains(kinds, e.Kind)
	}
}

// A caller who gives up while the provider does not answer still has it done here.
func TestLogoutThatIsGivenUp(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	ctx, cancel := context.WithCancel(t.Context())
	hanging := startServer(t)
	hanging.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.FormValue("token") // read the request, so that its end is noticed
		cancel()
		<-r.Context().Done()
	})
	s.install(t, p, hanging.URL+"/revoke")
	a := p.open(t)
	s.logIn(t, a, time.Now().Add(time.Hour))
	left, err := a.Logout(ctx, "live", "x")
	if err != nil || !errors.Is(left.Remote, context.Canceled) {
		t.Errorf("left %+v, %v", left, err)
	}
	wantNames(t, a)
}

func TestRevokeGivesUpEverything(t *testing.T) {
	s := startServer(t)
	a := s.profile(t).open(t)
	for _, name := range []string{"x", "y", "z"} {
		s.logInAs(t, a, name, time.Now().Add(time.Hour))
	}
	put(t, a, "profile:default:live:connection:bad", `nonsense`)
	all, err := a.Revoke(t.Context(), "live")
	if err != nil || len(all) != 5 || all[0].Connection != "bad" || all[0].Remote == nil || all[4] != (auth.Left{}) {
		t.Errorf("left %+v, %v", all, err)
	}
	for _, left := range all[1:] {
		if left.Remote != nil {
			t.Errorf("left %+v", left)
		}
	}
	if len(s.revoked) != 6 || len(s.clients) != 1 {
		t.Errorf("revoked %v, deleted %v", s.revoked, s.clients)
	}
	wantNames(t, a)
	for _, kind := range []string{"client", "metadata"} {
		if raw(t, a, "profile:default:live:"+kind) != "" {
			t.Errorf("the %s is still there", kind)
		}
	}
	if all, err := a.Revoke(t.Context(), "live"); err != nil || len(all) != 0 {
		t.Errorf("a second time: %+v, %v", all, err)
	}
}

func TestRemoveAsksNobody(t *testing.T) {
	s := startServer(t)
	a := s.profile(t).open(t)
	s.logIn(t, a, time.Now().Add(-time.Hour))
	if err := a.Remove(t.Context(), "live"); err != nil {
		t.Fatal(err)
	}
	wantNames(t, a)
	if len(s.requests) > 0 {
		t.Errorf("asked %v", s.requests)
	}
}

// A connection that only a refresh under way could bring back stays away.
func TestLogoutDuringARefresh(t *testing.T) {
	s := startServer(t)
	p := s.profile(t)
	a, b := p.open(t), p.open(t)
	t.Cleanup(a.Close)
	s.logIn(t, a, time.Now().Add(-time.Second))
	asked, answer := make(chan struct{}), make(chan struct{})
	s.during = func(_ *rotation, answered bool) {
		if !answered {
			close(asked)
			<-answer
		}
	}
	refreshed := make(chan error)
	go func() {
		_, err := a.Header(context.Background(), "live", "x")
		refreshed <- err
	}()
	<-asked
	gone := make(chan auth.Left)
	go func() {
		left, err := b.Logout(context.Background(), "live", "x")
		if err != nil {
			t.Error(err)
		}
		gone <- left
	}()
	close(answer)
	if err := <-refreshed; err != nil && !errors.Is(err, auth.ErrLoginRequired) {
		t.Error(err)
	}
	if left := <-gone; left.Remote != nil {
		t.Errorf("left %+v", left)
	}
	if !slices.Contains(s.revoked, "refresh-1-canary") {
		t.Errorf("revoked %v, and not the token that came last", s.revoked)
	}
	wantNames(t, a)
}
