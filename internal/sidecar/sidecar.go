// Package sidecar is one life of the proxy: it assembles routes, credentials and
// authority from a profile, listens, follows the vault's changes while it runs,
// and drains at the end. `authsome run` and `authsome proxy` are both one
// [Sidecar].
//
// It knows no OAuth and starts no child process. Its invariant: what it serves
// is never older than the vault it can read, and when it cannot read the vault
// it refuses in place of serving what it remembers.
package sidecar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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

// Sidecar is a running proxy. Its exported fields must be set before Start and
// not changed after.
type Sidecar struct {
	Auth      *auth.Auth
	Vault     *vault.Vault
	Providers func() (*providers.Set, error) // reads the definitions; called at start and at every reload
	Authority *ca.Authority
	Routing   routing.Options
	Proxy     *intercept.Proxy // settings only: routes, authority, credentials and recorder are filled in by Start
	Metrics   *metrics.Metrics
	Audit     *audit.Log // nil records nothing
	// AuditRequired refuses requests that need a credential while the audit log
	// cannot be written.
	AuditRequired bool
	Log           *slog.Logger // nil is quiet
	Profile       string

	table      atomic.Pointer[routing.Table]
	generation atomic.Uint64
	unreadable atomic.Pointer[error] // why the vault cannot be read, while that lasts
	ready      atomic.Bool

	mu     sync.Mutex                 // guards routed and serializes reloads
	routed map[string]auth.Connection // every connection routed in this life

	stop    context.CancelFunc
	running sync.WaitGroup
	failed  chan error
}

// reloadWait bounds a reading of the vault: another process's write takes
// milliseconds, so this long means that something is stuck.
const reloadWait = 10 * time.Second

// pollInterval is how often the vault's generation is looked at: a login in one
// terminal is usable by an agent in another within twice that.
const pollInterval = 400 * time.Millisecond

// Start loads routes and serves l. It returns once the proxy is ready; the
// listener is closed by Drain.
func (s *Sidecar) Start(ctx context.Context, l net.Listener) error {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.routed = make(map[string]auth.Connection)
	s.Auth.OnRefresh = s.refreshed
	if err := s.Reload(ctx); err != nil {
		return err
	}
	p := s.Proxy
	p.Routes = s.table.Load
	p.Authority = s.Authority
	p.Credentials = credentials{s}
	p.Record = s.record
	p.Log = s.Log
	s.Authority.OnMint = s.Metrics.Leaf
	s.Metrics.Active(func() int { return p.Stats().Connections }, func() int { return p.Stats().Tunnels })
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.failed = make(chan error, 1)
	s.running.Go(func() { s.failed <- p.Serve(l) })
	s.running.Go(func() { s.watch(watch) })
	s.running.Go(func() { s.Auth.KeepFresh(watch, s.routes) })
	s.ready.Store(true)
	return nil
}

// Failed receives the proxy's error if it stops serving by itself.
func (s *Sidecar) Failed() <-chan error { return s.failed }

// Table is the routing table in force.
func (s *Sidecar) Table() *routing.Table { return s.table.Load() }

// Ready reports whether requests are served: routes and authority are loaded,
// the vault can be read, and no drain has begun.
func (s *Sidecar) Ready() error {
	if !s.ready.Load() {
		return errors.New("not serving")
	}
	if err := s.unreadable.Load(); err != nil {
		return *err
	}
	return nil
}

// Drain stops accepting, lets what is in flight end until ctx is done, and cuts
// the rest. It returns once every goroutine of the sidecar has ended, and every
// refresh that was sent: its answer may be the only copy of a token.
func (s *Sidecar) Drain(ctx context.Context) error {
	if s.stop == nil {
		return nil
	}
	s.ready.Store(false)
	s.stop()
	err := s.Proxy.Shutdown(ctx)
	s.running.Wait()
	s.Auth.Close()
	return err
}

// routes reports whether a connection has a route now.
func (s *Sidecar) routes(provider, connection string) bool {
	return s.table.Load().Uses(provider, connection)
}

// watch reloads when the vault's generation moves.
func (s *Sidecar) watch(ctx context.Context) {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		generation, err := s.Vault.Generation()
		if err == nil && generation == s.generation.Load() && s.unreadable.Load() == nil {
			continue
		}
		if err := s.Reload(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("reload failed; requests that need a credential are refused until it succeeds", "err", err)
		}
	}
}

// Reload reads definitions and connections again and puts the new table in
// force. Interceptions that are open follow it with their next request; blind
// tunnels to hosts that gained a route are closed, so that the client comes back
// and is intercepted.
func (s *Sidecar) Reload(ctx context.Context) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		s.Metrics.Reload(err == nil)
		if err != nil {
			s.unreadable.Store(&err)
			return
		}
		s.unreadable.Store(nil)
	}()
	ctx, cancel := context.WithTimeout(ctx, reloadWait)
	defer cancel()
	generation, err := s.Vault.Generation()
	if err != nil {
		return fmt.Errorf("read the vault's generation: %w", err)
	}
	set, err := s.Providers()
	if err != nil {
		return fmt.Errorf("read provider definitions: %w", err)
	}
	s.Auth.UseProviders(set)
	if err := s.Auth.Reload(ctx); err != nil {
		return fmt.Errorf("read credentials: %w", err)
	}
	bindings, err := s.bindings(ctx, set)
	if err != nil {
		return err
	}
	table, err := routing.New(definitions(set, bindings), bindings, s.Routing)
	if err != nil {
		return fmt.Errorf("build routes: %w", err)
	}
	for _, p := range table.Problems() {
		s.Log.Error("a provider has no route", "provider", p.Provider, "err", p.Err)
	}
	s.table.Store(table)
	s.generation.Store(generation)
	s.Proxy.DropTunnels(func(host string, port int) bool { return table.Host(host, port) != routing.Tunnel })
	s.Proxy.ForgetConnections()
	s.measure(table)
	s.Log.Info("routes loaded", "routes", table.Len(), "generation", generation)
	return nil
}
