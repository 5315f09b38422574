package e2e

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// session is a shell on a terminal, at which the test types.
type session struct {
	t      *testing.T
	master *os.File
	run    string // "authsome run" with its flags, as typed

	mu   sync.Mutex // guards out and from
	out  bytes.Buffer
	from int // of what has not been expected yet
}

// newSession starts the shell. What it prints is collected.
func (r *rig) newSession(t *testing.T, flags ...string) *session {
	t.Helper()
	master, name, err := newTerminal()
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer slave.Close()
	s := &session{t: t, master: master, run: strings.Join(append([]string{binary, "run"}, append(flags, "--")...), " ")}
	cmd := exec.Command(need(t, "bash"), "--norc", "--noprofile", "-i")
	cmd.Env, cmd.Dir = r.environment("PS1=$ ", "TERM=dumb", "HISTFILE="), r.tmp
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var reading sync.WaitGroup
	reading.Go(func() {
		b := make([]byte, 4096)
		for {
			n, err := master.Read(b)
			s.mu.Lock()
			s.out.Write(b[:n])
			s.mu.Unlock()
			if err != nil {
				return // the terminal is closed when the last of its processes has ended
			}
		}
	})
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
		reading.Wait()
		master.Close()
		if t.Failed() {
			t.Logf("the terminal:\n%s", s.out.String())
		}
	})
	return s
}

// enter types a line. RUN in it is "authsome run".
func (s *session) enter(line string) { s.press(strings.ReplaceAll(line, "RUN", s.run) + "\n") }

func (s *session) press(keys string) {
	s.t.Helper()
	if _, err := s.master.WriteString(keys); err != nil {
		s.t.Fatal(err)
	}
}

// expect waits for a text after those that it was called for before. What was typed is in
// the output too, so the text must not be in a command: 'rea”dy' there prints "ready".
func (s *session) expect(text string) {
	s.t.Helper()
	waitFor(s.t, fmt.Sprintf("the terminal shows %q", text), func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		i := bytes.Index(s.out.Bytes()[s.from:], []byte(text))
		if i < 0 {
			return false
		}
		s.from += i + len(text)
		return true
	})
}

// resize changes the size of the terminal.
func (s *session) resize(rows, columns uint16) {
	s.t.Helper()
	if err := unix.IoctlSetWinsize(int(s.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		s.t.Fatal(err)
	}
}

const (
	controlC = "\x03"
	controlZ = "\x1a"
)

// jobs are what a person does at a terminal.
var jobs = []struct {
	name string
	do   func(*session)
}{
	{"Ctrl-C", func(s *session) {
		s.enter(`RUN sh -c 'trap "echo inter''rupted; exit 7" INT; echo rea''dy; while :; do sleep 0.02; done'`)
		s.expect("ready")
		s.press(controlC)
		s.expect("interrupted")
		s.enter(`echo co''de $?`)
		s.expect("code 7")
	}},
	{"Ctrl-C without a trap", func(s *session) {
		s.enter(`RUN sh -c 'echo rea''dy; exec sleep 100'`)
		s.expect("ready")
		s.press(controlC)
		s.enter(`echo co''de $?`)
		s.expect("code 130")
	}},
	{"Ctrl-Z and fg", func(s *session) {
		s.enter(`RUN sh -c 'echo rea''dy; read x; echo re''ad $x'`)
		s.expect("ready")
		s.press(controlZ)
		s.expect("Stopped")
		s.enter("fg")
		s.expect("run")
		s.enter("some words")
		s.expect("read some words")
	}},
	{"background", func(s *session) {
		s.enter(`RUN sh -c 'echo rea''dy; sleep 0.1; exit 3' & wait $!; echo co''de $?`)
		s.expect("code 3")
	}},
	{"window size", func(s *session) {
		s.resize(33, 111)
		s.enter(`RUN sh -c 'stty size; trap "stty size; exit" WINCH; echo rea''dy; while :; do sleep 0.02; done'`)
		s.expect("33 111")
		s.expect("ready")
		s.resize(44, 122)
		s.expect("44 122")
	}},
	{"a shell with jobs", func(s *session) {
		s.enter(`RUN bash --norc --noprofile -i`)
		s.enter(`sh -c "echo in''side; exec sleep 100"`) // one process: the shell itself ignores Ctrl-Z
		s.expect("inside")
		s.press(controlZ)
		s.expect("Stopped")
		s.enter(`kill %1; while jobs %1 2>/dev/null; do sleep 0.05; done; echo go''ne`) // wait can return while the job is stopped
		s.expect("gone")
		s.enter("exit 4")
		s.expect("exit")
		s.enter(`echo af''ter $?`)
		s.expect("after 4")
	}},
	{"name of the terminal", func(s *session) {
		s.enter(`RUN sh -c 'test -t 0 && test -w "$(tty)" && : </dev/tty && echo a ter''minal'`)
		s.expect("a terminal")
	}},
	{"another terminal inside", func(s *session) {
		s.enter(`RUN script -qec 'tty >/dev/null && echo a ter""minal' /dev/null`)
		s.expect("a terminal")
	}},
}

// TestIsolateJobControl checks that a terminal works in an isolated run as in another one.
func TestIsolateJobControl(t *testing.T) {
	r := newRig(t)
	for _, j := range jobs {
		for name, flags := range map[string][]string{"plain": nil, "isolated": {"--isolate"}} {
			t.Run(j.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				j.do(r.newSession(t, flags...))
			})
		}
	}
}

