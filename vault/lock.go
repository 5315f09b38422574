package vault

import (
	"context"
	"errors"
	"fmt"
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

// lockPoll is how often a held lock is tried again. A system lock dies with its
// process, however it dies.
const lockPoll = 2 * time.Millisecond

// lock waits for vault.lock until ctx is done. Each call has a descriptor of its
// own, so goroutines exclude each other as processes do.
func (v *Vault) lock(ctx context.Context, mode lockMode) (unlock func(), err error) {
	l := flock.New(v.path("vault.lock"), flock.SetPermissions(0o600))
	try := l.TryRLockContext
	if mode == exclusive {
		try = l.TryLockContext
	}
	locked, err := try(ctx, lockPoll)
	switch {
	case locked:
		return func() { l.Close() }, nil
	case errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		l.Close()
		return nil, fmt.Errorf("%w: %w", ErrLocked, err)
	default:
		l.Close()
		return nil, fmt.Errorf("lock the vault: %w", err)
	}
}
