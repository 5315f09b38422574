package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
)

// leftOutcome is what the provider answered, for the audit log.
func leftOutcome(left auth.LogoutResult) string {
	switch {
	case left.Remote == nil:
		return "ok: revoked"
	case errors.Is(left.Remote, flows.ErrNoRevocation):
		return "ok"
	}
	return "ok: not revoked"
}

// reportLeft reports what the provider answered, if it was asked.
func (a *app) reportLeft(provider string, left auth.LogoutResult) {
	what := "the tokens of " + provider + "/" + left.Connection
	if left.Connection == "" {
		what = "the OAuth client"
	}
	switch {
	case left.Remote == nil:
		a.Infof("%s revoked %s", provider, what)
	case errors.Is(left.Remote, flows.ErrNoRevocation), errors.Is(left.Remote, flows.ErrNotManaged):
	default:
		a.Warnf("%s did not revoke %s, which may still be valid: %s", provider, what, oneLine(left.Remote))
	}
}

// oneLine joins the lines of an error, which can be one for each token and the same.
func oneLine(err error) string {
	lines := strings.Split(err.Error(), "\n")
	return strings.Join(slices.Compact(lines), "; ")
}

// connectionsToLeave returns a provider's connections before they are deleted, for the
// message after that. A record that cannot be read does not prevent its deletion.
func connectionsToLeave(ctx context.Context, a *app, provider string) ([]auth.Connection, error) {
	own, err := connectionsOf(ctx, a, provider)
	if err != nil && !exit.IsStore(err) {
		return nil, nil
	}
	return own, err
}

// notRevoked returns the connections whose provider has no way to revoke them. The
// others are reported by [app.reportLeft].
func notRevoked(before []auth.Connection, all []auth.LogoutResult) []auth.Connection {
	var kept []auth.Connection
	for _, left := range all {
		if !errors.Is(left.Remote, flows.ErrNoRevocation) {
			continue
		}
		i := slices.IndexFunc(before, func(c auth.Connection) bool { return c.Name == left.Connection })
		if i >= 0 {
			kept = append(kept, before[i])
		}
	}
	return kept
}

// stillValid says that the service still accepts the credentials of connections that
// are only deleted here, and where to delete keys there. It is empty if kept is.
func (a *app) stillValid(provider string, kept []auth.Connection) string {
	keys := 0
	for _, c := range kept {
		if c.AuthType == providers.AuthAPIKey {
			keys++
		}
	}
	what, them := "the key", "it"
	switch {
	case len(kept) == 0:
		return ""
	case keys == 0:
		return "; the service still accepts its tokens"
	case keys < len(kept):
		return "; the service still accepts its keys and tokens"
	case keys > 1:
		what, them = "the keys", "them"
	}
	text := "; the service still accepts " + what
	set, err := a.providers()
	if err != nil {
		return text
	}
	d, err := set.Lookup(provider)
	if err != nil || d.KeyURL == "" {
		return text
	}
	return text + " until you delete " + them + " at " + d.KeyURL
}
