package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// defaultKeep is the number of archives that are kept. With the current file, they
// have at most 1 GiB, four million requests.
const defaultKeep = 15

// reopenIfReplaced opens the file at the log's path, if it is no longer the one
// that is open. Every process does this, so that its chain continues in the same
// file as the others. The rest of a failed write still goes to the file that has its
// beginning.
func (w *writer) reopenIfReplaced() error {
	if !w.regular || sameFile(w.path, w.file) || len(w.lines) > 0 && w.archived() {
		return nil
	}
	opened := newestArchive(w.path)
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
	w.file, w.opened, w.regular, w.torn = f, opened, next.regular, next.torn
	return nil
}

// archived reports whether the open file is an archive.
func (w *writer) archived() bool {
	files, err := logFiles(w.path)
	return err == nil && slices.ContainsFunc(files, func(file string) bool { return sameFile(file, w.file) })
}

// rotate archives a full file and continues in a new one. If that fails, the file
// keeps growing until the next attempt: the size is not a reason to stop logging.
func (l *Log) rotate(w *writer) {
	if !w.regular {
		return
	}
	info, err := w.file.Stat()
	if err == nil && info.Size() < w.rotateAt {
		return
	}
	if err == nil {
		err = archive(w.path, w.maxSize, l.now())
	}
	if err == nil {
		err = w.reopenIfReplaced()
	}
	if err != nil {
		w.rotateAt += w.maxSize
		l.fail(fmt.Errorf("rotate %s, which keeps growing: %w", w.path, err))
		return
	}
	w.rotateAt = w.maxSize
	if err := w.deleteOldest(l.now()); err != nil {
		l.fail(fmt.Errorf("delete the oldest archives of %s: %w", w.path, err))
	}
}

// deleteOldest deletes the oldest archives if there are too many or they are too
// large. The chain says so before they are gone, so that [Verify] can tell this from
// the removal of lines.
func (w *writer) deleteOldest(now time.Time) error {
	archives, err := filepath.Glob(archivePattern(w.path))
	if err != nil {
		return err
	}
	slices.Sort(archives)
	old := archives[:w.countOld(archives)]
	if len(old) == 0 || w.ended {
		return nil
	}
	upTo := archivedAt(w.path, old[len(old)-1])
	w.append(&entry{Event: Event{Event: Retention, Outcome: "ok"}, at: now, deleted: upTo})
	if err := w.flush(true); err != nil {
		return err
	}
	for _, file := range old {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// countOld counts the archives that are too old to be kept. The newest one never is.
func (w *writer) countOld(archives []string) int {
	var size int64
	for i, file := range slices.Backward(archives) {
		if info, err := os.Stat(file); err == nil { // otherwise another process has deleted it
			size += info.Size()
		}
		if kept := len(archives) - i; kept > 1 && (kept > w.keep || size > int64(w.keep)*w.maxSize) {
			return i + 1
		}
	}
	return 0
}

// archive renames the file, unless another process has just done so. The lock is
// on the file itself, so a process that gets it late finds a new file at path.
func archive(path string, maxSize int64, now time.Time) error {
	lock := flock.New(path, flock.SetFlag(os.O_RDWR))
	ctx, cancel := context.WithTimeout(context.Background(), rotateWait)
	defer cancel()
	locked, err := lock.TryLockContext(ctx, time.Millisecond)
	defer lock.Close()
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil // another process has renamed it and not made the next one yet
	case err != nil || !locked:
		return cmp.Or(err, errors.New("another process is rotating it"))
	}
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && info.Size() < maxSize {
		return nil
	}
	if err != nil {
		return err
	}
	// Files are read in the order of their names, also if the clock was set back.
	if newest, err := time.Parse(archiveLayout, newestArchive(path)); err == nil && !now.After(newest) {
		now = newest.Add(time.Microsecond)
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
