package auth

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// keeper is what this process knows of one connection's refreshes. Everything
// that others must know is in the connection's record.
type keeper struct {
	target target // with the connection's name

	mu       sync.Mutex // guards all fields below
	flight   *flight    // under way, or nil
	failures int        // in a row
	retryAt  time.Time  // nothing is tried before
	lastErr  error
	forcedAt time.Time // of the last refresh that a 401 asked for
	unsaved  *change   // an outcome that could not be written yet
}

// flight is a refresh under way. It belongs to nobody's request: whoever waits
// for it may go away.
type flight struct {
	cancel context.CancelFunc // as long as nothing was sent
	done   chan struct{}
	err    error // set before done is closed
}

// errClosed says that no refresh begins after Close.
var errClosed = errors.New("closed")

// keeper is the one for a connection, the same for as long as the process lives.
func (a *Auth) keeper(t target) *keeper {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.keepers[t]
	if k == nil {
		if a.keepers == nil {
			a.keepers = make(map[target]*keeper)
		}
		k = &keeper{target: t}
		a.keepers[t] = k
	}
	return k
}

// start begins a refresh, or joins the one under way. It fails while the last
// failure is too recent. A mark is that of a credential that was refused.
func (a *Auth) start(k *keeper, refused uint64) (*flight, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight != nil {
		return k.flight, nil
	}
	if wait := k.wait(a.now()); wait > 0 {
		return nil, k.unavailable(wait, k.lastErr)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &flight{cancel: cancel, done: make(chan struct{})}
	began := a.begin(func() {
		defer cancel()
		err := a.refresh(ctx, k, refused)
		k.land(f, err, a.now())
	})
	if !began {
		cancel()
		return nil, k.unavailable(minBackoff, errClosed)
	}
	k.flight = f
	return f, nil
}

// begin runs fn in a goroutine that Close waits for.
func (a *Auth) begin(fn func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.running.Go(fn)
	return true
}

// wait is how long nothing is tried. A time that is further ahead than any that
// was ever set comes from a clock that was put back.
func (k *keeper) wait(now time.Time) time.Duration {
	if wait := k.retryAt.Sub(now); wait <= maxRetryAfter {
		return wait
	}
	return 0
}

func (k *keeper) unavailable(wait time.Duration, err error) *RefreshUnavailableError {
	return &RefreshUnavailableError{Provider: k.target.provider, Connection: k.target.connection, RetryAfter: wait, Err: err}
}

// land ends a flight. A failure sets the time before which none begins again.
func (k *keeper) land(f *flight, err error, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.failures, k.retryAt, k.lastErr = 0, time.Time{}, nil
	} else {
		var asked time.Duration
		if later, ok := errors.AsType[*laterError](err); ok {
			asked, err = later.after, later.err
		}
		k.failures++
		wait := backoff(k.failures, asked)
		k.retryAt, k.lastErr = wall(now.Add(wait)), err
		err = k.unavailable(wait, err)
	}
	f.err = err
	k.flight = nil
	close(f.done)
}

// laterError is a failure after which the provider asked for some time.
type laterError struct {
	after time.Duration
	err   error
}

func (e *laterError) Error() string { return e.err.Error() }

func (e *laterError) Unwrap() error { return e.err }

// join waits for a flight, and no longer than the caller wants to.
func (f *flight) join(ctx context.Context) error {
	select {
	case <-f.done:
		return f.err
	default:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.done:
		return f.err
	}
}

// Close ends what runs in the background, and returns when it has ended. A
// refresh that was sent is waited for, since its answer may be the only copy of
// a new refresh token. Tokens that are valid can be used on; none is renewed.
func (a *Auth) Close() {
	a.mu.Lock()
	a.closed = true
	keepers := slices.Collect(maps.Values(a.keepers))
	a.mu.Unlock()
	for _, k := range keepers {
		k.mu.Lock()
		if k.flight != nil {
			k.flight.cancel()
		}
		k.mu.Unlock()
	}
	a.running.Wait()
}
