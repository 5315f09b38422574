package flows

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Authorization is an authorization request and what identifies its answer.
type Authorization struct {
	URL   string // to open in the user's browser
	State string
	// Check checks an answer that has the right state, before anything of it is used or
	// shown. Set it to [Config.CheckIssuer] (RFC 9207). If nil, every answer passes.
	Check func(answer url.Values) error
}

// AuthorizationError is the authorization server's refusal in its own words. Show them to
// the person who logs in, as the server's.
type AuthorizationError struct {
	Code        string // empty if the server sent something that cannot be a code
	Description string
}

func (e *AuthorizationError) Error() string {
	if e.Code == "" {
		return "the server refused the login"
	}
	return "the server refused the login: " + e.Code
}

// ErrNotAnswer says that an address is not an answer of the authorization server, or
// answers another login.
var ErrNotAnswer = errors.New("not the address that the server sends this login back to")

// Answer reads the address that the user was sent back to, if the user pastes it from the
// address bar of a browser on another machine. Its errors are those of
// [Authorization.Read].
func (a *Authorization) Answer(redirectURI, address string) (url.Values, error) {
	want, err := url.Parse(redirectURI)
	if err != nil {
		return nil, fmt.Errorf("redirect URI: %w", err)
	}
	// Terminals break long addresses into lines.
	got, err := url.Parse(strings.Join(strings.Fields(address), ""))
	if err != nil || got.Scheme != want.Scheme || got.Host != want.Host || got.Path != want.Path {
		return nil, ErrNotAnswer
	}
	values, err := url.ParseQuery(got.RawQuery)
	if err != nil {
		return nil, ErrNotAnswer
	}
	return a.Read(values)
}

// Read checks the query of an answer: first whether it belongs to this login, then whether
// it comes from the right server, and only then what it says. The error is [ErrNotAnswer]
// for the answer to another login, the error of Check, or an [*AuthorizationError].
func (a *Authorization) Read(values url.Values) (url.Values, error) {
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
