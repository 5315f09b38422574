//go:build unix

package child

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// screen is a terminal, from the user's side.
type screen struct {
	*os.File
	t    *testing.T
	all  strings.Builder
	seen int // the end of the last match
}

func newScreen(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(limit, func() { cmd.Process.Kill() })
	t.Cleanup(func() {
		timer.Stop()
		tty.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	return &screen{File: tty, t: t}
}

// wait reads until pattern appears after the last match.
func (s *screen) wait(pattern string) []string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	buf := make([]byte, 1024)
	for {
		if m := re.FindStringSubmatchIndex(s.all.String()[s.seen:]); m != nil {
			groups := re.FindStringSubmatch(s.all.String()[s.seen:])
			s.seen += m[1]
			return groups
		}
		n, err := s.Read(buf)
		s.all.Write(buf[:n])
		if err != nil {
			s.t.Fatalf("waiting for %s: %v, screen %q", pattern, err, s.all.String())
		}
	}
}

// rest reads until the terminal closes.
func (s *screen) rest() string {
	buf := make([]byte, 1024)
	for {
		n, err := s.Read(buf)
		s.all.Write(buf[:n])
		if err != nil {
			return s.all.String()[s.seen:]
		}
	}
}

// A key such as Ctrl-C reaches the child once, from the terminal itself.
func TestTerminalSignalsReachTheChildOnce(t *testing.T) {
	exe := testBinary(t)
	cmd := exec.Command(exe, exe)
	cmd.Env = append(os.Environ(), "CHILD_TEST_ROLE=run")
	s := newScreen(t, cmd)
	s.wait(`ready \d+ \d+ true\r\n`) // its input is still a terminal
	s.Write([]byte{3})               // Ctrl-C
	s.wait("got interrupt")
	s.Write([]byte{28}) // Ctrl-\
	s.wait("got quit")
	cmd.Process.Signal(syscall.SIGUSR2)
	if rest := s.rest(); strings.Contains(rest, "got") {
		t.Errorf("more output: %q", rest)
	}
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("exit %d", cmd.ProcessState.ExitCode())
	}
}

// In a shell with job control, a run and its child are one job, which can be
// stopped, continued and put into the background.
func TestJobControl(t *testing.T) {
	exe := testBinary(t)
	shell := exec.Command("sh", "-i")
	shell.Env = append(os.Environ(), "PS1=$ ", "ENV=", "CHILD_TEST_ROLE=run")
	s := newScreen(t, shell)
	run := func(suffix string) (pid int) {
		fmt.Fprintf(s, "%s %s %s\n", exe, exe, suffix)
		fmt.Sscan(s.wait(`ready (\d+) \d+ true\r\n`)[1], &pid)
		return pid
	}
	kill := func(pid int, signal syscall.Signal) {
		if err := syscall.Kill(pid, signal); err != nil {
			t.Error(err)
		}
	}

	pid := run("")
	s.Write([]byte{26}) // Ctrl-Z
	s.wait(`(?i)stopped|suspended`)
	fmt.Fprintln(s, "fg")
	s.wait("got continued")
	s.Write([]byte{3})
	s.wait("got interrupt")
	kill(pid, syscall.SIGUSR2)
	fmt.Fprintln(s, "echo exit=$?")
	s.wait(`exit=7`)

	// In the background the terminal does not signal the job, so the run passes on
	// every signal that it gets.
	pid = run("&")
	kill(pid, syscall.SIGINT)
	s.wait("got interrupt")
	kill(pid, syscall.SIGUSR2)
	fmt.Fprintln(s, "wait; exit")
	s.rest()
	if n := strings.Count(s.all.String(), "got interrupt"); n != 2 {
		t.Errorf("%d interrupts, screen %q", n, s.all.String())
	}
}
