package auth

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// cache holds compiled credentials. It is immutable: a change makes another one.
type cache struct {
	epoch   uint64 // counts the times that everything was dropped or read again
	entries map[target]*entry
}

// target is what a credential is asked for by. An empty connection is the one
// that is used where none is named.
type target struct{ provider, connection string }

// entry is the answer for one target: a credential, or why there is none.
type entry struct {
	target     target // with the connection's name
	definition *providers.Definition
	routes     *routing.Table       // the connection's own; nil as long as injection is
	injection  *providers.Injection // nil if a token has to be had first
	expires    time.Time            // until when the credential serves; zero if nothing says so
	missing    *LoginRequiredError  // in place of a credential
	until      time.Time            // how long missing holds without looking again

	// Of a credential that can be renewed:
	keeper   *keeper
	due      time.Time // from when on that is done; zero if only a service's refusal shows the need
	obtained time.Time
	mark     uint64 // tells one token from another, within this process
}

const (
	// missingFor is how long the lack of a credential is remembered: a client
	// that tries over and over must not keep the vault busy, and a login is
	// noticed by programs that do not call Reload.
	missingFor = time.Second
	// loadTimeout bounds the reading of a record, beyond the wait of whoever
	// asked for it first.
	loadTimeout = 10 * time.Second
)

// Apply puts a connection's credential on r, in place of what r has there
// already. An empty connection means the one used where none is named. Where r
// may go is not checked here: that is the routing table's, or [Auth.RoundTripper]'s.
//
// What is cached and fresh is applied without a lock and without reading a file.
// A token that has run out is renewed first, once for all who ask. Without a
// usable credential the error is a [*LoginRequiredError] or, if it is worth
// trying again, a [*RefreshUnavailableError], and r is as it was.
func (a *Auth) Apply(ctx context.Context, r *http.Request, provider, connection string) error {
	e, err := a.entry(ctx, target{provider, connection})
	if err != nil {
		return err
	}
	return e.injection.Apply(r)
}

// ApplyMarked is Apply for the proxy, with what was put on r. The mark is for
// [Auth.Renew], to say that this credential was refused; it is 0 for one that
// cannot be renewed. Routes are made from an earlier reading of the connection than
// its credential: if r's host, in its normal form, is none of the connection's any
// more, the error is [ErrMoved].
func (a *Auth) ApplyMarked(ctx context.Context, r *http.Request, provider, connection string) (applied *providers.Injection, mark uint64, err error) {
	e, err := a.entry(ctx, target{provider, connection})
	if err != nil {
		return nil, 0, err
	}
	if !e.onHost(r.URL) {
		return nil, 0, ErrMoved
	}
	return e.injection, e.mark, e.injection.Apply(r)
}

// onHost reports whether u's host, in its normal form, and port are the connection's.
func (e *entry) onHost(u *url.URL) bool {
	port := 443
	if s := u.Port(); s != "" {
		var err error
		if port, err = strconv.Atoi(s); err != nil {
			return false
		}
	}
	return e.routes.Host(u.Hostname(), port) == routing.Intercept
}

// entry is a usable credential for t, from memory or else from the vault or its
// provider.
func (a *Auth) entry(ctx context.Context, t target) (*entry, error) {
	// The record may change under a refresh; it does not do so for ever.
	const tries = 3
	for try := 1; ; try++ {
		c := a.cached()
		e := c.entries[t]
		if e == nil || !e.holds(a.now) {
			var err error
			if e, err = a.load(ctx, t, c.epoch); err != nil {
				return nil, err
			}
		}
		switch {
		case e.missing != nil:
			return nil, e.missing
		case e.due.IsZero():
			return e, nil
		}
		now := a.now()
		if now.Before(e.due) {
			return e, nil
		}
		if now.Before(e.expires) {
			a.start(e.keeper, 0) // nobody waits for it yet, so how it ends does not matter here
			return e, nil
		}
		if err := a.renew(ctx, e); err != nil {
			return nil, err
		}
		if try == tries {
			return nil, e.keeper.unavailable(minBackoff, errReplaced)
		}
	}
}

// holds reports whether the entry still answers, be it that a refresh is due. The
// clock is read only if that depends on it.
func (e *entry) holds(now func() time.Time) bool {
	switch {
	case e.missing != nil:
		return now().Before(e.until)
	case e.expires.IsZero() || !e.due.IsZero():
		return true
	}
	return now().Before(e.expires)
}

// forcible reports whether a service's refusal says something about the token:
// one that was just obtained is not mended by another.
func (e *entry) forcible(now time.Time) bool {
	age := now.Sub(e.obtained)
	return age < 0 || age >= forcedInterval
}

var empty = &cache{}

func (a *Auth) cached() *cache {
	if c := a.cache.Load(); c != nil {
		return c
	}
	return empty
}

// load reads one connection, once for all who ask for it at the same time. The
// reading does not end with the request that began it, and what it found is
// cached only if nothing was dropped meanwhile.
func (a *Auth) load(ctx context.Context, t target, epoch uint64) (*entry, error) {
	flight := fmt.Sprintf("%d:%s:%s", epoch, t.provider, t.connection)
	done := a.flights.DoChan(flight, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), loadTimeout)
		defer cancel()
		e, err := a.lookup(ctx, t)
		if err != nil {
			return nil, err
		}
		a.remember(epoch, t, e)
		return e, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case result := <-done:
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

