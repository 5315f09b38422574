package sidecar

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
)

// credentials is what the proxy asks for credentials: auth, with its errors
// turned into the proxy's answers.
type credentials struct{ s *Sidecar }

var _ intercept.Credentials = credentials{}

// Apply puts the connection's credential on r. While the vault cannot be read
// nothing is served from memory: what it holds may have been revoked.
func (c credentials) Apply(ctx context.Context, r *http.Request, provider, connection string) (intercept.Applied, error) {
	if c.s.unreadable.Load() != nil {
		return intercept.Applied{}, &intercept.Refusal{
			Status: http.StatusServiceUnavailable, Code: intercept.CodeVaultUnavailable, Provider: provider, Connection: connection,
			Message: "the vault cannot be read at the moment", Fix: "authsome list says why", RetryAfter: 1,
		}
	}
	if c.s.AuditRequired && c.s.Audit.Err() != nil {
		return intercept.Applied{}, &intercept.Refusal{
			Status: http.StatusServiceUnavailable, Code: intercept.CodeAuditUnavailable, Provider: provider, Connection: connection,
			Message: "the audit log cannot be written, and config.json says to refuse then", RetryAfter: 1,
		}
	}
	injection, mark, err := c.s.Auth.ApplyMarked(ctx, r, provider, connection)
	if err == nil {
		return intercept.Applied{Injection: injection, Mark: mark}, nil
	}
	if login, ok := errors.AsType[*auth.LoginRequiredError](err); ok {
		return intercept.Applied{}, intercept.LoginRequired(provider, connection, "the "+provider+" connection "+connection+" needs a new login: "+login.Detail())
	}
	if later, ok := errors.AsType[*auth.RefreshUnavailableError](err); ok {
		return intercept.Applied{}, &intercept.Refusal{
			Status: http.StatusServiceUnavailable, Code: intercept.CodeRefreshUnavailable, Provider: provider, Connection: connection,
			Message:    "the token of " + provider + " has run out, and its provider cannot be asked for another at the moment; the proxy's log says why",
			RetryAfter: int(max(later.RetryAfter, time.Second)+time.Second-1) / int(time.Second),
		}
	}
	if errors.Is(err, auth.ErrMoved) {
		return intercept.Applied{}, &intercept.Refusal{
			Status: http.StatusServiceUnavailable, Code: intercept.CodeVaultUnavailable, Provider: provider, Connection: connection,
			Message: "the " + provider + " connection " + connection + " was replaced just now, and its routes are being read", RetryAfter: 1,
		}
	}
	return intercept.Applied{}, err
}

// Renew is told that the upstream refused a credential.
func (c credentials) Renew(ctx context.Context, provider, connection string, mark uint64) bool {
	return c.s.unreadable.Load() == nil && c.s.Auth.Renew(ctx, provider, connection, mark)
}

// refreshed tells metrics, audit and the log about an attempt to renew a token.
func (s *Sidecar) refreshed(r auth.Refresh) {
	s.Metrics.Refresh(r.Provider, r.Outcome, r.Duration)
	if s.Audit != nil {
		s.Audit.Record(RefreshEvent(r, s.Profile))
	}
	log := s.Log.With("provider", r.Provider, "connection", r.Connection, "outcome", r.Outcome, "forced", r.Forced, "duration", r.Duration)
	switch r.Outcome {
	case auth.RefreshDone:
		log.Info("token refreshed")
	case auth.RefreshInvalid:
		log.Error("token cannot be refreshed any more, a login is required", "code", r.Code, "err", r.Err)
	default:
		log.Warn("token not refreshed, it will be tried again", "code", r.Code, "err", r.Err)
	}
}

// RefreshEvent is an attempt to renew a token as the audit log has it.
func RefreshEvent(r auth.Refresh, profile string) audit.Event {
	e := audit.Event{Event: audit.Refresh, Profile: profile, Provider: r.Provider, Connection: r.Connection, Outcome: "ok", Duration: r.Duration}
	if r.Outcome != auth.RefreshDone {
		e.Outcome = r.Outcome
		if r.Code != "" {
			e.Outcome += ": " + r.Code
		}
	}
	return e
}
