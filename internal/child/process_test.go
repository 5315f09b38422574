//go:build unix

package child

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/term"
)

// limit is how long a test waits before it fails.
const limit = 20 * time.Second

// TestMain lets the test binary act as a run and as its child.
func TestMain(m *testing.M) {
	switch os.Getenv("CHILD_TEST_ROLE") {
	case "run":
		code, err := Process{Args: os.Args[1:], Env: append(os.Environ(), "CHILD_TEST_ROLE=child"), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}.Run(context.Background())
		if err != nil {
			fmt.Println(err)
		}
		os.Exit(code)
	case "child":
		printSignals()
	case "files":
		f, err := WriteFiles(os.Getenv("CHILD_TEST_TMP"), nil, nil, nil)
		if err != nil {
			panic(err)
		}
		fmt.Println(f.dir)
		select {}
	}
	os.Exit(m.Run())
}

// printSignals is the child: it prints each signal, and SIGUSR2 ends it. Signals that
// were sent before SIGUSR2, to the child or the run, are printed first: of several
// pending signals, the kernel and the Go runtime deliver the lowest number first.
func printSignals() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGCONT, syscall.SIGWINCH)
	fmt.Printf("ready %d %d %v\n", os.Getppid(), os.Getpid(), term.IsTerminal(0))
	for s := range signals {
		if s == syscall.SIGUSR2 {
			os.Exit(7)
		}
		fmt.Println("got", s)
	}
}

// role is the test binary running in one of its roles.
type role struct {
	*exec.Cmd
	t   *testing.T
	out *bufio.Reader
}

func testBinary(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// start runs the test binary in a session without a terminal. As a run, its child is
// the test binary again.
func start(t *testing.T, env ...string) role {
	t.Helper()
	exe := testBinary(t)
	cmd := exec.Command(exe, exe)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	out.(*os.File).SetReadDeadline(time.Now().Add(limit))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	return role{cmd, t, bufio.NewReader(out)}
}

func (r role) line() string {
	r.t.Helper()
	line, err := r.out.ReadString('\n')
	if err != nil {
		r.t.Fatalf("%q: %v", line, err)
	}
	return line
}

func TestExitCodes(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain, noInterpreter := file("plain", "not a program", 0o600), file("no-interpreter", "#!/no/such/interpreter\n", 0o700)
	file("local", "#!/bin/sh\nexit 3\n", 0o700)
	t.Chdir(dir)
	t.Setenv("PATH", os.Getenv("PATH")+":.")
	for _, tt := range []struct {
		args []string
		want int
		err  string
	}{
		{[]string{"true"}, 0, ""}, {[]string{"sh", "-c", "exit 42"}, 42, ""}, {[]string{"sh", "-c", "exit 255"}, 255, ""},
		{[]string{"sh", "-c", "kill -9 $$"}, 137, ""}, {[]string{"sh", "-c", "kill -15 $$"}, 143, ""}, {[]string{"sh", "-c", "kill -2 $$"}, 130, ""},
		{[]string{"./local"}, 3, ""}, {[]string{"local"}, 3, ""},
		{[]string{"no-such-command"}, 127, "no-such-command: command not found"}, {[]string{"/no/such/command"}, 127, "start /no/such/command: no such file or directory"}, {[]string{""}, 127, "no command"},
		{[]string{noInterpreter}, 127, "start "}, {nil, 127, "no command"},
		{[]string{plain}, 126, "not executable"}, {[]string{dir}, 126, dir},
	} {
		pid := 0
		code, err := Process{Args: tt.args, Env: os.Environ(), Started: func(p int) { pid = p }}.Run(t.Context())
		if (pid > 0) != (err == nil) {
			t.Errorf("%v: Started got the pid %d, %v", tt.args, pid, err)
		}
		if code != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v: %d, %v", tt.args, code, err)
		}
	}
}

func TestStreamsAndDirectory(t *testing.T) {
	dir := t.TempDir()
	var out, errs strings.Builder
	code, err := Process{
		Args: []string{"sh", "-c", `cat; pwd; echo "$ONLY" >&2; env | wc -l`}, Env: []string{"ONLY=this", "PATH=" + os.Getenv("PATH"), "PWD=" + dir}, Dir: dir,
		Stdin: strings.NewReader("typed\n"), Stdout: &out, Stderr: &errs,
	}.Run(t.Context())
	if fields := strings.Fields(out.String()); code != 0 || err != nil || len(fields) != 3 || fields[0] != "typed" || fields[1] != dir || errs.String() != "this\n" {
		t.Errorf("%d, %v: %q, %q", code, err, out.String(), errs.String())
	}
}

// A signal that is sent only to the run reaches the child once.
func TestSignalsArePassedOn(t *testing.T) {
	run := start(t, "CHILD_TEST_ROLE=run")
	run.line()
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGWINCH, syscall.SIGCONT, syscall.SIGINT, syscall.SIGQUIT} {
		run.Process.Signal(s)
		if got, want := run.line(), fmt.Sprintf("got %v\n", s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	run.Process.Signal(syscall.SIGUSR2)
	if rest, err := io.ReadAll(run.out); len(rest) > 0 || err != nil {
		t.Errorf("more output: %q, %v", rest, err)
	}
	if run.Wait(); run.ProcessState.ExitCode() != 7 {
		t.Errorf("exit %d", run.ProcessState.ExitCode())
	}
}

// Under nohup, the child ignores SIGHUP too.
func TestIgnoredSignalsStayIgnored(t *testing.T) {
	for trap, want := range map[string]string{"": "exit 129\n", "trap '' HUP;": "survived\nexit 0\n"} {
		cmd := exec.Command("sh", "-c", trap+`"$0" sh -c 'kill -HUP $$; echo survived'; echo exit $?`, testBinary(t))
		cmd.Env = append(os.Environ(), "CHILD_TEST_ROLE=run")
		if out, err := cmd.Output(); err != nil || string(out) != want {
			t.Errorf("%q: %q, %v", trap, out, err)
		}
	}
}

func TestCancelledContextEndsTheChild(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer in.Close()
	go func() {
		io.ReadFull(out, make([]byte, 1))
		cancel()
	}()
	code, err := Process{Args: []string{"sh", "-c", "echo x; exec sleep 60"}, Env: os.Environ(), Stdout: in}.Run(ctx)
	if code != 143 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
}
