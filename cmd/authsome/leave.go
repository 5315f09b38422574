package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
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
	where := "there"
	if set, err := a.providers(); err == nil {
		if d, err := set.Lookup(provider); err == nil && d.KeyURL != "" {
			where = "at " + d.KeyURL
		}
	}
	return "; the service still accepts " + what + " until you delete " + them + " " + where
}

// leaving is what a provider has that revoke or remove delete.
type leaving struct {
	stored     bool // connections or OAuth clients, even if they cannot be read
	registered bool // a definition of the user; revoke keeps it
}

// leaving checks that the provider exists, and finds out what it has.
func (a *app) leaving(ctx context.Context, provider string) (leaving, error) {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	if err := checkKnown(ctx, a, provider); err != nil {
		return leaving{}, err
	}
	credentials, err := a.auth()
	if err != nil {
		return leaving{}, err
	}
	stored, err := credentials.Stored(ctx, provider)
	if exit.IsStore(err) {
		return leaving{}, err // a record that cannot be read is another error, and can be deleted
	}
	set, errSet := a.providers()
	if errSet != nil {
		return leaving{}, errSet
	}
	d, errSet := set.Lookup(provider)
	return leaving{stored: stored || err != nil, registered: errSet == nil && d.Source == providers.Custom}, nil
}

// confirmLeaving asks on a terminal before what is stored of a provider is deleted.
// Without a terminal it does not ask: scripts have always been able to do this.
func (a *app) confirmLeaving(ctx context.Context, provider, what string, l leaving, yes bool) error {
	if yes || !l.stored && !l.registered || a.Terminal() == nil {
		return nil
	}
	reading, cancel := opener.Bounded(ctx) // not while somebody thinks about the answer
	defer cancel()
	own, err := connectionsOf(reading, a, provider)
	if exit.IsStore(err) {
		return err
	}
	question := what + " all that is stored of " + provider
	switch {
	case !l.stored:
		question = what + " the registered definition of " + provider
	case len(own) == 1:
		question = fmt.Sprintf("%s %s/%s", what, provider, own[0].Name)
	case len(own) > 1:
		var names []string
		for _, c := range own {
			names = append(names, c.Name)
		}
		question += ", the connections " + strings.Join(names, ", ") + ","
	}
	if l.stored && l.registered {
		question += " and its registered definition"
	}
	return a.Confirm(ctx, strings.TrimSuffix(question, ",")+"?", "--yes")
}
