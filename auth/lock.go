package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// lockPoll is how often a lock that another process holds is tried again. The system
// releases the lock of a process that dies.
const lockPoll = 5 * time.Millisecond

// lock makes the caller the only one, among all goroutines and processes, that
// refreshes, revokes or moves a connection. If ctx's deadline passes, the error is
// [ErrBusy]. The file's name is a digest, because the name of a connection can be
// longer than a file name, and file systems can treat two such names as equal. The
// file is never removed, because other processes may have it open while they wait.
func (a *Auth) lock(ctx context.Context, t target) (unlock func(), err error) {
	dir := filepath.Join(a.Vault.Dir(), "locks")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lock %s: %w", fullName(t.provider, t.connection), err)
	}
	digest := sha256.Sum256([]byte(a.Profile + "\x00" + t.provider + "\x00" + t.connection))
	l, err := regular.Lock(filepath.Join(dir, fmt.Sprintf("%x.lock", digest[:16])))
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", fullName(t.provider, t.connection), err)
	}
	locked, err := l.TryLockContext(ctx, lockPoll)
	switch {
	case locked:
		return func() { l.Close() }, nil
	case errors.Is(err, context.DeadlineExceeded):
		err = ErrBusy
	}
	l.Close()
	return nil, fmt.Errorf("lock %s: %w", fullName(t.provider, t.connection), err)
}
