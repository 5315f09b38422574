package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/authsome/authsome/internal/regular"

	"github.com/go-json-experiment/json"
)

// Line is one line of a log. A text that is not a line of a log has only Raw and
// Where.
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
	Count      int64     `json:"count"`    // of dropped events
	MAC        string    `json:"mac"`

	Raw   []byte `json:"-"` // the text in the file, without the newline
	Where Place  `json:"-"`
}

// Place is the position of a line.
type Place struct {
	File   string
	Number int // from 1
}

func (p Place) String() string { return fmt.Sprintf("%s:%d", p.File, p.Number) }

// maxLine is the maximum length of a line that can be read, in bytes. Lines that
// this package writes are much shorter.
const maxLine = 64 << 10

// readLines yields the lines of one file, in order. An error ends the sequence.
func readLines(file string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		f, err := regular.Open(file)
		if err != nil {
			yield(Line{}, fmt.Errorf("read audit log: %w", err))
			return
		}
		defer f.Close()
		s := bufio.NewScanner(f)
		s.Buffer(make([]byte, 0, 4096), maxLine)
		n := 1
		for ; s.Scan(); n++ {
			if len(s.Bytes()) > 0 && !yield(parseLine(s.Bytes(), Place{file, n}), nil) {
				return
			}
		}
		if errors.Is(s.Err(), bufio.ErrTooLong) {
			yield(Line{}, fmt.Errorf("read audit log: line %d of %s is longer than %d KiB", n, file, maxLine>>10))
		} else if err := s.Err(); err != nil {
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

// valid reports whether l is a line of a log, rather than the torn end of a failed
// write.
func (l Line) valid() bool { return l.Run != "" }

// Last returns the last n lines for which keep returns true, in order, or all of
// them if n is negative. It does not read files that were archived before since.
func Last(path string, n int, since time.Time, keep func(Line) bool) ([]Line, error) {
	files, err := logFiles(path)
	if err != nil {
		return nil, err
	}
	var last []Line
	for _, file := range slices.Backward(files) {
		if n >= 0 && len(last) >= n || archivedBefore(path, file, since) {
			break
		}
		var found []Line
		for l, err := range readLines(file) {
			if err != nil {
				return nil, err
			}
			if !l.valid() || !keep(l) {
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

// archivedBefore reports whether a file was archived before t.
func archivedBefore(path, file string, t time.Time) bool {
	if file == path || t.IsZero() {
		return false
	}
	at, err := archiveTime(path, file)
	return err == nil && at.Before(t)
}
