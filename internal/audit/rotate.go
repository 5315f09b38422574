package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/authsome/authsome/internal/regular"

	"github.com/gofrs/flock"

	"github.com/authsome/authsome/internal/durable"
)

// defaultMaxSize is the size at which a log is rotated, in bytes. It holds about a
// quarter of a million requests.
const defaultMaxSize = 64 << 20

// rotateWait limits the wait for another process that is rotating the log.
const rotateWait = 10 * time.Second

// reopenIfReplaced opens the file at the log's path, if it is no longer the one
// that is open. Every process does this, so that its chain continues in the same
// file as the others.
func (w *writer) reopenIfReplaced() error {
	if !w.regular || sameFile(w.path, w.file) {
		return nil
	}
	f, err := openAppend(w.path)
	if err != nil {
		return err
	}
	next := writer{path: w.path, file: f}
	err = next.prepare()
	if err == nil && !next.regular {
		err = regular.Check(w.path)
	}
	if err != nil {
		f.Close()
		return err
	}
	// Lines in the old file must be on the disk before later lines in the new one.
	if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
		f.Close()
		return err
	}
	w.file, w.regular, w.torn = f, next.regular, next.torn
	return nil
}

// rotate archives a full file and continues in a new one. If that fails, the file
// keeps growing: the size is not a reason to stop logging.
func (l *Log) rotate(w *writer) {
	if !w.regular || w.maxSize <= 0 {
		return
	}
	info, err := w.file.Stat()
	if err == nil && info.Size() < w.maxSize {
		return
	}
	if err == nil {
		err = archive(w.path, w.maxSize, l.now())
	}
	if err == nil {
		err = w.reopenIfReplaced()
	}
	if err != nil {
		w.maxSize = 0
		l.fail(fmt.Errorf("rotate %s, which keeps growing: %w", w.path, err))
	}
}

// archive renames the file, unless another process has just done so. The lock is
// on the file itself, so a process that gets it late finds a new file at path.
func archive(path string, maxSize int64, now time.Time) error {
	lock := flock.New(path, flock.SetFlag(os.O_RDWR))
	ctx, cancel := context.WithTimeout(context.Background(), rotateWait)
	defer cancel()
	if locked, err := lock.TryLockContext(ctx, time.Millisecond); err != nil || !locked {
		return errors.Join(err, lock.Close())
	}
	defer lock.Close()
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() < maxSize {
		return nil
	}
	if err != nil {
		return err
	}
	to := archiveName(path, now)
	for ; exists(to); to = archiveName(path, now) {
		now = now.Add(time.Microsecond)
	}
	return durable.Rename(path, to)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}

// openAppend does not wait for the other end of a pipe, because the file is open for
// reading too.
func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
}
