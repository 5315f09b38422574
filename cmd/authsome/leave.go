package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
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

// notRevoked returns the types of the connections whose provider has no way to revoke
// them. The others are reported by [app.reportLeft].
func notRevoked(all []auth.LogoutResult) (authTypes []string) {
	for _, left := range all {
		if left.AuthType != "" && errors.Is(left.Remote, flows.ErrNoRevocation) {
			authTypes = append(authTypes, left.AuthType)
		}
	}
	return authTypes
}

// stillValid says that the service still accepts the credentials of connections of these
// types, which are only deleted here, and where to delete keys there. It is empty if
// there are none.
func (a *app) stillValid(provider string, authTypes []string) string {
	keys := 0
	for _, authType := range authTypes {
		if authType == providers.AuthAPIKey {
			keys++
		}
	}
	what, them := "the key", "it"
	switch {
	case len(authTypes) == 0:
		return ""
	case keys == 0:
		return "; the service still accepts its tokens"
	case keys < len(authTypes):
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
