package flows

import (
	"context"
	"time"
)

var (
	ErrUnsupported = errUnsupported
	ErrIssuer      = errIssuer
)

// Register is register.
func (c *Config) Register(ctx context.Context, redirectURIs, scopes []string) (Client, error) {
	return c.register(ctx, redirectURIs, scopes)
}

// Usable is usable.
func (c Client) Usable(redirectURI string, now time.Time) bool { return c.usable(redirectURI, now) }
