//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screen is a terminal on which a command runs.
type screen struct {
	t    *testing.T
	tty  *os.File
	cmd  *exec.Cmd
	seen bytes.Buffer
	from int // where the next search begins
}

// onScreen starts a command on a terminal.
func onScreen(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	cmd.Stderr = nil
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	time.AfterFunc(limit, func() { cmd.Process.Kill() }) // ends reads of tty
	return &screen{t: t, tty: tty, cmd: cmd}
}

// expect waits until the pattern is on the screen, after the previous match, and returns
// its submatches.
func (s *screen) expect(pattern string) []string {
	s.t.Helper()
	expr := regexp.MustCompile(pattern)
	buffer := make([]byte, 4096)
	for {
		if m := expr.FindSubmatchIndex(s.seen.Bytes()[s.from:]); m != nil {
			found := expr.FindStringSubmatch(s.seen.String()[s.from:])
			s.from += m[1]
			return found
		}
		n, err := s.tty.Read(buffer)
		s.seen.Write(buffer[:n])
		if err != nil && n == 0 {
			s.t.Fatalf("the screen has no %s: %q, %v", pattern, s.seen.String(), err)
		}
	}
}

// enter types text.
func (s *screen) enter(text string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// end waits until the command has ended, and returns its exit code.
func (s *screen) end() int {
	s.t.Helper()
	s.seen.ReadFrom(s.tty) // returns an error when the command has ended
	if err := s.cmd.Wait(); err != nil {
		if _, ok := err.(*exec.ExitError); !ok {
			s.t.Fatal(err)
		}
	}
	return s.cmd.ProcessState.ExitCode()
}

// wantNot checks that the screen never showed the secrets.
func (s *screen) wantNot(secrets ...string) {
	s.t.Helper()
	for _, secret := range secrets {
		if strings.Contains(s.seen.String(), secret) {
			s.t.Errorf("the screen shows %q: %q", secret, s.seen.String())
		}
	}
}

// typed runs a command on a terminal and types the answer to its question. It returns
// the screen and the exit code.
func (b *bench) typed(question, answer string, args ...string) (seen string, code int) {
	b.t.Helper()
	s := onScreen(b.t, b.command(args...))
	s.expect(regexp.QuoteMeta(question))
	s.enter(answer)
	code = s.end()
	return s.seen.String(), code
}
