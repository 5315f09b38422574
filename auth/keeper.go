package auth

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// keeper is the state of one connection's refreshes in this process. What other
// processes must know is in the connection's record.
type keeper struct {
	target target // with the connection's name

	mu       sync.Mutex // guards the fields below
	flight   *flight    // the refresh in progress, or nil
	failures int        // in a row
	retryAt  time.Time  // no refresh starts before
	lastErr  error
	forcedAt time.Time // when the last refresh after a 401 started
	unsaved  *change   // an outcome that could not be written yet
}

// flight is a refresh in progress. It does not belong to a request: the requests that
// wait for it can be cancelled without ending it.
type flight struct {
	cancel context.CancelFunc // has an effect until the refresh is sent
	done   chan struct{}
	err    error // set before done is closed
}

var errClosed = errors.New("authsome is shutting down")

// keeper returns the keeper of a connection. It stays the same for the life of the
// process.
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

// startRefresh starts a refresh, or returns the one in progress. It fails while the
// last failure is too recent. refused is the mark of a credential that a service
// refused, or 0.
func (a *Auth) startRefresh(k *keeper, refused uint64) (*flight, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flight != nil {
		return k.flight, nil
	}
	if wait := k.retryInLocked(a.now()); wait > 0 {
		return nil, k.unavailable(wait, k.lastErr)
	}
	if !a.enter() {
		return nil, k.unavailable(minBackoff, errClosed)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &flight{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer a.running.Done()
		defer cancel()
		err := a.refresh(ctx, k, refused)
		k.finish(f, err, a.now())
	}()
	k.flight = f
	return f, nil
}

// awaitRefresh starts a refresh, or joins the one in progress, and waits for it.
func (a *Auth) awaitRefresh(ctx context.Context, k *keeper) error {
	f, err := a.startRefresh(k, 0)
	if err != nil {
		return err
	}
	return f.wait(ctx)
}

// enter registers a goroutine that Close waits for. It returns false after Close;
// otherwise the goroutine must call a.running.Done at its end.
func (a *Auth) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.running.Add(1)
	return true
}

// retryIn returns how long no refresh starts.
func (k *keeper) retryIn(now time.Time) time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.retryInLocked(now)
}

// retryInLocked is retryIn for callers that hold k.mu. A longer wait than any that is
// ever set means that the clock was put back; it is ignored.
func (k *keeper) retryInLocked(now time.Time) time.Duration {
	if wait := k.retryAt.Sub(now); wait <= maxRetryAfter {
		return wait
	}
	return 0
}

func (k *keeper) failing() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failures > 0
}

func (k *keeper) unavailable(wait time.Duration, err error) *RefreshUnavailableError {
	return &RefreshUnavailableError{Provider: k.target.provider, Connection: k.target.connection, RetryAfter: wait, Err: err}
}

// finish ends a flight. After a failure it sets how long no other one starts.
func (k *keeper) finish(f *flight, err error, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.failures, k.retryAt, k.lastErr = 0, time.Time{}, nil
	} else {
		var retryAfter time.Duration
		if later, ok := errors.AsType[*retryError](err); ok {
			retryAfter, err = later.after, later.err
		}
		k.failures++
		wait := backoff(k.failures, retryAfter)
		k.retryAt, k.lastErr = wallTime(now.Add(wait)), err
		err = k.unavailable(wait, err)
	}
	f.err = err
	k.flight = nil
	close(f.done)
}

// retryError is a failure with the time that the provider asked to wait.
type retryError struct {
	after time.Duration
	err   error
}

func (e *retryError) Error() string { return e.err.Error() }

func (e *retryError) Unwrap() error { return e.err }

// wait waits for the flight's end or for ctx.
func (f *flight) wait(ctx context.Context) error {
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

// Close ends the work in the background and returns when it has ended. It waits for a
// refresh that was sent, because the answer may be the only copy of a new refresh
// token. Valid tokens can still be used after Close; no token is refreshed.
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