// compile finds the connection for t and makes it ready to be applied.
func (a *Auth) compile(s *snapshot, t target) (*entry, error) {
	c, err := s.find(t.provider, t.connection)
	if missing, ok := errors.AsType[*LoginRequiredError](err); ok {
		return a.without(t, missing), nil
	}
	if err != nil {
		return nil, err
	}
	client, err := s.client(c.Provider)
	if err != nil {
		return nil, err
	}
	return a.compileConnection(c, client)
}

func (a *Auth) without(t target, missing *LoginRequiredError) *entry {
	return &entry{target: t, missing: missing, until: a.now().Add(missingFor)}
}

// compileConnection makes a connection ready to be applied.
func (a *Auth) compileConnection(c Connection, client flows.Client) (*entry, error) {
	t, now := target{c.Provider, c.Name}, a.now()
	c = a.judged(c, client)
	if missing := c.Err(now); missing != nil {
		return a.without(t, missing), nil
	}
	d, err := a.definition(c.Provider)
	if err != nil {
		return nil, err
	}
	e := &entry{target: t, definition: d, expires: c.ExpiresAt, obtained: c.ObtainedAt}
	if c.Renewable(now) {
		a.plan(e, d, c)
	}
	if c.AccessToken.IsZero() && e.keeper != nil {
		return e, nil
	}
	if e.routes, err = routesOf(d, c); err != nil {
		return nil, fmt.Errorf("hosts of %s: %w", describe(c.Provider, c.Name), err)
	}
	if e.injection, err = d.Injection(c.credential()); err != nil {
		return nil, fmt.Errorf("credential of %s: %w", describe(c.Provider, c.Name), err)
	}
	return e, nil
}

// routesOf compiles the requests that c's credential belongs on, by the rules that
// the proxy's own table has.
func routesOf(d *providers.Definition, c Connection) (*routing.Table, error) {
	binding := routing.Binding{Provider: d.Name, Connection: c.Name, Values: c.Values(), State: routing.Ready}
	table, err := routing.New([]*providers.Definition{d}, []routing.Binding{binding}, routing.Options{})
	if err != nil {
		return nil, err
	}
	for _, p := range table.Problems() {
		return nil, p.Err
	}
	return table, nil
}

// plan says when the token of a renewable connection is renewed.
func (a *Auth) plan(e *entry, d *providers.Definition, c Connection) {
	e.keeper = a.keeper(e.target)
	e.mark = a.markOf(c.AccessToken)
	unanswered := !c.RefreshStarted.IsZero()
	switch {
	case c.AccessToken.IsZero(), unanswered && d.OAuth.RefreshInvalidatesAccess:
		e.expires = longAgo
		e.due = longAgo
	case unanswered:
		e.due = c.ExpiresAt // the old token serves for as long as it can
	default:
		e.due = dueAt(c.ObtainedAt, c.ExpiresAt, e.mark)
	}
}

// longAgo is an end that has passed, by any clock.
var longAgo = time.Unix(0, 0)

// markOf tells tokens apart without holding any. Marks mean nothing to another
// process.
func (a *Auth) markOf(token secret.String) uint64 {
	a.seeded.Do(func() { a.seed = maphash.MakeSeed() })
	return max(maphash.String(a.seed, token.Reveal()), 1)
}

// remember adds an entry to the cache of that epoch.
func (a *Auth) remember(epoch uint64, t target, e *entry) {
	for {
		old := a.cache.Load()
		entries := make(map[target]*entry)
		if old != nil {
			if old.epoch != epoch {
				return
			}
			maps.Copy(entries, old.entries)
		} else if epoch != 0 {
			return
		}
		entries[t], entries[e.target] = e, e
		if a.cache.CompareAndSwap(old, &cache{epoch, entries}) {
			return
		}
	}
}

// replaceCache begins an epoch with these entries.
func (a *Auth) replaceCache(entries map[target]*entry) {
	for {
		old := a.cache.Load()
		next := &cache{epoch: 1, entries: entries}
		if old != nil {
			next.epoch = old.epoch + 1
		}
		if a.cache.CompareAndSwap(old, next) {
			return
		}
	}
}

// adopt has a connection's entry used from now on, by every name that led to it.
// It begins an epoch, so that a load under way cannot bring the old one back.
func (a *Auth) adopt(e *entry) {
	for {
		old := a.cache.Load()
		next := &cache{epoch: 1, entries: make(map[target]*entry)}
		if old != nil {
			next.epoch = old.epoch + 1
			for t, before := range old.entries {
				if before.target == e.target {
					before = e
				}
				next.entries[t] = before
			}
		}
		next.entries[e.target] = e
		if a.cache.CompareAndSwap(old, next) {
			a.notify()
			return
		}
	}
}

func (a *Auth) dropCache() { a.replaceCache(nil) }

// Reload drops what is cached and reads all connections again, so that what is
// applied after it returned is not older than the call. If the vault cannot be
// read, nothing stays cached. A connection that cannot be compiled is left to
// fail when it is asked for.
func (a *Auth) Reload(ctx context.Context) error {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	s, err := a.view(ctx, a.profilePrefix())
	if err != nil {
		a.dropCache()
		return err
	}
	entries := make(map[target]*entry)
	add := func(t target) {
		if e, err := a.compile(s, t); err == nil {
			entries[t] = e
		}
	}
	for _, c := range s.connections {
		add(target{c.Provider, c.Name})
		add(target{c.Provider, ""})
	}
	a.replaceCache(entries)
	a.notify()
	return nil
}
