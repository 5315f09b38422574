package opener

import (
	"os"
	"sync"

	"github.com/gofrs/flock"
)

// logFile appends to the log, which other processes write too. A full log is renamed
// to NAME.1, which replaces the last one, by any of them; all continue in the new
// file. So the log takes at most twice its limit, however long a process runs.
type logFile struct {
	path  string
	limit int64 // in bytes
	open  func(path string) (*os.File, error)

	mu      sync.Mutex // guards all below
	file    *os.File
	regular bool // pipes and terminals are not rotated
}

func openLogFile(path string, limit int64, open func(path string) (*os.File, error)) (*logFile, error) {
	l := &logFile{path: path, limit: limit, open: open}
	return l, l.reopen()
}

func (l *logFile) reopen() error {
	f, err := l.open(l.path)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file, l.regular = f, info.Mode().IsRegular()
	return nil
}

// Write appends one entry. An entry is lost if the log is full and cannot be rotated.
func (l *logFile) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.regular && !l.hasRoom(int64(len(b))) {
		return len(b), nil
	}
	return l.file.Write(b)
}

// hasRoom reports whether n bytes more fit into the log, after a rotation if needed.
func (l *logFile) hasRoom(n int64) bool {
	for range 2 {
		size, current := l.state()
		if current && size+n <= l.limit {
			return true
		}
		if current && !l.rotate() || l.reopen() != nil {
			// Another process is rotating the log, or nobody can.
			return size+n <= 2*l.limit
		}
	}
	return true // larger than the limit, and alone in its file
}

// state returns the size of the open file, and whether it is still the one at path.
func (l *logFile) state() (size int64, current bool) {
	info, err := l.file.Stat()
	if err != nil {
		return 0, false
	}
	at, err := os.Stat(l.path)
	return info.Size(), err == nil && os.SameFile(at, info)
}

// rotate renames the file, unless another process does so now. The lock is on the
// file itself, so a process that gets it late finds another file at path.
func (l *logFile) rotate() bool {
	lock := flock.New(l.path, flock.SetFlag(os.O_RDWR))
	if locked, err := lock.TryLock(); err != nil || !locked {
		return false
	}
	defer lock.Close()
	if _, current := l.state(); !current {
		return true
	}
	return os.Rename(l.path, l.path+".1") == nil
}

func (l *logFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
