package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// loadTimeout bounds the reading of a record. The reading can take longer than the
// caller that started it waits.
const loadTimeout = 10 * time.Second

// ApplyMarked puts a connection's credential on r and replaces what the client sent
// in its place, for a caller that masks the response: it also asks for a body that is
// not encoded. An empty connection means the default one. It returns what was put on
// r, and a mark with which [Auth.Renew] recognises the token; the mark is 0 if the
// credential cannot be refreshed.
//
// A cached and fresh credential is applied without a lock and without reading a file.
// An expired token is refreshed first, once for all callers. Without a usable
// credential the error is a [*LoginRequiredError] or, if it makes sense to try again, a
// [*RefreshUnavailableError]. The caller may have chosen the connection by an older
// version of it: if the connection no longer covers r's host (normalised) and port,
// the error is [ErrMoved]. These errors leave r unchanged.
func (a *Auth) ApplyMarked(ctx context.Context, r *http.Request, provider, connection string) (applied *providers.Injection, mark uint64, err error) {
	e, err := a.entry(ctx, target{provider, connection})
	if err != nil {
		return nil, 0, err
	}
	if !e.coversHost(r.URL) {
		return nil, 0, ErrMoved
	}
	return e.injection, e.mark, e.injection.ApplyMasked(r)
}

// coversHost reports whether the connection covers the host, which must be
// normalised, and the port of an https URL.
func (e *entry) coversHost(u *url.URL) bool {
	port := 443
	if s := u.Port(); s != "" {
		var err error
		if port, err = strconv.Atoi(s); err != nil {
			return false
		}
	}
	return e.routes.Host(u.Hostname(), port) == routing.Intercept
}

// entry returns a usable credential for t, from the cache, the vault or the provider.
func (a *Auth) entry(ctx context.Context, t target) (*entry, error) {
	// The record can change during a refresh. Then try again, but not without limit.
	const tries = 3
	for try := 1; ; try++ {
		c := a.cached()
		e := c.entries[t]
		if e == nil || !e.current(a.now) {
			var err error
			if e, err = a.load(ctx, t, c.epoch); err != nil {
				return nil, err
			}
		}
		switch {
		case e.loginErr != nil:
			return nil, e.loginErr
		case e.due.IsZero():
			return e, nil
		}
		now := a.now()
		if now.Before(e.due) {
			return e, nil
		}
		if now.Before(e.expires) {
			a.startRefresh(e.keeper, 0) // its result does not matter: no caller waits for it
			return e, nil
		}
		if err := a.awaitRefresh(ctx, e.keeper); err != nil {
			return nil, err
		}
		if try == tries {
			return nil, e.keeper.unavailable(minBackoff, errReplaced)
		}
	}
}

// load reads one connection, once for all callers that ask for it at the same time.
// The reading goes on if the caller that started it gives up. Its result is cached
// unless the cache has changed since then.
func (a *Auth) load(ctx context.Context, t target, epoch uint64) (*entry, error) {
	key := fmt.Sprintf("%d:%s:%s", epoch, t.provider, t.connection)
	done := a.loads.DoChan(key, func() (any, error) {
		if !a.enter() {
			return nil, errClosed
		}
		defer a.running.Done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		e, err := a.lookup(ctx, t)
		if err != nil {
			return nil, err
		}
		a.addEntry(epoch, t, e)
		return e, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-done:
		if errors.Is(result.Err, errClosed) {
			return a.lookup(ctx, t) // after Close, without a goroutine
		}
		if result.Err != nil {
			return nil, result.Err
		}
		return result.Val.(*entry), nil
	}
}

func (a *Auth) lookup(ctx context.Context, t target) (*entry, error) {
	s, err := a.view(ctx, a.providerPrefix(t.provider))
	if err != nil {
		return nil, err
	}
	return a.compile(s, t)
}

// compile finds the connection for t and prepares its credential.
func (a *Auth) compile(s *snapshot, t target) (*entry, error) {
	c, err := s.find(t.provider, t.connection)
	if login, ok := errors.AsType[*LoginRequiredError](err); ok {
		return a.loginEntry(t, login), nil
	}
	if err != nil {
		return nil, err
	}
	clients, err := s.clientsOf(c.Provider)
	if err != nil {
		return nil, err
	}
	return a.compileConnection(c, clients)
}

// compileConnection prepares a connection's credential.
func (a *Auth) compileConnection(c Connection, clients []flows.Client) (*entry, error) {
	t, now := target{c.Provider, c.Name}, a.now()
	c = a.checkRenewal(c, clients)
	if err := c.Err(now); err != nil {
		return a.loginEntry(t, err), nil
	}
	binding, err := a.Binding(c)
	if err != nil {
		return nil, err
	}
	d := binding.Definition
	e := &entry{target: t, definition: d, expires: c.ExpiresAt, obtained: c.ObtainedAt}
	if c.Renewable(now) {
		a.schedule(e, c)
	}
	if c.AccessToken.IsZero() && e.keeper != nil {
		return e, nil
	}
	if e.routes, err = routesOf(binding); err != nil {
		return nil, fmt.Errorf("hosts of %s: %w", fullName(c.Provider, c.Name), err)
	}
	if e.injection, err = d.Injection(c.credential()); err != nil {
		return nil, fmt.Errorf("credential of %s: %w", fullName(c.Provider, c.Name), err)
	}
	return e, nil
}

// routesOf compiles the routing rules of one connection, which are the same as in the
// proxy's table of all connections.
func routesOf(binding routing.Binding) (*routing.Table, error) {
	table, err := routing.New([]routing.Binding{binding}, routing.Options{})
	if err != nil {
		return nil, err
	}
	if problems := table.Problems(); len(problems) > 0 {
		return nil, problems[0].Err
	}
	return table, nil
}

// schedule sets when the token of a renewable connection is refreshed.
func (a *Auth) schedule(e *entry, c Connection) {
	e.keeper = a.keeper(e.target)
	e.mark = a.mark(c.AccessToken)
	unanswered := !c.RefreshStarted.IsZero()
	switch {
	case c.AccessToken.IsZero(), unanswered && e.definition.OAuth.RefreshInvalidatesAccess:
		e.expires = longAgo
		e.due = longAgo
	case unanswered:
		e.due = c.ExpiresAt // the old token is used as long as it is valid
	default:
		e.due = dueAt(c.ObtainedAt, c.ExpiresAt, e.mark)
	}
}

// longAgo is a time that every clock has passed.
var longAgo = time.Unix(0, 0)
