package audit

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
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
	Count      int64     `json:"count"`    // of dropped events, or of refusals
	Command    string    `json:"command"`
	Agent      string    `json:"agent"`
	PID        int       `json:"pid"`
	Archived   string    `json:"archived"` // see the package comment
	Deleted    string    `json:"deleted"`  // the same
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

// maxForeign is the maximum length of a line that another program wrote, in bytes. It is
// reported as one that is not of the log. Beyond it the file is not a log.
const maxForeign = 1 << 20

// readLines yields the lines of one file, in order. An error ends the sequence.
func readLines(file string) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		f, err := regular.Open(file)
		if err != nil {
			yield(Line{}, fmt.Errorf("read audit log: %w", err))
			return
		}
		defer f.Close()
		r := bufio.NewReaderSize(f, maxLine)
		for n := 1; ; n++ {
			text, err := readLine(r)
			if len(text) > 0 && !yield(parseLine(text, Place{file, n}), nil) {
				return
			}
			if err == io.EOF {
				return
			}
			if err == bufio.ErrBufferFull {
				err = fmt.Errorf("line %d is longer than %d KiB", n, maxForeign>>10)
			}
			if err != nil {
				yield(Line{}, fmt.Errorf("read audit log %s: %w", file, err))
				return
			}
		}
	}
}

// readLine returns the next line without its newline, valid until the next call. Of a
// line longer than r's buffer it returns the beginning, and of one longer than
// maxForeign also [bufio.ErrBufferFull].
func readLine(r *bufio.Reader) ([]byte, error) {
	text, err := r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		text = bytes.Clone(text) // the next read overwrites it
	}
	for length := len(text); err == bufio.ErrBufferFull && length < maxForeign; {
		var more []byte
		more, err = r.ReadSlice('\n')
		length += len(more)
	}
	return bytes.TrimSuffix(text, []byte("\n")), err
}

func parseLine(raw []byte, where Place) Line {
	var l Line
	if json.Unmarshal(raw, &l) != nil || l.Run == "" || l.Seq < 1 {
		l = Line{}
	}
	l.Raw, l.Where = bytes.Clone(raw), where
	return l
}

// valid reports whether l is a line of a log.
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
