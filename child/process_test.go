//go:build unix

package child

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

const limit = 20 * time.Second

// TestMain lets the test binary be the run and its child.
func TestMain(m *testing.M) {
	switch os.Getenv("CHILD_TEST_ROLE") {
	case "run":
		code, err := Process{Args: os.Args[1:], Env: append(os.Environ(), "CHILD_TEST_ROLE=child"), Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}.Run(context.Background())
		if err != nil {
			fmt.Println(err)
		}
		os.Exit(code)
	case "child":
		signals := make(chan os.Signal, 8)
		signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1)
		fmt.Println("ready")
		first := <-signals
		fmt.Println("got", first)
		select {
		case second := <-signals:
			fmt.Println("got again", second)
		case <-time.After(50 * time.Millisecond): // a second one would have come by now
		}
		os.Exit(7)
	}
	os.Exit(m.Run())
}

func run(t *testing.T) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, exe)
	cmd.Env = append(os.Environ(), "CHILD_TEST_ROLE=run")
	return cmd
}

func TestExitCodes(t *testing.T) {
	plain := t.TempDir() + "/plain"
	if err := os.WriteFile(plain, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want int
		err  string
	}{
		{[]string{"true"}, 0, ""}, {[]string{"sh", "-c", "exit 42"}, 42, ""}, {[]string{"sh", "-c", "kill -9 $$"}, 137, ""}, {[]string{"sh", "-c", "kill -15 $$"}, 143, ""},
		{[]string{"no-such-command"}, 127, "not found"}, {[]string{"/no/such/command"}, 127, "not found"}, {[]string{plain}, 126, "not executable"}, {[]string{t.TempDir()}, 126, ""},
	} {
		code, err := Process{Args: tt.args, Env: os.Environ()}.Run(context.Background())
		if code != tt.want || (err == nil) != (tt.want != 126 && tt.want != 127) || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%v: %d, %v", tt.args, code, err)
		}
	}
}

// What is sent to the run alone is passed on, once.
func TestSignalsArePassedOn(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGINT} {
		cmd := run(t)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no terminal
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ready := make([]byte, len("ready\n"))
		if _, err := io.ReadFull(out, ready); err != nil {
			t.Fatal(err)
		}
		cmd.Process.Signal(s)
		rest, _ := io.ReadAll(out)
		err = cmd.Wait()
		if string(rest) != "got "+s.String()+"\n" || cmd.ProcessState.ExitCode() != 7 {
			t.Errorf("%v: %q, %v", s, rest, err)
		}
	}
}

// Ctrl-C on a terminal reaches the child once, from the terminal itself.
func TestTerminal(t *testing.T) {
	cmd := run(t)
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	time.AfterFunc(limit, func() { tty.Close() })
	var screen bytes.Buffer
	for !strings.Contains(screen.String(), "ready") {
		if _, err := io.CopyN(&screen, tty, 1); err != nil {
			t.Fatalf("%q: %v", screen.String(), err)
		}
	}
	tty.Write([]byte{3})
	io.Copy(&screen, tty)
	cmd.Wait()
	if s := screen.String(); !strings.Contains(s, "got interrupt") || strings.Contains(s, "got again") || cmd.ProcessState.ExitCode() != 7 {
		t.Errorf("exit %d, screen %q", cmd.ProcessState.ExitCode(), s)
	}
}

func TestCanceledContextEndsTheChild(t *testing.T) {
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
	code, err := Process{Args: []string{"sh", "-c", "echo x; sleep 60"}, Env: os.Environ(), Stdout: in}.Run(ctx)
	if code != 143 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
}
