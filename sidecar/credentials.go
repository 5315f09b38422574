package sidecar

import (
	"context"
	"errors"
	"net/http"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/intercept"
)

// credentials is what the proxy asks for credentials: auth, with its errors
// turned into the proxy's answers.
type credentials struct{ s *Sidecar }

var _ intercept.Credentials = credentials{}

// Apply puts the connection's credential on r. While the vault cannot be read
// nothing is served from memory: what it holds may have been revoked.
func (c credentials) Apply(ctx context.Context, r *http.Request, provider, connection string) error {
	if c.s.unreadable.Load() != nil {
		return &intercept.Refusal{
			Status: http.StatusServiceUnavailable, Code: intercept.CodeVaultUnavailable, Provider: provider, Connection: connection,
			Message: "the vault cannot be read at the moment", Fix: "authsome list says why", RetryAfter: 1,
		}
	}
	if c.s.AuditRequired && c.s.Audit.Err() != nil {
		return &intercept.Refusal{
			Status: http.StatusServiceUnavailable, Code: intercept.CodeAuditUnavailable, Provider: provider, Connection: connection,
			Message: "the audit log cannot be written, and config.json says to refuse then", RetryAfter: 1,
		}
	}
	err := c.s.Auth.Apply(ctx, r, provider, connection)
	if login, ok := errors.AsType[*auth.LoginRequiredError](err); ok {
		return intercept.LoginRequired(provider, connection, provider+": "+login.Reason)
	}
	return err
}
