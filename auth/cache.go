package auth

import (
	"context"
	"hash/maphash"
	"maps"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// cache holds compiled credentials. It is immutable: every change makes a new one.
type cache struct {
	epoch   uint64 // increases with every change except the addition of an entry
	entries map[target]*entry
}

// target identifies the credential that a caller asks for. An empty connection means
// the provider's default connection.
type target struct{ provider, connection string }

// entry is what is known about one target: its credential, or why it has none.
type entry struct {
	target     target // with the connection's name
	definition *providers.Definition
	routes     *routing.Table       // the requests that the credential belongs on; nil if injection is nil
	injection  *providers.Injection // nil if a first token has not been obtained yet
	expires    time.Time            // end of the credential; zero if unknown
	loginErr   *LoginRequiredError  // why the credential is missing; nil if it is not
	loginUntil time.Time            // when loginErr is out of date

	// The fields below are set if the credential can be refreshed.
	keeper   *keeper
	due      time.Time // when it should be refreshed; zero if only a service's refusal can show that
	obtained time.Time
	mark     uint64 // identifies the token within this process
}

// loginErrLife is how long a missing credential is remembered. A client that tries
// again and again must not keep the vault busy, and a program that does not call
// Reload must notice a login.
const loginErrLife = time.Second

// loginEntry is the entry of a target without a credential.
func (a *Auth) loginEntry(t target, err *LoginRequiredError) *entry {
	return &entry{target: t, loginErr: err, loginUntil: a.now().Add(loginErrLife)}
}

// current reports whether the entry can be used without reading the record again,
// even if a refresh is due. It reads the clock only if the result depends on it.
func (e *entry) current(now func() time.Time) bool {
	switch {
	case e.loginErr != nil:
		return now().Before(e.loginUntil)
	case e.expires.IsZero() || !e.due.IsZero():
		return true
	}
	return now().Before(e.expires)
}

// oldEnoughToForce reports whether a service's refusal justifies a refresh. A token that
// was just obtained is refused for another reason than its age.
func (e *entry) oldEnoughToForce(now time.Time) bool {
	age := now.Sub(e.obtained)
	return age < 0 || age >= forcedInterval
}

// mark identifies a token without containing it. Marks have no meaning in another
// process.
func (a *Auth) mark(token secret.String) uint64 {
	a.seedOnce.Do(func() { a.seed = maphash.MakeSeed() })
	return max(maphash.String(a.seed, token.Reveal()), 1)
}

var emptyCache = &cache{}

func (a *Auth) cached() *cache {
	if c := a.cache.Load(); c != nil {
		return c
	}
	return emptyCache
}

// updateCache replaces the cache by what next makes of it. If another goroutine
// changes the cache at the same time, next is called again.
func (a *Auth) updateCache(next func(old *cache) *cache) {
	for {
		stored := a.cache.Load()
		old := stored
		if old == nil {
			old = emptyCache
		}
		if a.cache.CompareAndSwap(stored, next(old)) {
			return
		}
	}
}

// addEntry caches an entry that was read in the given epoch. It does nothing if the
// cache has changed since then, because the entry may be older than the change.
func (a *Auth) addEntry(epoch uint64, t target, e *entry) {
	a.updateCache(func(old *cache) *cache {
		if old.epoch != epoch {
			return old
		}
		entries := make(map[target]*entry, len(old.entries)+2)
		maps.Copy(entries, old.entries)
		entries[t], entries[e.target] = e, e
		return &cache{epoch, entries}
	})
}

// replaceEntry replaces a connection's entry under every target that leads to it. It
// begins an epoch, so that a load in progress cannot bring the old entry back.
func (a *Auth) replaceEntry(e *entry) {
	a.updateCache(func(old *cache) *cache {
		entries := make(map[target]*entry, len(old.entries)+1)
		for t, known := range old.entries {
			if known.target == e.target {
				known = e
			}
			entries[t] = known
		}
		entries[e.target] = e
		return &cache{old.epoch + 1, entries}
	})
	a.wakeKeepFresh()
}

// replaceCache begins an epoch with the given entries only.
func (a *Auth) replaceCache(entries map[target]*entry) {
	a.updateCache(func(old *cache) *cache { return &cache{old.epoch + 1, entries} })
}

func (a *Auth) dropCache() { a.replaceCache(nil) }

// Reload drops the cache and reads all connections again. A credential that is applied
// after Reload has returned is not older than the call. If the vault cannot be read,
// the cache stays empty. A connection that cannot be compiled is left out; its error
// is returned when the connection is used.
func (a *Auth) Reload(ctx context.Context) error {
	a.reloadMu.Lock()
	defer a.reloadMu.Unlock()
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
	a.wakeKeepFresh()
	return nil
}
