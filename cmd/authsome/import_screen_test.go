//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/authsome/authsome/internal/pythonhome/hometest"
)

// On a terminal that is narrower than the reasons, nothing in the table is cut.
func TestRefusalsAreWholeOnATerminal(t *testing.T) {
	b := newBench(t)
	dir := filepath.Join(t.TempDir(), "python")
	if err := hometest.Fixtures["profiles"].Write(dir); err != nil {
		t.Fatal(err)
	}
	s := onScreen(t, b.command("import", "--authsome", dir))
	s.expect(`Import \d+ items\? \[y/N\] `)
	s.enter("y\n")
	s.end()
	table, rest, _ := strings.Cut(s.seen.String(), "Import ")
	for name, text := range map[string]string{"the question": table, "the report": rest} {
		if strings.Contains(text, "…") {
			t.Errorf("%s is cut:\n%s", name, text)
		}
		text = strings.Join(strings.Fields(text), " ") // reasons take several lines
		if want := "connection linear/default of profile Agent_1: refused: it is for https://linear.corp.example, which the provider linear does not cover "; !strings.Contains(text, want) {
			t.Errorf("%s has no %q:\n%s", name, want, text)
		}
	}
	for line := range strings.Lines(s.seen.String()) {
		if len([]rune(strings.TrimRight(line, "\r\n"))) > 100 && !strings.Contains(line, "authsome:") {
			t.Errorf("more than 100 columns: %s", line)
		}
	}
}
