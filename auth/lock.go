package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockPoll is how often a held lock is tried again. A system lock dies with its
// process, however it dies.
const lockPoll = 5 * time.Millisecond

// lock makes this the only goroutine of all processes that refreshes or ends a
// connection. The file's name is a digest, since names of connections may be
// longer than a file's, or differ in what a file system does not tell apart. It
// is never removed: whoever waits for it has it open.
func (a *Auth) lock(ctx context.Context, t target) (unlock func(), err error) {
	dir := filepath.Join(a.Vault.Dir(), "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", describe(t.provider, t.connection), err)
	}
	digest := sha256.Sum256([]byte(a.Profile + "\x00" + t.provider + "\x00" + t.connection))
	l := flock.New(filepath.Join(dir, fmt.Sprintf("%x.lock", digest[:16])), flock.SetPermissions(0o600))
	locked, err := l.TryLockContext(ctx, lockPoll)
	switch {
	case locked:
		return func() { l.Close() }, nil
	case errors.Is(err, context.DeadlineExceeded):
		err = ErrBusy
	}
	l.Close()
	return nil, fmt.Errorf("lock %s: %w", describe(t.provider, t.connection), err)
}