// TestIsolateStreams checks that standard streams and the exit code are those of the
// command.
func TestIsolateStreams(t *testing.T) {
	r := newRig(t)
	input := make([]byte, 300_000)
	rand.Read(input)
	notExecutable := filepath.Join(r.tmp, "not-executable")
	if err := os.WriteFile(notExecutable, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name           string
		command        []string
		stdout, stderr string // stderr is a part
		code           int
	}{
		{"copy", []string{"cat"}, string(input), "", 0},
		{"both", []string{"sh", "-c", "echo out; echo err >&2; exit 5"}, "out\n", "err\n", 5},
		{"killed", []string{"sh", "-c", "kill -9 $$"}, "", "", 137},
		{"terminated", []string{"sh", "-c", "kill $$"}, "", "", 143},
		{"not found", []string{"no-such-program"}, "", "no-such-program", 127},
		{"not executable", []string{notExecutable}, "", "not-executable", 126},
		{"arguments", []string{"printf", "%s|", "a b", "", "\xff\xfe", "$x"}, "a b||\xff\xfe|$x|", "", 0},
		{"working directory", []string{"pwd"}, r.tmp + "\n", "", 0},
		{"user", []string{"sh", "-c", "id -u; id -g; umask"}, "0\n0\n0022\n", "", 0},
	} {
		for name, flags := range map[string][]string{"plain": nil, "isolated": {"--isolate"}} {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				cmd := r.command(nil, append(flags, tt.command...)...)
				var stdout, stderr bytes.Buffer
				cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &stdout, &stderr
				var failed *exec.ExitError
				if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
					t.Fatal(err)
				}
				if stdout.String() != tt.stdout {
					t.Errorf("printed %.200q, want %.200q", stdout.String(), tt.stdout)
				}
				if !strings.Contains(stderr.String(), tt.stderr) {
					t.Errorf("standard error %q, want %q", stderr.String(), tt.stderr)
				}
				if code := cmd.ProcessState.ExitCode(); code != tt.code {
					t.Errorf("exit code %d, want %d", code, tt.code)
				}
			})
		}
	}
}

// TestIsolateRefusesDirectory checks that a command does not start if a standard stream
// leads out of the fence.
func TestIsolateRefusesDirectory(t *testing.T) {
	r := newRig(t)
	root, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range map[string]struct {
		flags []string
		code  int
	}{"plain": {nil, 0}, "isolated": {[]string{"--isolate"}, 126}} {
		t.Run(name, func(t *testing.T) {
			cmd := r.command(nil, append(want.flags, "sh", "-c", "echo started")...)
			var stdout, stderr bytes.Buffer
			cmd.Stdin, cmd.Stdout, cmd.Stderr = root, &stdout, &stderr
			cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != want.code || strings.Contains(stdout.String(), "started") != (code == 0) {
				t.Errorf("exit code %d: %s%s", code, &stdout, &stderr)
			}
			if want.code != 0 && !strings.Contains(stderr.String(), "descriptor 0 is a directory") {
				t.Errorf("standard error: %s", &stderr)
			}
		})
	}
}
