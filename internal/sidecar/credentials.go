package sidecar

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/intercept"
)

// credentials gives the proxy auth's credentials, and turns auth's errors into the
// proxy's answers.
type credentials struct{ s *Sidecar }

var _ intercept.Credentials = credentials{}

// Apply puts the connection's credential on r. While the vault cannot be read,
// nothing is served from memory: it may have been revoked.
func (c credentials) Apply(ctx context.Context, r *http.Request, provider, connection string) (intercept.Applied, error) {
	var refused *intercept.Refusal
	switch {
	case c.s.unreadable.Load() != nil:
		refused = tryAgain(intercept.CodeVaultUnavailable, "the vault cannot be read at the moment")
	case c.s.auditRequired && c.s.audit.Err() != nil:
		refused = tryAgain(intercept.CodeAuditUnavailable, "the audit log cannot be written, and config.json says to refuse requests then")
	default:
		injection, mark, err := c.s.auth.ApplyMarked(ctx, r, provider, connection)
		if err == nil {
			return intercept.Applied{Injection: injection, Mark: mark}, nil
		}
		if refused = refusal(err, provider+"/"+connection); refused == nil {
			return intercept.Applied{}, err
		}
	}
	refused.Provider, refused.Connection = provider, connection
	return intercept.Applied{}, refused
}

// Renew gets another credential after the upstream refused the one with that mark.
func (c credentials) Renew(ctx context.Context, provider, connection string, mark uint64) bool {
	return c.s.unreadable.Load() == nil && c.s.auth.Renew(ctx, provider, connection, mark)
}

// refusal is the answer for an error of auth about the named connection, or nil for
// an unexpected error.
func refusal(err error, name string) *intercept.Refusal {
	if login, ok := errors.AsType[*auth.LoginRequiredError](err); ok {
		return &intercept.Refusal{Status: http.StatusForbidden, Code: intercept.CodeLoginRequired, Message: name + " needs a new login: " + login.Detail()}
	}
	if later, ok := errors.AsType[*auth.RefreshUnavailableError](err); ok {
		r := tryAgain(intercept.CodeRefreshUnavailable, "the token of "+name+" has expired and cannot be refreshed at the moment; the proxy's log says why")
		r.RetryAfter = int(max(later.RetryAfter, time.Second)+time.Second-1) / int(time.Second) // rounded up
		return r
	}
	if errors.Is(err, auth.ErrMoved) {
		r := tryAgain(intercept.CodeVaultUnavailable, name+" was just replaced; its routes are being reloaded")
		r.NoFix = true
		return r
	}
	return nil
}

// tryAgain is an answer that asks the client to try again after a second.
func tryAgain(code intercept.Code, message string) *intercept.Refusal {
	return &intercept.Refusal{Status: http.StatusServiceUnavailable, Code: code, Message: message, RetryAfter: 1}
}
