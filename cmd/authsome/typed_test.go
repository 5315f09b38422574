//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// typed runs a command on a terminal, types the answer once the question is
// there, and gives the screen and the exit code.
func (b *bench) typed(question, answer string, args ...string) (screen string, code int) {
	b.t.Helper()
	cmd := b.command(args...)
	cmd.Stderr = nil
	tty, err := pty.Start(cmd)
	if err != nil {
		b.t.Fatal(err)
	}
	defer tty.Close()
	timer := time.AfterFunc(limit, func() { tty.Close() })
	defer timer.Stop()
	var seen bytes.Buffer
	for !strings.Contains(seen.String(), question) {
		if _, err := io.CopyN(&seen, tty, 1); err != nil {
			b.t.Fatalf("no question: %q, %v", seen.String(), err)
		}
	}
	io.WriteString(tty, answer)
	io.Copy(&seen, tty) // ends with an error when the other side is closed
	cmd.Wait()
	return seen.String(), cmd.ProcessState.ExitCode()
}

// Nothing is deleted that was not confirmed.
func TestConfirm(t *testing.T) {
	b := newBench(t)
	b.run("", "profile", "create", "work")
	for _, tt := range []struct {
		answer string
		code   int
		left   bool
	}{{"n\n", 1, true}, {"\n", 1, true}, {"yess\n", 1, true}, {"Y\n", 0, false}} {
		screen, code := b.typed("delete profile work with all its connections? [y/N] ", tt.answer, "profile", "delete", "work")
		if code != tt.code {
			t.Errorf("%q: exit %d: %s", tt.answer, code, screen)
		}
		if _, err := os.Stat(filepath.Join(b.home, "profiles", "work")); (err == nil) != tt.left {
			t.Errorf("%q: the profile: %v", tt.answer, err)
		}
	}
}

// A terminal gets colour, unless nobody wants it; the words are the same.
func TestColour(t *testing.T) {
	b := newBench(t)
	screen, _ := b.typed("hint:", "", "inspect", "githb")
	if !strings.Contains(screen, "authsome: \x1b[31;1merror:\x1b[0m no provider") {
		t.Errorf("the screen: %q", screen)
	}
	screen, _ = b.typed("hint:", "", "inspect", "githb", "--no-color")
	if strings.Contains(screen, "\x1b") || !strings.Contains(screen, "authsome: error: no provider") {
		t.Errorf("with --no-color: %q", screen)
	}
	t.Setenv("NO_COLOR", "1")
	screen, _ = b.typed("hint:", "", "inspect", "githb")
	if strings.Contains(screen, "\x1b") {
		t.Errorf("with NO_COLOR: %q", screen)
	}
}
