package signin

import (
	"context"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
)

// registeredBefore reports whether the login uses a client that an earlier login
// registered. Such a client can be replaced without asking anyone.
func (l *Login) registeredBefore(config *flows.Config) bool {
	client := config.Client
	return l.flow == providers.FlowDCRPKCE && client.ID != "" && registered(client) && l.known.Client(client.Issuer, client.ID).ID != ""
}

// checkStillKnown asks the server whether it has the client: the browser would show the
// server's refusal, and the login would wait in vain. A client that authsome registered, and
// that the server has deleted since, is replaced. About another client it warns: its ID may be
// mistyped, but the server may also mean the redirect URL or something else.
func (l *Login) checkStillKnown(ctx context.Context, config *flows.Config) error {
	before := l.registeredBefore(config)
	isNew := l.flow == providers.FlowDCRPKCE && registered(config.Client) && !before
	if isNew || config.Client.ID == l.d.OAuth.ClientID {
		return nil
	}
	// Some servers refuse a deleted client only after the user has signed in.
	l.mayBePurged = before
	if config.KnowsClient(ctx, l.redirectURL, l.scopes()) {
		return nil
	}
	if before {
		return l.registerAgain(ctx, config)
	}
	l.mayBePurged = true
	l.console.Warnf("%s may not know this OAuth client or its redirect URL; if its page says so, cancel with Ctrl-C and run %s", l.d.DisplayName, l.console.Suggest(l.withOtherClient()))
	return nil
}

// registerAgain registers a new client in place of one that the server does not have any
// more.
func (l *Login) registerAgain(ctx context.Context, config *flows.Config) error {
	l.console.Infof("%s no longer has the OAuth client of an earlier login; registering a new one", l.d.DisplayName)
	config.Client = flows.Client{}
	return l.registerClient(ctx, config)
}

// registerClient uses the client in config, or registers one, which is stored at the end of
// the login.
func (l *Login) registerClient(ctx context.Context, config *flows.Config) error {
	before := config.Client.ID
	client, err := config.ObtainClient(ctx, []string{l.redirectURL}, l.scopes())
	if err != nil {
		return err
	}
	config.Client = client
	if client.ID != before {
		l.unstored = config
	}
	return nil
}

// deregister deletes the client that a failed login registered, where the server supports
// that (RFC 7592). Nobody knows the client then, so it does not matter if the server fails.
func (l *Login) deregister(ctx context.Context) {
	if l.unstored == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deregisterTime)
	defer cancel()
	_ = l.unstored.Deregister(ctx)
}

// deregisterTime limits how long the end of a failed login takes.
const deregisterTime = 3 * time.Second

// withOtherClient is the command that repeats the login with another OAuth client.
func (l *Login) withOtherClient() suggest.Suggestion {
	next := l.repeat("--client-id")
	if !l.o.Reset {
		next = next.With("--reset")
	}
	return next
}
