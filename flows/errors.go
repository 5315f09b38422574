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

// Errors of the protocol that come before any request, or that are the answer.
var (
	// ErrUnsupported says that neither the definition nor discovery has the
	// endpoint or the setting that a flow needs.
	ErrUnsupported = errors.New("the provider does not offer this")
	// ErrNoClient says that there is no OAuth client and no way to make one.
	ErrNoClient = errors.New("no OAuth client: register one with the provider, and give its client id")
	// ErrClientIssuer says that a client belongs to another authorization server.
	ErrClientIssuer = errors.New("the OAuth client belongs to another authorization server")
	// ErrIssuer says that an answer, or a metadata document, is not from the
	// authorization server that was asked. Nothing of it may be used or shown.
	ErrIssuer = errors.New("the answer is from another authorization server")
	// ErrNoRevocation says that the provider has no way to take a token back.
	ErrNoRevocation = errors.New("the provider has no way to revoke a token")
	// ErrNotManaged says that a client cannot be deleted, since registration gave
	// no address for it (RFC 7592).
	ErrNotManaged = errors.New("the provider has no way to delete the OAuth client")
)

// Kind is what an error of an endpoint means for the one who has to go on.
type Kind int

const (
	Permanent Kind = iota + 1 // refused; only the user can mend it
	Transient                 // nothing was sent, or the endpoint said to come back later
	Ambiguous                 // sent, and no complete answer came: what was sent may be used up
	Protocol                  // an answer that makes no sense
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

// TokenError is what went wrong at a token endpoint, or at another endpoint that
// answers in its way. Neither its text nor its members hold anything that was
// sent or received as a secret.
type TokenError struct {
	Kind        Kind
	Code        string        // the server's, as invalid_grant; empty if it gave none
	Description string        // the server's text, for the person who logs in and nowhere else
	Status      int           // of the answer; 0 if none came
	RetryAfter  time.Duration // 0 if the server did not say
	Err         error         // what else is known; nil if the answer says it all
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

// protocolError is an answer that makes no sense.
func protocolError(status int, format string, args ...any) *TokenError {
	return &TokenError{Kind: Protocol, Status: status, Err: fmt.Errorf(format, args...)}
}

// refusals are codes that no repetition changes, whatever the status beside
// them: RFC 6749 section 5.2, RFC 8628 section 3.5, RFC 7591 section 3.2.2, and
// what GitHub and Slack say instead.
var refusals = []string{
	"invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "access_denied", "expired_token",
	"invalid_redirect_uri", "invalid_client_metadata", "invalid_target", "interaction_required", "consent_required", "login_required",
	"bad_refresh_token", "bad_verification_code", "incorrect_client_credentials", "incorrect_device_code", "device_flow_disabled",
	"invalid_refresh_token", "invalid_code", "code_already_used", "token_revoked", "token_expired", "account_inactive", "invalid_auth",
}

// postponements are codes that mean later, also with status 200.
var postponements = []string{
	"temporarily_unavailable", "server_error", "slow_down", "ratelimited", "rate_limited", "rate_limit_exceeded", "too_many_requests",
	"internal_error", "internal_server_error", "fatal_error", "service_unavailable", "request_timeout",
}

// classify decides what a complete answer that is an error means: the body
// first, then the status. Only an endpoint that speaks the protocol, in JSON,
// can refuse for good; the page of a firewall or of a captive portal cannot.
func classify(status int, code string, structured bool) Kind {
	switch {
	case slices.Contains(refusals, code):
		return Permanent
	case slices.Contains(postponements, code), postponed(status):
		return Transient
	case code != "", structured && (status == 400 || status == 401 || status == 403):
		return Permanent
	default:
		return Protocol
	}
}

func postponed(status int) bool {
	return status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500
}

// maxRetryAfter bounds what a server can ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads RFC 9110 section 10.2.3.
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

// printable makes a server's text fit to be shown: one line, no control or
// invisible characters, at most limit bytes.
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

// errorCode keeps a server's code if it is one; whatever else stands in its
// place could be anything.
func errorCode(s string) string {
	if len(s) > 64 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") != "" {
		return ""
	}
	return s
}
