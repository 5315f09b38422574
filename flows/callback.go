package flows

import (
	"crypto/subtle"
	"errors"
	"fmt"
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
	return a.Read(values)
}

// Read checks the query of an answer in the order that matters: whose answer it is,
// then whether it may be believed, and only then what it says. The error is
// [ErrNotAnswer] for an answer to another login, the one of Check, or an
// [*AuthorizationError].
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
