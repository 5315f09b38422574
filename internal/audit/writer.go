package audit

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// writer is the state of the writing goroutine.
type writer struct {
	path     string
	maxSize  int64 // at which a file is rotated, in bytes
	rotateAt int64 // the same, or more after a rotation failed
	keep     int   // archives
	file     *os.File
	opened   string // the newest archive when file was opened
	last     string // the same of the file that has the chain's last line; "" before the first
	ended    bool   // the chain has its end
	regular  bool   // pipes and devices cannot be synced
	lost     error  // that the file is a device, which keeps nothing; nil for other files
	chain    chain
	lines    []byte  // whole lines that are not in the file yet
	count    int64   // entries taken from the queue that are not durable yet
	spare    []entry // swapped with the queue
	torn     bool    // the file ends inside a line
	failing  bool    // the last attempt failed
}

// prepare makes the file inaccessible to other users, and checks whether a crash
// has torn its last line.
func (w *writer) prepare() error {
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	if w.regular = info.Mode().IsRegular(); !w.regular {
		if info.Mode()&os.ModeDevice != 0 {
			w.lost = &regular.Error{Path: w.path, Mode: info.Mode()}
		}
		return nil
	}
	if info.Mode().Perm()&0o077 != 0 {
		if err := w.file.Chmod(0o600); err != nil {
			return err
		}
	}
	if info.Size() == 0 {
		return nil
	}
	var last [1]byte
	if _, err := w.file.ReadAt(last[:], info.Size()-1); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	w.torn = last[0] != '\n'
	return nil
}

// writeLoop writes the file until Close.
func (l *Log) writeLoop(w *writer) {
	defer close(l.done)
	for {
		urgent := l.wait(w.failing)
		l.mu.Lock()
		closing := l.closing
		l.mu.Unlock()
		err := l.attempt(w, urgent)
		if closing {
			if err == nil {
				// The first attempt may have written only the rest of a failed one.
				err = l.attempt(w, true)
			}
			l.closeErr = errors.Join(err, w.file.Close())
			return
		}
	}
}

// wait returns when it is time to write. urgent reports whether a caller waits for
// the write.
func (l *Log) wait(failing bool) (urgent bool) {
	pause := batchDelay
	if failing {
		pause = retryAfter
	} else {
		select {
		case <-l.wake:
		case <-l.urgent:
			return true
		}
	}
	select {
	case <-time.After(pause):
		return false
	case <-l.urgent:
		return true
	}
}

// attempt writes the rest of a failed attempt, or else the queue, and reports the
// result to Flush and Err.
func (l *Log) attempt(w *writer, sync bool) error {
	err := w.reopenIfReplaced()
	if err == nil && len(w.lines) == 0 {
		l.encodeQueue(w)
	}
	if err == nil {
		err = cmp.Or(w.flush(sync), w.lost)
	}
	if err == nil {
		l.rotate(w)
	}
	if err != nil {
		if _, named := errors.AsType[*regular.Error](err); !named {
			err = fmt.Errorf("%s: %w", l.path, err)
		}
		if !w.failing {
			l.failure.Store(&err)
			l.fail(err)
		}
	}
	w.failing = err != nil

	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && sync {
		l.durable += w.count
		w.count = 0
	}
	if err == nil && l.dropped == 0 {
		l.dropping = false
		l.failure.Store(nil)
	}
	l.attempts, l.lastErr = l.attempts+1, err
	close(l.changed)
	l.changed = make(chan struct{})
	return err
}

// encodeQueue moves the queued entries into w.lines.
func (l *Log) encodeQueue(w *writer) {
	l.mu.Lock()
	l.addDropped()
	entries := l.pending
	l.pending = w.spare
	l.mu.Unlock()
	for i := range entries {
		w.append(&entries[i])
	}
	w.count += int64(len(entries))
	clear(entries) // releases the strings
	w.spare = entries[:0]
}

// append encodes the chain's next line, for e.
func (w *writer) append(e *entry) {
	if w.last != "" && w.last != w.opened {
		e.archived = w.last
	}
	w.last, w.ended = w.opened, e.Event.Event == End
	w.lines = w.chain.append(w.lines, e)
}

// flush writes the lines with one call, which O_APPEND places after the lines of
// other processes. Lines that could not be written are kept.
func (w *writer) flush(sync bool) error {
	if len(w.lines) > 0 {
		if w.torn {
			w.lines = slices.Insert(w.lines, 0, '\n')
			w.torn = false
		}
		n, err := w.file.Write(w.lines)
		whole := bytes.LastIndexByte(w.lines[:n], '\n') + 1
		w.torn = n > whole
		w.lines = append(w.lines[:0], w.lines[whole:]...)
		if err != nil {
			return err
		}
	}
	if sync && w.regular {
		return w.file.Sync()
	}
	return nil
}
