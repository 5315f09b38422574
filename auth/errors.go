package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors to compare with [errors.Is].
var (
	// ErrConnected is matched by a [*ConnectedError].
	ErrConnected = errors.New("already connected")
	// ErrRefreshUnavailable is matched by a [*RefreshUnavailableError].
	ErrRefreshUnavailable = errors.New("the token cannot be refreshed at the moment")
	// ErrMoved says that a connection no longer covers the host of a request.
	ErrMoved = errors.New("the connection no longer covers this host")
	// ErrOneHolder refuses to copy a connection with a refresh token.
	ErrOneHolder = errors.New("its refresh token works from one profile only: most providers revoke both copies if a second profile uses it")
	// ErrBusy says that another process kept refreshing the connection for as long as
	// the caller could wait.
	ErrBusy = errors.New("another process is refreshing the connection")
)

// The values of [LoginRequiredError.Reason].
const (
	ReasonMissing  = "not connected"
	ReasonExpired  = "expired" // and cannot be renewed
	ReasonInvalid  = "invalid" // the provider no longer accepts it
	ReasonRevoked  = "revoked"
	ReasonEndpoint = "its definition now has another token endpoint" // the stored secrets are not sent there
	ReasonClient   = "its OAuth client was replaced"
)

// LoginRequiredError says that a connection has no usable credential.
type LoginRequiredError struct {
	Provider   string
	Connection string    // empty if no connection was named and the provider has none
	Reason     string    // one of the Reason constants
	Since      time.Time // when it became unusable; zero if unknown
	Code       string    // the provider's error code, such as invalid_grant
	Others     []string  // if the connection does not exist, those of the provider, sorted
}

func (e *LoginRequiredError) Error() string {
	text := fullName(e.Provider, e.Connection) + ": login required: " + e.Detail()
	if len(e.Others) > 0 {
		text += "; the connections of " + e.Provider + ": " + strings.Join(e.Others, ", ")
	}
	return text
}

// Detail returns the reason with its time and the provider's error code. It completes
// a sentence such as "github/work needs a new login: …" with one of these:
//
//	not connected
//	expired at 2026-07-01T09:30:00Z
//	revoked at 2026-07-01T09:30:00Z
//	invalid since 2026-07-01T09:30:00Z (invalid_grant)
//	its OAuth client was replaced, and its access token expired at 2026-07-01T09:30:00Z
func (e *LoginRequiredError) Detail() string {
	detail := e.Reason
	if at := e.Since.UTC().Format(time.RFC3339); !e.Since.IsZero() {
		switch e.Reason {
		case ReasonMissing:
		case ReasonExpired, ReasonRevoked:
			detail += " at " + at
		case ReasonInvalid:
			detail += " since " + at
		default:
			detail += ", and its access token expired at " + at
		}
	}
	if e.Code != "" {
		detail += " (" + e.Code + ")"
	}
	return detail
}

// RefreshUnavailableError says that a connection's token has expired and that its
// provider cannot issue another at the moment. It makes sense to try again.
type RefreshUnavailableError struct {
	Provider   string
	Connection string
	RetryAfter time.Duration // how long no refresh is attempted
	Err        error         // the error of the last attempt; contains no secret
}

func (e *RefreshUnavailableError) Error() string {
	text := fmt.Sprintf("%s: %v", fullName(e.Provider, e.Connection), ErrRefreshUnavailable)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Is makes errors.Is(err, ErrRefreshUnavailable) true.
func (e *RefreshUnavailableError) Is(target error) bool { return target == ErrRefreshUnavailable }

func (e *RefreshUnavailableError) Unwrap() error { return e.Err }

// ConnectedError refuses to replace an existing connection.
type ConnectedError struct {
	Provider   string
	Connection string
	BaseURL    string // the connection's address, if another one was asked for; otherwise empty
}

func (e *ConnectedError) Error() string {
	text := fmt.Sprintf("%s: %v", fullName(e.Provider, e.Connection), ErrConnected)
	if e.BaseURL != "" {
		text += ", to " + e.BaseURL
	}
	return text
}

// Is makes errors.Is(err, ErrConnected) true.
func (e *ConnectedError) Is(target error) bool { return target == ErrConnected }

// NoDefaultError says that a provider has several connections and no default, so one
// must be named.
type NoDefaultError struct {
	Provider    string
	Connections []string // sorted
}

func (e *NoDefaultError) Error() string {
	return e.Provider + ": no default connection among " + strings.Join(e.Connections, ", ")
}

// MoveError says that a connection was stored in the other profile but could not be
// deleted in its own. Repeating the move completes it.
type MoveError struct {
	Provider   string
	Connection string
	From, To   string // profiles
	Err        error
}

func (e *MoveError) Error() string {
	return fmt.Sprintf("%s is now in profile %s, and still in profile %s: %v", fullName(e.Provider, e.Connection), e.To, e.From, e.Err)
}

func (e *MoveError) Unwrap() error { return e.Err }

// recordError says that a record, which the vault returned undamaged, does not have
// the form that this package reads. It contains none of the record's values.
type recordError struct {
	key    string
	reason string
}

func (e *recordError) Error() string { return fmt.Sprintf("record %s: %s", e.key, e.reason) }
