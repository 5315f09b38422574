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

// On a terminal the key is asked for, and what is typed is not echoed.
func TestKeyTypedOnATerminal(t *testing.T) {
	b := newBench(t)
	screen, code := b.typed("(not shown): ", "re_typed_0123456789\n", "login", "resend")
	if strings.Contains(screen, "re_typed") || !strings.Contains(screen, "resend is connected") || code != 0 {
		t.Errorf("exit %d, the screen: %q", code, screen)
	}
	out, err := b.command("get", "resend", "--field", "api_key", "--show-secret").Output()
	if string(out) != "re_typed_0123456789\n" || err != nil {
		t.Errorf("stored %q, %v", out, err)
	}
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
