package takeover

import (
	"errors"
	"fmt"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
)

// dotenvView is a .env file in --json.
type dotenvView struct {
	File        string   `json:"file"`
	Replaceable []string `json:"replaceable,omitempty"`
	Replaced    []string `json:"replaced,omitempty"`
	Backup      string   `json:"backup,omitempty"`
	LinesLeft   []int    `json:"lines_left,omitempty"`
	Skipped     []int    `json:"skipped_lines,omitempty"`
}

func (f *dotenvFile) view() *dotenvView {
	switch {
	case f == nil:
		return nil
	case f.backup == "":
		return &dotenvView{File: f.path, Replaceable: f.variables(), Skipped: f.skippedLines(nil)}
	}
	return &dotenvView{File: f.path, Replaced: f.variables(), Backup: f.backup, LinesLeft: f.linesLeft, Skipped: f.skippedLines(nil)}
}

// skippedLines returns the lines that were skipped for a reason, or all.
func (f *dotenvFile) skippedLines(reason error) []int {
	var lines []int
	for _, s := range f.skipped {
		if reason == nil || errors.Is(s.reason, reason) {
			lines = append(lines, s.number)
		}
	}
	return lines
}

// report prints what was done with the file.
func (f *dotenvFile) report(c *console.Console) {
	if f == nil {
		return
	}
	for _, reason := range []error{errNotAssignment, errOpenQuote, errAfterQuote} {
		if lines := f.skippedLines(reason); len(lines) > 0 {
			c.Warnf("skipped %s of %s: %v", linesText(lines), f.path, reason)
		}
	}
	switch {
	case len(f.replacements) == 0:
	case f.backup == "":
		c.Infof("%s still contains keys; --placeholders replaces %s by placeholders, and keeps the old file in the home of authsome", f.path, f.names())
	default:
		c.Infof("replaced %s in %s by placeholders", f.names(), f.path)
		c.Infof("the old file, with the keys, is %s; delete it when everything works, or restore it: %s", f.backup, suggest.Words("cp", f.backup, f.path))
		if len(f.linesLeft) > 0 {
			c.Warnf("%s still contains keys in %s", f.path, linesText(f.linesLeft))
		}
	}
}

// linesText is "line 4" or "lines 4, 5".
func linesText(lines []int) string {
	numbers := strings.Trim(strings.ReplaceAll(fmt.Sprint(lines), " ", ", "), "[]")
	if len(lines) == 1 {
		return "line " + numbers
	}
	return "lines " + numbers
}
