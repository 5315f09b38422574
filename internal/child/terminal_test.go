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

// screen is a terminal, seen from its user's side.
type screen struct {
	*os.File
	t    *testing.T
	all  strings.Builder
	seen int // how much of it the last wait had matched
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

// wait reads on until the screen shows pattern behind what an earlier wait found.
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
			s.t.Fatalf("waited for %s: %v, screen %q", pattern, err, s.all.String())
		}
	}
}

// rest reads to the end of the terminal.
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

// What is typed reaches the child once, from the terminal itself.
func TestTerminal(t *testing.T) {
	exe := self(t)
	cmd := exec.Command(exe, exe)
	cmd.Env = append(os.Environ(), "CHILD_TEST_ROLE=run")
	s := newScreen(t, cmd)
	s.wait(`ready \d+ \d+ true\r\n`) // its input is a terminal still
	s.Write([]byte{3})               // Ctrl-C
	s.wait("got interrupt")
	s.Write([]byte{28}) // Ctrl-\
	s.wait("got quit")
	cmd.Process.Signal(syscall.SIGUSR2)
	if rest := s.rest(); strings.Contains(rest, "got") {
		t.Errorf("then %q", rest)
	}
	if cmd.Wait(); cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("exit %d", cmd.ProcessState.ExitCode())
	}
}

// Under a shell with job control a run is one job with its child: it is stopped,
// continued and put into the background like any command.
func TestJobControl(t *testing.T) {
	exe := self(t)
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

	// In the background the terminal does not reach it: what comes was sent.
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
