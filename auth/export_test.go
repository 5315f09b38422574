package auth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
)

// ErrAddressChanged is errAddressChanged.
var ErrAddressChanged = errAddressChanged

// RecordKey returns the key of the record that err says cannot be read.
func RecordKey(err error) (key string, ok bool) {
	e, ok := errors.AsType[*recordError](err)
	if !ok {
		return "", false
	}
	return e.key, true
}

// Apply puts a connection's credential on r, to any host.
func (a *Auth) Apply(ctx context.Context, r *http.Request, provider, connection string) error {
	e, err := a.entry(ctx, target{provider, connection})
	if err != nil {
		return err
	}
	return e.injection.Apply(r)
}

// SetGrant makes fn answer token requests.
func (a *Auth) SetGrant(fn func(ctx context.Context, config *flows.Config, c Connection) (flows.Token, error)) {
	a.grant = fn
}

// DueAt is dueAt.
func DueAt(obtained, expires time.Time, mark uint64) time.Time { return dueAt(obtained, expires, mark) }

// Backoff is backoff.
func Backoff(failures int, retryAfter time.Duration) time.Duration {
	return backoff(failures, retryAfter)
}

// InForce returns the definition in force.
func (a *Auth) InForce(provider string) (*providers.Definition, error) { return a.definition(provider) }
