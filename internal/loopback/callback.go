package loopback

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"

	"github.com/authsome/authsome/flows"
)

type authStage struct {
	flows.Authorization
	answer chan<- redirected // has room for the one
}

type redirected struct {
	values url.Values
	err    error
}

// Expect sends the browser to the authorization server from now on, and wait waits
// for the answer: whoever tells the address to somebody expects its answer before.
// Only an answer with the right state counts; the error is an
// [*flows.AuthorizationError], or of Check, or of wait's context.
func (l *Server) Expect(a flows.Authorization) (wait func(context.Context) (url.Values, error)) {
	answers := make(chan redirected, 1)
	l.enter(stage{auth: &authStage{a, answers}})
	return func(ctx context.Context) (url.Values, error) {
		select {
		case got := <-answers:
			return got.values, got.err
		case <-ctx.Done():
			l.enter(stage{})
			return nil, ctx.Err()
		}
	}
}

// answered is a request to the address of the redirect. The browser that brings
// an answer is led on to the page, so that the code leaves the address bar.
func (l *Server) answered(w http.ResponseWriter, r *http.Request) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err == nil {
		err = l.take(values)
	}
	if err != nil {
		l.notice(w, http.StatusBadRequest, "This is not an answer to your login",
			"The login goes on waiting for the right one. If you came here by following a link, close this page.")
		return
	}
	redirect(w, l.page)
}

// take hands an answer over to who waits, once.
func (l *Server) take(values url.Values) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	auth := l.stage.auth
	if auth == nil {
		// Already answered, or not asked yet. A browser that comes again, by the
		// back button or a reload, is shown the page if it brings what it brought.
		if l.taken != "" && subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(l.taken)) == 1 {
			return nil
		}
		return flows.ErrNotAnswer
	}
	good, err := auth.Read(values)
	if errors.Is(err, flows.ErrNotAnswer) {
		return err
	}
	l.taken, l.seen = auth.State, true
	l.stage = stage{}
	close(l.changed)
	l.changed = make(chan struct{})
	auth.answer <- redirected{good, err}
	return nil
}

// lead sends the browser on to the authorization server. After a form it takes a
// page in between: browsers hold the redirects that follow a sent form against
// the form's own policy.
func (l *Server) lead(w http.ResponseWriter) {
	l.mu.Lock()
	sent := l.sent
	l.mu.Unlock()
	if !sent {
		l.goOn(w)
		return
	}
	l.render(w, http.StatusOK, "onward", onwardView{Title: l.Title, Onward: l.page + "/go"})
}

func (l *Server) goOn(w http.ResponseWriter) {
	if s, _ := l.current(); s.auth != nil {
		redirect(w, s.auth.URL)
		return
	}
	redirect(w, l.page)
}
