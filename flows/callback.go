package flows

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Authorization is what the user is sent to the authorization server with, and
// what has to come back.
type Authorization struct {
	URL   string
	State string
	// Check judges an answer with the right state before anything of it is used
	// or shown: the issuer, RFC 9207. If nil, every one is good.
	Check func(answer url.Values) error
}

// AuthorizationError is the authorization server's refusal, in its own words.
// They are for the person who logs in, and are shown as the server's.
type AuthorizationError struct {
	Code        string // empty if it is none
	Description string
}

func (e *AuthorizationError) Error() string {
	if e.Code == "" {
		return "the server refused the login"
	}
	return "the server refused the login: " + e.Code
}

// ErrNotAnswer says that an address is not what the authorization server sends
// the user back with, or is that of another login.
var ErrNotAnswer = errors.New("not the address that this login ends with")

type authStage struct {
	Authorization
	answer chan<- redirected // has room for the one
}

type redirected struct {
	values url.Values
	err    error
}

// Expect sends the browser to the authorization server from now on, and wait waits
// for the answer: whoever tells the address to somebody expects its answer before.
// Only an answer with the right state counts; the error is an
// [*AuthorizationError], or of Check, or of wait's context.
func (l *Loopback) Expect(a Authorization) (wait func(context.Context) (url.Values, error)) {
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

// Answer reads the address that the user was sent back to, as pasted from the
// address bar of a browser elsewhere.
func (a *Authorization) Answer(redirectURI, address string) (url.Values, error) {
	want, err := url.Parse(redirectURI)
	if err != nil {
		return nil, fmt.Errorf("redirect URI: %w", err)
	}
	// Long addresses are broken into lines on the way through a terminal.
	got, err := url.Parse(strings.Join(strings.Fields(address), ""))
	if err != nil || got.Scheme != want.Scheme || got.Host != want.Host || got.Path != want.Path {
		return nil, ErrNotAnswer
	}
	values, err := url.ParseQuery(got.RawQuery)
	if err != nil {
		return nil, ErrNotAnswer
	}
	return a.judge(values)
}

// judge is in the order that matters: whose answer it is, then whether it may be
// believed, and only then what it says.
func (a *Authorization) judge(values url.Values) (url.Values, error) {
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(values[name]) > 1 { // RFC 6749 section 3.1
			return nil, ErrNotAnswer
		}
	}
	if subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(a.State)) != 1 || a.State == "" {
		return nil, ErrNotAnswer
	}
	if !values.Has("code") && !values.Has("error") {
		return nil, ErrNotAnswer
	}
	if a.Check != nil {
		if err := a.Check(values); err != nil {
			return nil, err
		}
	}
	if values.Has("error") {
		return nil, &AuthorizationError{errorCode(values.Get("error")), printable(values.Get("error_description"), maxDescription)}
	}
	return values, nil
}

// answered is a request to the address of the redirect. The browser that brings
// an answer is led on to the page, so that the code leaves the address bar.
func (l *Loopback) answered(w http.ResponseWriter, r *http.Request) {
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
func (l *Loopback) take(values url.Values) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	auth := l.stage.auth
	if auth == nil {
		// Already answered, or not asked yet. A browser that comes again, by the
		// back button or a reload, is shown the page if it brings what it brought.
		if l.taken != "" && subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(l.taken)) == 1 {
			return nil
		}
		return ErrNotAnswer
	}
	good, err := auth.judge(values)
	if errors.Is(err, ErrNotAnswer) {
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
func (l *Loopback) lead(w http.ResponseWriter) {
	l.mu.Lock()
	sent := l.sent
	l.mu.Unlock()
	if !sent {
		l.goOn(w)
		return
	}
	l.render(w, http.StatusOK, "onward", onwardView{Title: l.Title, Onward: l.page + "/go"})
}

func (l *Loopback) goOn(w http.ResponseWriter) {
	if s, _ := l.current(); s.auth != nil {
		redirect(w, s.auth.URL)
		return
	}
	redirect(w, l.page)
}
