package auth

import (
	"context"
	"time"

	"github.com/authsome/authsome/flows"
)

// SetGrant has tokens obtained from fn in place of a token endpoint.
func (a *Auth) SetGrant(fn func(ctx context.Context, config *flows.Config, c Connection) (flows.Token, error)) {
	a.grant = fn
}

// DueAt is when a token's renewal begins.
func DueAt(obtained, expires time.Time, mark uint64) time.Time { return dueAt(obtained, expires, mark) }

// Backoff is the wait after a number of failures.
func Backoff(failures int, retryAfter time.Duration) time.Duration {
	return backoff(failures, retryAfter)
}
