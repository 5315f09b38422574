// Package sidecar runs the proxy for a profile: it makes routes and credentials from
// the vault, serves a listener, follows the vault's changes while it runs, and drains
// at the end. `authsome run` and `authsome proxy` each run one [Sidecar].
//
// It contains no OAuth and starts no child process. Its invariant: what it serves is
// never older than the vault it can read. While it cannot read the vault, it refuses
// requests that need a credential instead of serving what it remembers.
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/intercept"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/metrics"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/vault"
)

// Sidecar is a proxy for one profile, from Start to Drain. Its methods are safe for
// concurrent use, except for Start and Drain.
type Sidecar struct {
	auth          *auth.Auth
	vault         *vault.Vault
	providers     func() (*providers.Set, error)
	authority     *ca.Authority
	routing       routing.Options
	proxy         *intercept.Proxy
	metrics       *metrics.Metrics
	usage         *Usage     // may be nil
	audit         *audit.Log // may be nil
	auditRequired bool
	log           *slog.Logger
	profile       string
	strangers     strangers
	rejections    rejections

	table      atomic.Pointer[routing.Table]
	generation atomic.Uint64
	unreadable atomic.Pointer[error] // why the last reload failed; nil after one that succeeded
	ready      atomic.Bool

	mu     sync.Mutex                        // guards routed and serialises reloads
	routed map[connectionKey]auth.Connection // every connection that had a route since Start

	stop    context.CancelFunc // nil before Start
	running sync.WaitGroup
	failed  chan error
}

// connectionKey names a connection of a provider.
type connectionKey struct{ provider, name string }

// reloadWait limits how long a reload waits for the vault. Another process writes to
// it within milliseconds, so a longer wait means that something is stuck.
const reloadWait = 10 * time.Second

// pollInterval is how often the vault's generation is read. After a login in one
// terminal, an agent in another can use the connection within twice that time.
const pollInterval = 400 * time.Millisecond

// Start loads routes and serves l and Options.Captured. It returns once the proxy is
// ready, or an error if the first load fails; then the listeners are still the caller's.
// Drain closes them.
func (s *Sidecar) Start(ctx context.Context, l net.Listener) error {
	if err := s.Reload(ctx); err != nil {
		return err
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.supervise(func() error { return s.proxy.Serve(l) })
	s.supervise(func() error { s.watch(watch); return nil })
	s.supervise(func() error { s.auth.KeepFresh(watch, s.routes); return nil })
	s.ready.Store(true)
	return nil
}

// supervise runs a part of the sidecar that must not end before Drain. Its error, or
// that it panicked, is sent to Failed.
func (s *Sidecar) supervise(part func() error) {
	s.running.Go(func() {
		defer func() {
			if v := recover(); v != nil {
				s.log.Error("panic in the sidecar", "panic", v, "stack", string(debug.Stack()))
				s.fail(errors.New("internal error; the log says where"))
			}
		}()
		if err := part(); err != nil {
			s.fail(err)
		}
	})
}

// fail reports the first failure; one is enough to end the process.
func (s *Sidecar) fail(err error) {
	s.ready.Store(false)
	select {
	case s.failed <- err:
	default:
	}
}

// Failed receives an error if the sidecar stops working without a Drain. Then the
// caller must end what depends on it, and Drain.
func (s *Sidecar) Failed() <-chan error { return s.failed }

// Table returns the current routing table.
func (s *Sidecar) Table() *routing.Table { return s.table.Load() }

// Authority returns the authority that signs the certificates of intercepted hosts.
func (s *Sidecar) Authority() *ca.Authority { return s.authority }

// readiness returns nil while requests are served: routes and authority are loaded,
// the vault can be read, and no drain has begun.
func (s *Sidecar) readiness() error {
	if !s.ready.Load() {
		return errors.New("not serving")
	}
	if err := s.unreadable.Load(); err != nil {
		return *err
	}
	return nil
}

// Drain stops accepting, lets requests in flight end until ctx is done, and cuts off
// the rest. It returns once every goroutine of the sidecar has ended, and every
// refresh that was sent: its answer may be the only copy of a token. Its error is
// ctx's, if anything was cut off.
func (s *Sidecar) Drain(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	s.ready.Store(false)
	s.stop()
	err := s.proxy.Shutdown(ctx)
	s.strangers.close()
	s.rejections.sync(time.Now(), true)
	s.running.Wait()
	s.auth.Close()
	return err
}

// routes reports whether a connection has a route now.
func (s *Sidecar) routes(provider, connection string) bool {
	return s.table.Load().Uses(provider, connection)
}

// watch reloads when the vault's generation changes, and as long as it cannot be
// read.
func (s *Sidecar) watch(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s.rejections.sync(time.Now(), false)
		generation, err := s.vault.Generation()
		if err == nil && generation == s.generation.Load() && s.unreadable.Load() == nil {
			continue
		}
		if err := s.Reload(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("reload failed; requests that need a credential are refused until it succeeds", "err", err)
		}
	}
}

// Reload reads definitions and connections again and replaces the routing table.
// Intercepted connections use it from their next request on. Tunnels to hosts that
// gained a route are closed, so that the client connects again and is intercepted.
// After an error, requests that need a credential are refused until a reload
// succeeds.
func (s *Sidecar) Reload(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		s.metrics.Reload(err == nil)
		if err != nil {
			s.unreadable.Store(&err)
			return
		}
		s.unreadable.Store(nil)
	}()
	ctx, cancel := context.WithTimeout(ctx, reloadWait)
	defer cancel()
	generation, err := s.vault.Generation()
	if err != nil {
		return fmt.Errorf("read the vault's generation: %w", err)
	}
	set, err := s.providers()
	if err != nil {
		return fmt.Errorf("read provider definitions: %w", err)
	}
	for _, p := range set.Problems {
		s.log.Error("a definition is not used", "file", p.Path, "err", p.Err)
	}
	s.auth.UseProviders(set)
	if err := s.auth.Reload(ctx); err != nil {
		return fmt.Errorf("read credentials: %w", err)
	}
	bindings, err := s.bindings(ctx)
	if err != nil {
		return err
	}
	table, err := newTable(ctx, s.auth, bindings, s.routing)
	if err != nil {
		return fmt.Errorf("build routes: %w", err)
	}
	for _, p := range table.Problems() {
		s.log.Error("a connection has no route", "provider", p.Provider, "connection", p.Connection, "err", p.Err)
	}
	s.table.Store(table)
	s.generation.Store(generation)
	s.proxy.DropTunnels()
	s.proxy.ForgetConnections()
	s.updateMetrics(table)
	s.log.Info("routes loaded", "routes", table.Len(), "generation", generation)
	return nil
}
