package auth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/authsome/authsome/providers"
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
	definition *providers.Definition
	patterns   []providers.Pattern
	injection  *providers.Injection
	expires    time.Time           // of the credential; zero if it does not
	missing    *LoginRequiredError // in place of a credential
	until      time.Time           // how long missing holds without looking again
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
// What is cached is applied without a lock and without reading a file. Without a
// usable credential the error is a [*LoginRequiredError], and r is as it was.
func (a *Auth) Apply(ctx context.Context, r *http.Request, provider, connection string) error {
	e, err := a.entry(ctx, target{provider, connection})
	if err != nil {
		return err
	}
	return e.injection.Apply(r)
}

// entry is the credential for t, from memory or else from the vault.
func (a *Auth) entry(ctx context.Context, t target) (*entry, error) {
	c := a.cached()
	e := c.entries[t]
	if e == nil || !e.holds(a.now) {
		var err error
		if e, err = a.load(ctx, t, c.epoch); err != nil {
			return nil, err
		}
	}
	if e.missing != nil {
		return nil, e.missing
	}
	return e, nil
}

// holds reports whether the entry still answers. The clock is read only if that
// depends on it.
func (e *entry) holds(now func() time.Time) bool {
	switch {
	case e.missing != nil:
		return now().Before(e.until)
	case e.expires.IsZero():
		return true
	}
	return now().Before(e.expires)
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
	now := a.now()
	c, err := s.find(t.provider, t.connection)
	if missing, ok := errors.AsType[*LoginRequiredError](err); ok {
		return &entry{missing: missing, until: now.Add(missingFor)}, nil
	}
	if err != nil {
		return nil, err
	}
	if reason := c.problem(now); reason != "" {
		missing := &LoginRequiredError{Provider: c.Provider, Connection: c.Name, Reason: reason}
		return &entry{missing: missing, until: now.Add(missingFor)}, nil
	}
	d, err := a.definition(c.Provider)
	if err != nil {
		return nil, err
	}
	e := &entry{definition: d, expires: c.ExpiresAt}
	if e.patterns, err = d.Patterns(c.Values()); err != nil {
		return nil, fmt.Errorf("base URL of %s: %w", describe(c.Provider, c.Name), err)
	}
	if e.injection, err = d.Injection(c.credential()); err != nil {
		return nil, fmt.Errorf("credential of %s: %w", describe(c.Provider, c.Name), err)
	}
	return e, nil
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
		entries[t] = e
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
	return nil
}
