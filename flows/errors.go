package flows

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Errors that a flow finds without a request, or in a complete answer.
var (
	// ErrNoClient says that the login needs an OAuth client, and that none is stored and
	// none can be registered automatically.
	ErrNoClient = errors.New("no OAuth client: register one with the provider and enter its client id")
	// ErrClientIssuer says that a client belongs to another authorization server.
	ErrClientIssuer = errors.New("the OAuth client belongs to another authorization server")
	// ErrNoRevocation says that the provider does not support the revocation of tokens.
	ErrNoRevocation = errors.New("the provider does not support the revocation of tokens")
	// ErrNotManaged says that a client cannot be deleted, because its registration returned
	// no address for that (RFC 7592).
	ErrNotManaged = errors.New("the provider does not support the deletion of the OAuth client")

	// errUnsupported says that neither the definition nor discovery has the endpoint or the
	// setting that a flow needs.
	errUnsupported = errors.New("not supported by the provider")
	// errIssuer says that an answer or a metadata document is from another authorization
	// server than the expected one. Nothing of it may be used, and only the issuer that it
	// names may be shown.
	errIssuer = errors.New("the answer is from another authorization server")
)

// otherIssuerError is an [errIssuer] that names both issuers.
type otherIssuerError struct {
	where      string // what names the wrong issuer
	got, wants string // got is empty if where names no issuer
}

func (e *otherIssuerError) Error() string {
	if e.got == "" {
		return fmt.Sprintf("%v: %s does not name %s", errIssuer, e.where, quoted(e.wants))
	}
	return fmt.Sprintf("%v: %s names %s instead of %s", errIssuer, e.where, quoted(e.got), quoted(e.wants))
}

func (e *otherIssuerError) Unwrap() error { return errIssuer }

// Kind says what the caller of a failed request can do.
type Kind int

const (
	Permanent Kind = iota + 1 // refused; only the user can fix it
	Transient                 // nothing was sent, or the endpoint asks to try again later
	Ambiguous                 // sent without a complete answer: the code or token may be used up
	Protocol                  // the answer does not follow the protocol
)

func (k Kind) String() string {
	switch k {
	case Permanent:
		return "permanent"
	case Transient:
		return "transient"
	case Ambiguous:
		return "ambiguous"
	default:
		return "protocol"
	}
}

// TokenError is an error of a token endpoint, or of another endpoint that answers in the
// same form. Its text and its fields contain no secret that was sent or received.
type TokenError struct {
	Kind        Kind
	Code        string        // the server's error code, such as invalid_grant; may be empty
	Description string        // the server's text, to be shown only to the person who logs in
	Status      int           // of the answer; 0 without a complete answer
	RetryAfter  time.Duration // 0 if the server does not say
	Err         error         // the cause, if the answer does not say it
}

func (e *TokenError) Error() string {
	var b strings.Builder
	switch {
	case e.Status == 0 && e.Kind == Transient:
		b.WriteString("the endpoint cannot be reached")
	case e.Status == 0 && e.Code == "":
		b.WriteString("the endpoint gave no complete answer")
	case e.Code != "":
		b.WriteString("the endpoint answered " + e.Code)
	default:
		b.WriteString("the endpoint answered with an error")
	}
	if e.Status != 0 {
		fmt.Fprintf(&b, " (status %d)", e.Status)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

func (e *TokenError) Unwrap() error { return e.Err }

// RegistrationError is the error of a request to register a client. Its cause is mostly a
// [*TokenError].
type RegistrationError struct {
	URL string // of the registration endpoint
	Err error
}

func (e *RegistrationError) Error() string {
	return fmt.Sprintf("register an OAuth client at %s: %v", e.URL, e.Err)
}

func (e *RegistrationError) Unwrap() error { return e.Err }

// protocolError returns the error for an answer that does not follow the protocol.
func protocolError(status int, format string, args ...any) *TokenError {
	return &TokenError{Kind: Protocol, Status: status, Err: fmt.Errorf(format, args...)}
}

// permanentCodes are permanent refusals with any status: the codes of RFC 6749 section 5.2,
// RFC 8628 section 3.5 and RFC 7591 section 3.2.2, and those that GitHub and Slack use.
var permanentCodes = []string{
	"invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "access_denied", "expired_token",
	"invalid_redirect_uri", "invalid_client_metadata", "invalid_target", "interaction_required", "consent_required", "login_required",
	"bad_refresh_token", "bad_verification_code", "incorrect_client_credentials", "incorrect_device_code", "device_flow_disabled",
	"invalid_refresh_token", "invalid_code", "code_already_used", "token_revoked", "token_expired", "account_inactive", "invalid_auth",
}

// transientCodes mean "try again later", even with status 200.
var transientCodes = []string{
	"temporarily_unavailable", "server_error", "slow_down", "ratelimited", "rate_limited", "rate_limit_exceeded", "too_many_requests",
	"internal_error", "internal_server_error", "fatal_error", "service_unavailable", "request_timeout",
}

// classify returns the kind of a complete answer that is an error, by the body first and
// then by the status. structured says that the body is an object. Only such an answer can
// be a permanent refusal; the page of a firewall or of a captive portal cannot.
func classify(status int, code string, structured bool) Kind {
	switch {
	case slices.Contains(permanentCodes, code):
		return Permanent
	case slices.Contains(transientCodes, code), isTransient(status):
		return Transient
	case code != "", structured && (status == 400 || status == 401 || status == 403):
		return Permanent
	default:
		return Protocol
	}
}

// isTransient reports whether a status means "try again later".
func isTransient(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500
}

// maxRetryAfter bounds the wait that a server can ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the Retry-After header (RFC 9110 section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(h.Get("Retry-After"))
	var d time.Duration
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// maxDescription bounds a server's text, in bytes.
const maxDescription = 300

// printable makes a server's text safe to show: one line, without control or invisible
// characters, at most limit bytes.
func printable(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}

// errorCode returns s if it looks like an error code, and "" otherwise. Other text in its
// place could contain a secret.
func errorCode(s string) string {
	if len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != "" {
		return ""
	}
	return s
}
