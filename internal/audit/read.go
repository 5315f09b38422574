package audit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Line is one line of a log.
type Line struct {
	Time       time.Time `json:"time"`
	Run        string    `json:"run"`
	Seq        int64     `json:"seq"`
	Prev       string    `json:"prev"`
	Event      string    `json:"event"`
	Profile    string    `json:"profile"`
	Provider   string    `json:"provider"`
	Connection string    `json:"connection"`
	Outcome    string    `json:"outcome"`
	Actor      string    `json:"actor"`
	Host       string    `json:"host"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Status     int       `json:"status"`
	Duration   float64   `json:"duration"` // seconds
	Count      int64     `json:"count"`    // of events that were dropped
	MAC        string    `json:"mac"`

	Raw   []byte `json:"-"` // as it stands in the file, without its newline
	Where Place  `json:"-"`
}

// Place is where a line stands.
type Place struct {
	File   string
	Number int // from 1
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Number) }

// maxLine bounds a line that is read: what this package writes is far shorter.
const maxLine = 64 << 10

// Files are the files of the log at path, oldest first: those that were set
// aside, and the one in use if it is there.
func Files(path string) ([]string, error) {
	files, err := filepath.Glob(archivePattern(path))
	if err != nil {
		return nil, fmt.Errorf("find audit logs: %w", err)
	}
	slices.Sort(files) // their names are times
	switch _, err := os.Stat(path); {
	case err == nil:
		files = append(files, path)
	case !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("find audit logs: %w", err)
	}
	return files, nil
}

// Read gives the lines of one file in their order. What is no line of a log is
// given with its text and no more. An error ends the sequence.
func Read(file string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		f, err := os.Open(file)
		if err != nil {
			yield(Line{}, fmt.Errorf("read audit log: %w", err))
			return
		}
		defer f.Close()
		s := bufio.NewScanner(f)
		s.Buffer(make([]byte, 0, 4096), maxLine)
		for n := 1; s.Scan(); n++ {
			if len(s.Bytes()) > 0 && !yield(parseLine(s.Bytes(), Place{file, n}), nil) {
				return
			}
		}
		if err := s.Err(); err != nil {
			yield(Line{}, fmt.Errorf("read audit log %s: %w", file, err))
		}
	}
}

func parseLine(raw []byte, where Place) Line {
	var l Line
	if json.Unmarshal(raw, &l) != nil || l.Run == "" || l.Seq < 1 {
		l = Line{}
	}
	l.Raw, l.Where = bytes.Clone(raw), where
	return l
}

// Valid reports whether the line is one of a log, and not the torn end of a
// write that failed.
func (l Line) Valid() bool { return l.Run != "" }

// Last are the last n lines that keep wants, in their order; all of them if n is
// negative. Files that ended before since are not read.
func Last(path string, n int, since time.Time, keep func(Line) bool) ([]Line, error) {
	files, err := Files(path)
	if err != nil {
		return nil, err
	}
	var last []Line
	for _, file := range slices.Backward(files) {
		if n >= 0 && len(last) >= n || endedBefore(path, file, since) {
			break
		}
		var found []Line
		for l, err := range Read(file) {
			if err != nil {
				return nil, err
			}
			if !l.Valid() || !keep(l) {
				continue
			}
			found = append(found, l)
			if n >= 0 && len(found) > 2*n+64 {
				found = slices.Delete(found, 0, len(found)-n)
			}
		}
		last = append(found, last...)
	}
	if n >= 0 && len(last) > n {
		last = last[len(last)-n:]
	}
	return last, nil
}

// endedBefore reports whether a file was set aside before t.
func endedBefore(path, file string, t time.Time) bool {
	if file == path || t.IsZero() {
		return false
	}
	at, err := archiveTime(path, file)
	return err == nil && at.Before(t)
}

// followPoll is how often a followed log is looked at.
const followPoll = 200 * time.Millisecond

// Follow gives the lines that are written from now on, until ctx is done, across
// files that are set aside meanwhile. started is called once nothing written
// later can be missed.
func Follow(ctx context.Context, path string, started func(), fn func(Line) error) error {
	f, err := os.Open(path)
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
		// Whether the file was replaced is asked before it is read to its end: what
		// its writers still add then is seen in the next round.
		next := replacement(path, f)
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
			if l := parseLine(line, Place{File: path}); l.Valid() {
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

// replacement opens the file that goes on where f ended, if there is one.
func replacement(path string, f *os.File) *os.File {
	if sameFile(path, f) {
		return nil
	}
	files, err := Files(path)
	if err != nil || len(files) == 0 {
		return nil // set aside, and nobody has written since
	}
	next := files[len(files)-1]
	if i := slices.IndexFunc(files, func(file string) bool { return sameFile(file, f) }); i >= 0 {
		if i+1 == len(files) {
			return nil
		}
		next = files[i+1]
	}
	opened, err := os.Open(next)
	if err != nil {
		return nil
	}
	return opened
}

func sameFile(path string, f *os.File) bool {
	at, err := os.Stat(path)
	if err != nil {
		return false
	}
	open, err := f.Stat()
	return err == nil && os.SameFile(at, open)
}

// Archives are called audit-TIME.log for an audit.log.

const archiveLayout = "20060102T150405.000000Z"

func archivePattern(path string) string {
	base, ext := splitExt(path)
	return base + "-[0-9]*" + ext
}

func archiveName(path string, at time.Time) string {
	base, ext := splitExt(path)
	return base + "-" + at.UTC().Format(archiveLayout) + ext
}

func archiveTime(path, file string) (time.Time, error) {
	base, ext := splitExt(path)
	return time.Parse(archiveLayout, strings.TrimSuffix(strings.TrimPrefix(file, base+"-"), ext))
}

func splitExt(path string) (base, ext string) {
	ext = filepath.Ext(path)
	return strings.TrimSuffix(path, ext), ext
}
