package vault

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gofrs/flock"
)

type lockMode int

const (
	shared lockMode = iota
	exclusive
)

// A held lock is tried again after a while that grows, and differs between the
// processes that wait. A system lock dies with its process, however it dies.
const (
	shortestPoll = time.Millisecond
	longestPoll  = 20 * time.Millisecond
)

// lock waits for the lock at path until ctx is done. Each call has a descriptor
// of its own, so goroutines exclude each other as processes do.
func lock(ctx context.Context, path string, mode lockMode) (unlock func(), err error) {
	l := flock.New(path, flock.SetPermissions(0o600))
	try := l.TryRLock
	if mode == exclusive {
		try = l.TryLock
	}
	for wait := shortestPoll; ; wait = min(wait*2, longestPoll) {
		switch locked, err := try(); {
		case err != nil:
			l.Close()
			return nil, fmt.Errorf("lock the vault: %w", err)
		case locked:
			return func() { l.Close() }, nil
		}
		select {
		case <-ctx.Done():
			l.Close()
			if who := holder(path); who != "" {
				return nil, fmt.Errorf("%w, %s: %w", ErrLocked, who, ctx.Err())
			}
			return nil, fmt.Errorf("%w: %w", ErrLocked, ctx.Err())
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}

func (v *Vault) lock(ctx context.Context, mode lockMode) (unlock func(), err error) {
	return lock(ctx, v.path("vault.lock"), mode)
}
