package vault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gofrs/flock"
)

// Dir is the directory that the vault is in. Other locks of the profile have
// their place beside the vault's.
func (v *Vault) Dir() string { return v.dir }

type lockMode int

const (
	shared lockMode = iota
	exclusive
)

// A held lock is tried again after a quarter of the time that was waited, within
// these bounds: hundreds of processes that wait must not keep the one that works
// from working.
const (
	shortestPoll = time.Millisecond
	longestPoll  = 50 * time.Millisecond
)

// patience is how long a wait for a lock is not worth telling.
const patience = time.Second

// lock waits for the lock at path until ctx is done, and tells waiting, if there
// is one, who holds it when that takes a second. Everybody comes in through a
// second lock, one at a time: while a writer waits there for the readers to
// leave, no reader overtakes it. System locks die with their process, however it
// dies. Each call has descriptors of its own, so goroutines exclude each other as
// processes do.
func lock(ctx context.Context, path string, mode lockMode, waiting func(holder string)) (unlock func(), err error) {
	if waiting != nil {
		defer time.AfterFunc(patience, func() { waiting(holder(path)) }).Stop()
	}
	turn, err := poll(ctx, path+".turn", exclusive)
	if err == nil {
		defer turn()
		unlock, err = poll(ctx, path, mode)
	}
	switch {
	case err == nil:
		return unlock, nil
	case ctx.Err() == nil:
		return nil, fmt.Errorf("lock the vault: %w", err)
	}
	if who := holder(path); who != "" {
		return nil, fmt.Errorf("%w, %s: %w", ErrLocked, who, err)
	}
	return nil, fmt.Errorf("%w: %w", ErrLocked, err)
}

func poll(ctx context.Context, path string, mode lockMode) (unlock func(), err error) {
	l := flock.New(path, flock.SetPermissions(0o600))
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
