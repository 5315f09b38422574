// Package auth is the life of credentials in a profile's vault: they are
// obtained by a flow, stored, put on requests, and forgotten. It also gives them
// to Go programs, as a header, an [http.RoundTripper] and an
// [oauth2.TokenSource].
//
// It knows no proxy and no terminal. What it keeps fresh it keeps fresh once:
// however many requests, goroutines and processes need a token at the same
// moment, its provider sees one refresh (refresh.go says how).
//
// Its invariants: a credential leaves this package only from a record that is
// connected and has not expired, for the profile that was asked for; in doubt
// there is an error and no credential. And a new token is on the disk before
// anybody uses it.
package auth

import (
	"fmt"
	"hash/maphash"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// Auth are the connections of one profile. Its exported fields must be set
// before the first use and not changed after; its methods are safe for
// concurrent use.
//
// Errors of the vault are returned as they are. Other errors are an
// [*providers.NotFoundError], one of this package's, or one of package flows.
type Auth struct {
	Vault     *vault.Vault
	Providers *providers.Set // replaced by UseProviders
	Profile   string
	Now       func() time.Time // if nil, time.Now
	HTTP      *http.Client     // for token endpoints; if nil, package flows' own
	OnRefresh func(Refresh)    // told about each attempt to renew a token, from any goroutine; if nil, nobody is

	replaced atomic.Pointer[providers.Set]
	cache    atomic.Pointer[cache]
	flights  singleflight.Group // loads of single connections
	grant    grantFunc          // if nil, the real one
	seeded   sync.Once
	seed     maphash.Seed // set by seeded

	// reloading is held from a reading of records to its use, so that a slow one
	// cannot undo a later one.
	reloading sync.Mutex

	running sync.WaitGroup // what Close waits for
	mu      sync.Mutex     // guards all fields below
	closed  bool
	keepers map[target]*keeper
	wake    chan struct{} // tells KeepFresh that the cache has changed
}

// UseProviders replaces the definitions. Credentials that are cached go by the
// old ones until [Auth.Reload].
func (a *Auth) UseProviders(set *providers.Set) { a.replaced.Store(set) }

func (a *Auth) definition(name string) (*providers.Definition, error) {
	set := a.replaced.Load()
	if set == nil {
		set = a.Providers
	}
	return set.Lookup(name)
}

func (a *Auth) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// Keys of records. Profile, provider and connection hold no ':', so that no name
// reaches into another's records.

func (a *Auth) profilePrefix() string { return "profile:" + a.Profile + ":" }

func (a *Auth) providerPrefix(provider string) string { return a.profilePrefix() + provider + ":" }

func (a *Auth) metadataKey(provider string) string { return a.providerPrefix(provider) + "metadata" }

func (a *Auth) connectionKey(provider, name string) string {
	return a.providerPrefix(provider) + "connection:" + name
}

// checkNames refuses what cannot be a part of a key. Which names are good ones
// is checked where they are chosen.
func (a *Auth) checkNames(names ...string) error {
	for _, name := range append(names, a.Profile) {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == ':' || r < ' ' }) {
			return fmt.Errorf("%q is not a valid name", name)
		}
	}
	return nil
}
