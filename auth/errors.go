package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What an error of this package is about, for errors.Is.
var (
	// ErrLoginRequired says that there is no usable credential; the error is a
	// [*LoginRequiredError].
	ErrLoginRequired = errors.New("login required")
	// ErrConnected says that a login would replace a connection; the error is a
	// [*ConnectedError].
	ErrConnected = errors.New("already connected")
	// ErrNoDefault says that a provider has several connections and none of them
	// is the default; the error is a [*NoDefaultError].
	ErrNoDefault = errors.New("no default connection")
	// ErrRefreshUnavailable says that a new token cannot be had at the moment; the
	// error is a [*RefreshUnavailableError].
	ErrRefreshUnavailable = errors.New("the token cannot be refreshed at the moment")
	// ErrMoved says that a connection has other hosts now than the one asked for.
	ErrMoved = errors.New("the connection has other hosts now")
	// ErrOneHolder refuses to copy a connection that only one profile can use.
	ErrOneHolder = errors.New("it has a refresh token, which one profile alone can use: of two that refresh it in turn the second looks like a thief, and the provider ends both")
	// ErrBusy says that another process was refreshing the connection for as long
	// as could be waited.
	ErrBusy = errors.New("another process is refreshing the connection")
)

// Reasons of a [LoginRequiredError].
const (
	ReasonMissing  = "not connected"
	ReasonExpired  = "expired" // and there is nothing to renew it with
	ReasonInvalid  = "invalid" // the provider does not take it any more
	ReasonRevoked  = "revoked"
	ReasonEndpoint = "its definition has another token endpoint now" // and the stored secrets are not sent there
	ReasonClient   = "its OAuth client was replaced"
)

// LoginRequiredError says that a connection has no usable credential.
type LoginRequiredError struct {
	Provider   string
	Connection string // "" where no connection was named and there is none
	Reason     string // one of the Reason constants
	Since      time.Time
	Code       string // what the provider said, as invalid_grant
}

func (e *LoginRequiredError) Error() string {
	return fmt.Sprintf("%s: %v: %s", describe(e.Provider, e.Connection), ErrLoginRequired, e.Detail())
}

// Detail is the reason, with since when and what the provider said.
func (e *LoginRequiredError) Detail() string {
	detail := e.Reason
	if !e.Since.IsZero() {
		detail += " since " + e.Since.UTC().Format(time.RFC3339)
	}
	if e.Code != "" {
		detail += " (" + e.Code + ")"
	}
	return detail
}

// Is makes errors.Is(err, ErrLoginRequired) true.
func (e *LoginRequiredError) Is(target error) bool { return target == ErrLoginRequired }

// RefreshUnavailableError says that a connection's token has run out and that its
// provider cannot be asked for another at the moment. It is worth trying again.
type RefreshUnavailableError struct {
	Provider   string
	Connection string
	RetryAfter time.Duration // before which nothing will be tried
	Err        error         // the last attempt's; it holds no secret
}

func (e *RefreshUnavailableError) Error() string {
	text := fmt.Sprintf("%s: %v", describe(e.Provider, e.Connection), ErrRefreshUnavailable)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is makes errors.Is(err, ErrRefreshUnavailable) true.
func (e *RefreshUnavailableError) Is(target error) bool { return target == ErrRefreshUnavailable }

func (e *RefreshUnavailableError) Unwrap() error { return e.Err }

// ConnectedError refuses to replace a connection that exists.
type ConnectedError struct {
	Provider   string
	Connection string
}

func (e *ConnectedError) Error() string {
	return fmt.Sprintf("%s: %v", describe(e.Provider, e.Connection), ErrConnected)
}

// Is makes errors.Is(err, ErrConnected) true.
func (e *ConnectedError) Is(target error) bool { return target == ErrConnected }

// NoDefaultError says that one of several connections must be named.
type NoDefaultError struct {
	Provider    string
	Connections []string // sorted
}

func (e *NoDefaultError) Error() string {
	return fmt.Sprintf("%s: %v among %s", e.Provider, ErrNoDefault, strings.Join(e.Connections, ", "))
}

// Is makes errors.Is(err, ErrNoDefault) true.
func (e *NoDefaultError) Is(target error) bool { return target == ErrNoDefault }

// ClientError refuses a connection of another profile, because this one has
// another OAuth client than it was obtained with. A provider has one per profile.
type ClientError struct {
	Provider   string
	Connection string
	Profile    string
}

func (e *ClientError) Error() string {
	return fmt.Sprintf("%s was obtained with another OAuth client than profile %s has for %s", describe(e.Provider, e.Connection), e.Profile, e.Provider)
}

// MoveError says that a connection reached the other profile and could not be
// deleted in its own. The same move again finishes it.
type MoveError struct {
	Provider   string
	Connection string
	From, To   string // profiles
	Err        error
}

func (e *MoveError) Error() string {
	return fmt.Sprintf("%s is in profile %s now, and still in profile %s: %v", describe(e.Provider, e.Connection), e.To, e.From, e.Err)
}

func (e *MoveError) Unwrap() error { return e.Err }

// RecordError says that a record, which the vault returned sound, is not one
// that this package can read. It contains nothing of the record's values.
type RecordError struct {
	Key    string
	Reason string
}

func (e *RecordError) Error() string { return fmt.Sprintf("record %s: %s", e.Key, e.Reason) }

func describe(provider, connection string) string {
	if connection == "" {
		return provider
	}
	return provider + "/" + connection
}
