package audit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// followPoll is the interval at which Follow reads the log.
const followPoll = 200 * time.Millisecond

// Follow calls fn with each line that is written from now on, across rotations,
// until ctx is done or fn fails. It calls started when every line written from then
// on will be seen.
func Follow(ctx context.Context, path string, started func(), fn func(Line) error) error {
	f, err := regular.Open(path)
	if err != nil {
		return fmt.Errorf("follow audit log: %w", err)
	}
	defer func() { f.Close() }()
	if _, err := f.Seek(0, io.SeekEnd); err != nil {
		return fmt.Errorf("follow audit log: %w", err)
	}
	started()
	tick := time.NewTicker(followPoll)
	defer tick.Stop()
	var pending []byte
	for {
		// Look for the next file before reading this one to its end: a line that is
		// appended in between is read in the next round.
		next := openNext(path, f)
		rest, err := io.ReadAll(f)
		if err != nil {
			return fmt.Errorf("follow audit log: %w", err)
		}
		pending = append(pending, rest...)
		for {
			line, after, whole := bytes.Cut(pending, []byte("\n"))
			if !whole {
				break
			}
			pending = after
			if l := parseLine(line, Place{File: path}); l.valid() {
				if err := fn(l); err != nil {
					return err
				}
			}
		}
		if next != nil && len(rest) == 0 {
			f.Close()
			f, pending = next, nil
			continue
		}
		if next != nil {
			next.Close()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// openNext opens the file that follows f in the log. It returns nil if f is still
// the last one, and on an error, so that Follow tries again.
func openNext(path string, f *os.File) *os.File {
	if sameFile(path, f) {
		return nil
	}
	files, err := logFiles(path)
	if err != nil || len(files) == 0 {
		return nil // archived, and nothing has been written since
	}
	next := files[len(files)-1]
	if i := slices.IndexFunc(files, func(file string) bool { return sameFile(file, f) }); i >= 0 {
		if i+1 == len(files) {
			return nil
		}
		next = files[i+1]
	}
	opened, err := regular.Open(next)
	if err != nil {
		return nil
	}
	return opened
}
