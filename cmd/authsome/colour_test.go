//go:build unix

package main

import (
	"strings"
	"testing"
)

// Errors on a terminal are coloured, unless --no-color or NO_COLOR is set. The words are
// the same.
func TestColour(t *testing.T) {
	b := newBench(t)
	show := func(args ...string) string {
		s := onScreen(t, b.command(append([]string{"inspect", "githb"}, args...)...))
		s.end()
		return s.seen.String()
	}
	if screen := show(); !strings.Contains(screen, "authsome: \x1b[31;1merror:\x1b[0m no provider") {
		t.Errorf("the screen: %q", screen)
	}
	if screen := show("--no-color"); strings.Contains(screen, "\x1b") || !strings.Contains(screen, "authsome: error: no provider") {
		t.Errorf("with --no-color: %q", screen)
	}
	t.Setenv("NO_COLOR", "1")
	if screen := show(); strings.Contains(screen, "\x1b") {
		t.Errorf("with NO_COLOR: %q", screen)
	}
}
