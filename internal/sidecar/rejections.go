package sidecar

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/rejection"
	"github.com/authsome/authsome/metrics"
)

// rejectionsInterval is the shortest time between two times that rejections are
// written. An agent can provoke a 401 and a success in turn, as often as it likes.
const rejectionsInterval = 10 * time.Second

// rejections knows which credentials their service rejects: those whose last answer was
// a 401 and not a success. Tokens that can be refreshed are left out, because a 401
// makes auth refresh them. A request only sets a number in memory; sync exchanges it
// with the other processes of the profile.
type rejections struct {
	store rejection.Store // without a directory, nothing is exchanged
	log   *slog.Logger
	known atomic.Pointer[map[connectionKey]*verdict] // immutable

	mu    sync.Mutex // guards all below, and replaces known
	read  time.Time  // the store's Changed when it was read
	write time.Time  // nothing is written before
	said  bool       // that the store cannot be written
}

// verdict is what a service made of a credential.
type verdict struct {
	credential rejection.Credential
	since      atomic.Int64 // since when it is rejected, in nanoseconds since 1970; 0 if it is not
	stored     int64        // what the store has; guarded by rejections.mu
}

// use replaces the connections. What is known about a credential that stays is kept. What
// the store has of a new one is read at once: a success only clears a known rejection, and
// a short run can end before the first sync.
func (r *rejections) use(connections []auth.Connection, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := make(map[connectionKey]*verdict)
	before := r.known.Load()
	for _, c := range connections {
		if c.Err(now) != nil || c.Renewable(now) {
			continue
		}
		key := connectionKey{c.Provider, c.Name}
		if before != nil {
			if v := (*before)[key]; v != nil && v.credential.Obtained.Equal(c.ObtainedAt) {
				known[key] = v
				continue
			}
		}
		known[key] = &verdict{credential: CredentialOf(c)}
		if r.store.Dir != "" {
			r.load(known[key])
		}
	}
	r.known.Store(&known)
}

// CredentialOf names a connection's present credential in a [rejection.Store].
func CredentialOf(c auth.Connection) rejection.Credential {
	return rejection.Credential{Provider: c.Provider, Connection: c.Name, Obtained: c.ObtainedAt}
}

// observe takes note of a finished exchange.
func (r *rejections) observe(x *intercept.Exchange) {
	rejected := x.Status == http.StatusUnauthorized
	known := r.known.Load()
	if known == nil || !x.Injected || x.Code != "" || !rejected && (x.Status < 200 || x.Status > 299) {
		return
	}
	v := (*known)[connectionKey{x.Provider, x.Connection}]
	if v == nil || x.Start.Before(v.credential.Obtained) {
		return
	}
	if since := v.since.Load(); rejected && since == 0 {
		v.since.CompareAndSwap(0, x.Start.Add(x.Duration).UnixNano())
	} else if !rejected && since != 0 {
		v.since.CompareAndSwap(since, 0)
	}
}

// sync reads what other processes have stored and stores what has changed here. It
// writes at most once in rejectionsInterval, unless it is the last call.
func (r *rejections) sync(now time.Time, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.known.Load()
	if known == nil || r.store.Dir == "" {
		return
	}
	if changed := r.store.Changed(); !changed.Equal(r.read) {
		r.read = changed
		for _, v := range *known {
			r.load(v)
		}
	}
	if now.Before(r.write) && !last {
		return
	}
	for _, v := range *known {
		since := v.since.Load()
		if (since == 0) == (v.stored == 0) {
			continue
		}
		r.write = now.Add(rejectionsInterval)
		if err := r.save(v.credential, since); err == nil {
			v.stored = since
		} else if !r.said {
			r.said = true
			r.log.Info("cannot store which credentials are rejected", "err", err)
		}
	}
}

// load reads a verdict, and uses it unless it has changed here since the last reading.
func (r *rejections) load(v *verdict) {
	var stored int64
	if since := r.store.Since(v.credential); !since.IsZero() {
		stored = since.UnixNano()
	}
	v.since.CompareAndSwap(v.stored, stored)
	v.stored = stored
}

func (r *rejections) save(c rejection.Credential, since int64) error {
	if since == 0 {
		return r.store.Remove(c)
	}
	return r.store.Put(c, time.Unix(0, since))
}

// current lists the connections whose credential is rejected.
func (r *rejections) current() []metrics.Rejection {
	var all []metrics.Rejection
	known := r.known.Load()
	if known == nil {
		return nil
	}
	for key, v := range *known {
		if since := v.since.Load(); since != 0 {
			all = append(all, metrics.Rejection{Provider: key.provider, Connection: key.name, Since: time.Unix(0, since)})
		}
	}
	slices.SortFunc(all, func(a, b metrics.Rejection) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Connection, b.Connection))
	})
	return all
}
