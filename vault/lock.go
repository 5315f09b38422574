package vault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// Dir returns the vault's directory. Other locks of the profile are kept in it
// too.
func (v *Vault) Dir() string { return v.dir }

type lockMode int

const (
	shared lockMode = iota
	exclusive
)

// While a lock is held, it is tried again after a quarter of the time waited so
// far, within these bounds. So hundreds of waiting processes do not slow down the
// one that holds the lock.
const (
	shortestPoll = time.Millisecond
	longestPoll  = 50 * time.Millisecond
)

// waitReportDelay is how long a wait for a lock takes before it is reported.
const waitReportDelay = time.Second

// lock waits for the lock at path until ctx is done. After waitReportDelay it
// calls waiting, if that is not nil, with the process that holds the lock; lock
// does not return while that call runs.
//
// A second lock, the turn, admits one process at a time: while a writer has the
// turn and waits for the readers to leave, no new reader can overtake it. The
// system releases a lock when its process ends, however it ends. Each call opens
// its own descriptors, so goroutines exclude each other as processes do.
func lock(ctx context.Context, path string, mode lockMode, waiting func(holder string)) (unlock func(), err error) {
	if waiting != nil {
		reported := make(chan struct{})
		timer := time.AfterFunc(waitReportDelay, func() {
			defer close(reported)
			waiting(holder(path))
		})
		defer func() {
			if !timer.Stop() {
				<-reported
			}
		}()
	}
	turn, err := pollLock(ctx, path+".turn", exclusive)
	if err == nil {
		defer turn()
		unlock, err = pollLock(ctx, path, mode)
	}
	switch {
	case err == nil:
		return unlock, nil
	case ctx.Err() == nil:
		return nil, fmt.Errorf("lock the vault: %w", err)
	}
	return nil, &lockedError{holder(path), err}
}

// lockedError is [ErrLocked] with the process that holds the lock, or "", and with
// the error of the context that ended the wait.
type lockedError struct {
	holder string
	err    error
}

func (e *lockedError) Error() string {
	if e.holder == "" {
		return ErrLocked.Error()
	}
	return ErrLocked.Error() + ", " + e.holder
}

func (e *lockedError) Unwrap() []error { return []error{ErrLocked, e.err} }

// pollLock waits for the system lock at path until ctx is done.
func pollLock(ctx context.Context, path string, mode lockMode) (unlock func(), err error) {
	l, err := regular.Lock(path)
	if err != nil {
		return nil, err
	}
	try := l.TryRLock
	if mode == exclusive {
		try = l.TryLock
	}
	for start := time.Now(); ; {
		switch locked, err := try(); {
		case err != nil:
			l.Close()
			return nil, err
		case locked:
			return func() { l.Close() }, nil
		}
		wait := min(max(time.Since(start)/4, shortestPoll), longestPoll)
		select {
		case <-ctx.Done():
			l.Close()
			return nil, ctx.Err()
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}

func (v *Vault) lock(ctx context.Context, mode lockMode) (unlock func(), err error) {
	return lock(ctx, v.path("vault.lock"), mode, v.OnWait)
}
