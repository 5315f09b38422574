package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

// writer is what the writing goroutine owns.
type writer struct {
	path    string
	maxSize int64 // from which the file is set aside; 0 never
	file    *os.File
	regular bool // pipes and devices cannot be synced
	chain   chain
	lines   []byte  // whole lines that are not in the file yet
	count   int64   // entries taken that are not durable yet
	spare   []entry // to exchange with the queue
	torn    bool    // the file ends inside a line
	failing bool
}

// prepare closes the file to other users, and finds out whether its last line
// was torn by a crash.
func (w *writer) prepare() error {
	info, err := w.file.Stat()
	if err != nil {
		return err
	}
	if w.regular = info.Mode().IsRegular(); !w.regular {
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

// write is the goroutine that writes the file. It ends after Close.
func (l *Log) write(w *writer) {
	defer close(l.done)
	for {
		urgent := l.wait(w.failing)
		l.mu.Lock()
		closing := l.closing
		l.mu.Unlock()
		err := l.attempt(w, urgent)
		if closing {
			if err == nil {
				// The first attempt may have been for what was left over.
				err = l.attempt(w, true)
			}
			l.closeErr = errors.Join(err, w.file.Close())
			return
		}
	}
}

// wait returns when it is time to write, and whether somebody waits for it.
func (l *Log) wait(failing bool) (urgent bool) {
	pause := gather
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

// attempt writes what is left over from a failed attempt, or else the queue, and
// tells who waits how it went.
func (l *Log) attempt(w *writer, sync bool) error {
	if len(w.lines) == 0 {
		l.take(w)
	}
	err := w.follow()
	if err == nil {
		err = w.flush(sync)
	}
	if err == nil {
		l.rotate(w)
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", l.path, err)
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

// take makes lines of what is queued.
func (l *Log) take(w *writer) {
	l.mu.Lock()
	l.addDropped()
	entries := l.pending
	l.pending = w.spare
	l.mu.Unlock()
	for i := range entries {
		w.lines = w.chain.append(w.lines, &entries[i])
	}
	w.count += int64(len(entries))
	clear(entries) // so that no strings are held
	w.spare = entries[:0]
}

// flush writes the lines with one call, which O_APPEND puts after whatever other
// processes have written. What could not be written is kept.
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
