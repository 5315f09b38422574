package audit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/authsome/authsome/internal/durable"
)

// defaultMaxSize is the size from which a log is set aside. It holds about a
// quarter of a million requests.
const defaultMaxSize = 64 << 20

// rotateWait bounds the wait for another process that sets the log aside.
const rotateWait = 10 * time.Second

// follow writes to the file at the log's path, if another has taken the place of
// the one that is open: every process does, so that a chain goes on where the
// others do.
func (w *writer) follow() error {
	if !w.regular || sameFile(w.path, w.file) {
		return nil
	}
	f, err := openAppend(w.path)
	if err != nil {
		return err
	}
	next := writer{file: f}
	if err := next.prepare(); err != nil {
		f.Close()
		return err
	}
	// What the old file was given must be as durable as what the new one will be.
	if err := errors.Join(w.file.Sync(), w.file.Close()); err != nil {
		f.Close()
		return err
	}
	w.file, w.regular, w.torn = f, next.regular, next.torn
	return nil
}

// rotate sets the file aside once it is full. Its lines stay as they are, and
// the chains of those who write go on in the next file. Where that fails the file
// goes on growing: a log is not given up for its size.
func (l *Log) rotate(w *writer) {
	if !w.regular || w.maxSize <= 0 {
		return
	}
	info, err := w.file.Stat()
	if err == nil && info.Size() < w.maxSize {
		return
	}
	if err == nil {
		err = setAside(w.path, w.maxSize, l.now())
	}
	if err == nil {
		err = w.follow()
	}
	if err != nil {
		w.maxSize = 0
		l.fail(fmt.Errorf("%s is not set aside and goes on growing: %w", w.path, err))
	}
}

// setAside renames the file, unless another process has just done so. The lock
// is on the file itself and goes with it.
func setAside(path string, maxSize int64, now time.Time) error {
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

func openAppend(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
}
