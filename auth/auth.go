// Package auth manages the credentials in a profile's vault. It stores what a login
// obtains, refreshes tokens, puts credentials on requests and deletes them. Go
// programs get credentials as a header, an [http.RoundTripper] or an
// [oauth2.TokenSource].
//
// It does not depend on the proxy or on a terminal. Package flows has the protocols,
// and package routing decides which requests a credential belongs on. However many
// requests, goroutines and processes need a new token at the same moment, the
// provider sees one refresh; refresh.go explains how.
//
// Two invariants hold. A credential leaves this package only for the profile that was
// asked for, from a connection that is connected and has not expired; in doubt the
// result is an error and no credential. And a new token is on disk before it is used.
package auth

import (
	"context"
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

// Auth gives access to the connections of one profile. Its exported fields must be
// set before the first use and not changed afterwards. Its methods are safe for
// concurrent use.
//
// Errors of the vault are returned unchanged. Other errors are a
// [*providers.NotFoundError], an error of this package or one of package flows.
type Auth struct {
	Vault     *vault.Vault
	Providers *providers.Set // until UseProviders replaces it
	Profile   string
	Now       func() time.Time      // if nil, time.Now
	HTTP      *http.Client          // for token endpoints; if nil, the client of package flows
	OnRefresh func(Refresh)         // called after each refresh attempt, from any goroutine; may be nil
	OnPinned  func(context.Context) // called after connections of an older version were pinned; may be nil

	newProviders atomic.Pointer[providers.Set] // set by UseProviders
	cache        atomic.Pointer[cache]
	loads        singleflight.Group // reads of single connections
	grant        grantFunc          // if nil, requestToken
	seedOnce     sync.Once
	seed         maphash.Seed // set by seedOnce

	// reloadMu is held from the reading of records until the cache has them, so that a
	// slow reader cannot replace newer entries by older ones.
	reloadMu sync.Mutex

	running sync.WaitGroup // the goroutines that Close waits for
	mu      sync.Mutex     // guards the fields below
	closed  bool
	keepers map[target]*keeper
	// firstPins are the pins of connections that are stored without one.
	firstPins map[target]providers.Pin
	wake      chan struct{} // makes KeepFresh look at the cache again
}

// UseProviders replaces the definitions. Cached credentials keep using the old ones
// until [Auth.Reload].
func (a *Auth) UseProviders(set *providers.Set) { a.newProviders.Store(set) }

// definition returns the definition in force. Existing connections use the one that
// [Auth.Definition] returns.
func (a *Auth) definition(name string) (*providers.Definition, error) {
	return a.definitions().Lookup(name)
}

func (a *Auth) definitions() *providers.Set {
	if set := a.newProviders.Load(); set != nil {
		return set
	}
	return a.Providers
}

func (a *Auth) now() time.Time {
	if a.Now != nil {
		return a.Now()
	}
	return time.Now()
}

// The functions below return the keys of records. Profile, provider and connection
// names contain no ':', so that no name can address the records of another.

func (a *Auth) profilePrefix() string { return "profile:" + a.Profile + ":" }

func (a *Auth) providerPrefix(provider string) string { return a.profilePrefix() + provider + ":" }

func (a *Auth) metadataKey(provider string) string { return a.providerPrefix(provider) + "metadata" }

func (a *Auth) clientKey(provider string) string { return a.providerPrefix(provider) + "client" }

func (a *Auth) connectionKey(provider, name string) string {
	return a.providerPrefix(provider) + "connection:" + name
}

// checkNames refuses names that cannot be part of a key. The stricter rules for new
// names are checked where the names are chosen.
func (a *Auth) checkNames(names ...string) error {
	for _, name := range append(names, a.Profile) {
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r == ':' || r < ' ' }) {
			return fmt.Errorf("%q is not a valid name", name)
		}
	}
	return nil
}

// fullName is how errors name a connection: github/work, or github if no connection
// is named.
func fullName(provider, connection string) string {
	if connection == "" {
		return provider
	}
	return provider + "/" + connection
}
