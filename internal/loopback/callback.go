package loopback

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"

	"github.com/authsome/authsome/flows"
)

// authStage is a login that waits for the authorization server's answer.
type authStage struct {
	flows.Authorization
	result chan<- authResult // has capacity 1
}

type authResult struct {
	values url.Values
	err    error
}

// Expect makes the page redirect the browser to the authorization server, and
// returns a function that waits for the answer. Call Expect before showing the
// authorization URL to anyone: an answer that arrives earlier is refused. Only an
// answer with the right state is accepted. wait returns the answer's parameters, or
// an [*flows.AuthorizationError], the error of a.Check, or the error of its context.
func (s *Server) Expect(a flows.Authorization) (wait func(context.Context) (url.Values, error)) {
	results := make(chan authResult, 1)
	s.setStage(stage{auth: &authStage{a, results}})
	return func(ctx context.Context) (url.Values, error) {
		select {
		case result := <-results:
			return result.values, result.err
		case <-ctx.Done():
			s.setStage(stage{})
			return nil, ctx.Err()
		}
	}
}

// handleCallback serves the redirect URI. It redirects a browser that brings an
// answer to the page, which removes the code from the address bar.
func (s *Server) handleCallback(w http.ResponseWriter, r *http.Request) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = s.acceptAnswer(values)
	}
	if err != nil {
		s.showNotice(w, http.StatusBadRequest, notice{
			Heading: "This is not the answer to your login",
			Text:    "The login is still waiting. If you came here by following a link, close this page.",
		})
		return
	}
	sendTo(w, s.pagePath)
}

// acceptAnswer passes the first valid answer to Expect's wait. It returns
// [flows.ErrNotAnswer] for an answer that does not belong to the login.
func (s *Server) acceptAnswer(values url.Values) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	auth := s.stage.auth
	if auth == nil {
		// No answer is expected. A browser that repeats the accepted one, after Back
		// or Reload, may see the page.
		if s.usedState != "" && subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(s.usedState)) == 1 {
			return nil
		}
		return flows.ErrNotAnswer
	}
	answer, err := auth.Read(values)
	if errors.Is(err, flows.ErrNotAnswer) {
		return err
	}
	s.usedState, s.pageOpen = auth.State, true
	s.setStageLocked(stage{})
	auth.result <- authResult{answer, err}
	return nil
}

// continueToProvider sends the browser from the page to the authorization server.
// After a form this takes an extra page: some browsers apply the form-action policy of
// the form's page to the redirects that follow its submission.
func (s *Server) continueToProvider(w http.ResponseWriter) {
	s.mu.Lock()
	formSent := s.formSent
	s.mu.Unlock()
	if !formSent {
		s.redirectToProvider(w)
		return
	}
	s.render(w, http.StatusOK, "continue", continueView{Title: s.Title, Next: s.pagePath + "/go"})
}

func (s *Server) redirectToProvider(w http.ResponseWriter) {
	if current, _ := s.currentStage(); current.auth != nil {
		sendTo(w, current.auth.URL)
		return
	}
	sendTo(w, s.pagePath)
}
