package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"time"

	"github.com/authsome/authsome/internal/isolate"
)

// Process is a command to run as a child. Its standard streams are passed on
// unchanged: a terminal stays a terminal.
type Process struct {
	Args           []string // the command and its arguments
	Env            []string
	Dir            string // "" means the current directory
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Started        func(pid int)  // called when the process has started; may be nil
	Fence          *isolate.Fence // the process that becomes the command, with its own directory and streams; nil starts one
}

// Exit codes, as in a shell.
const (
	notExecutable = 126
	notFound      = 127
	killed        = 128 // plus the number of the signal
)

// Run runs the process until it ends and returns its exit code. The error reports
// that the process could not be started; a non-zero exit code is not an error.
//
// Signals of the terminal reach the child directly, because it is in the same
// process group, so this process ignores them. Other signals are passed on. When ctx
// is done, the child gets SIGTERM, and is killed after 10 seconds.
//
// On Linux, descendants of the child whose parent ends become children of this
// process, which reaps them. A child that this process starts without Run at the same
// time may be reaped as well, and its exit status lost.
func (p Process) Run(ctx context.Context) (exitCode int, err error) {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return notFound, errors.New("no command to run")
	}
	cmd := p.command(ctx)
	start := cmd.Start
	if p.Fence != nil {
		cmd = p.Fence.Cmd
		start = func() error { return p.Fence.Exec(p.Args, p.Env) }
		defer context.AfterFunc(ctx, p.Fence.End)()
	}
	// The parent-death signal is sent when the thread that started the child ends, so
	// keep this thread until then.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 16)
	// Signals that this process ignores from its start, for example under nohup, are
	// ignored by the child as well. Notify would change that.
	signal.Notify(signals, slices.DeleteFunc(slices.Concat(passedOn, fromTerminal), signal.Ignored)...)
	defer signal.Stop(signals)
	waited, err := startChild(cmd, start)
	if err != nil {
		return startError(p.Args[0], err)
	}
	if p.Started != nil {
		p.Started(cmd.Process.Pid)
	}
	ended := make(chan struct{})
	forwarding := make(chan struct{})
	go func() {
		defer close(forwarding)
		forward(signals, cmd.Process, ended)
	}()
	err = cmd.Wait()
	waited()
	close(ended)
	<-forwarding
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed && cmd.ProcessState == nil {
		return 1, fmt.Errorf("wait for %s: %w", p.Args[0], err)
	}
	return exitStatus(cmd.ProcessState), nil
}

// command returns the command without a fence.
func (p Process) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Args[0], p.Args[1:]...)
	if errors.Is(cmd.Err, exec.ErrDot) {
		cmd.Err = nil // "." in PATH works as in a shell
	}
	cmd.Env, cmd.Dir = p.Env, p.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, p.Stdout, p.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(terminate) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = attributes()
	return cmd
}

// forward passes signals on until the child has ended.
func forward(signals <-chan os.Signal, child *os.Process, ended <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if isFromTerminal(s) && inForeground() {
				continue // the terminal has sent it to the child as well
			}
			child.Signal(s)
		case <-ended:
			return
		}
	}
}

// startError returns the exit code and the error for a command that could not be
// started.
func startError(name string, err error) (int, error) {
	// The text below already contains the name.
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == name {
		err = path.Err
	}
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return notFound, fmt.Errorf("%s: command not found", name)
	case errors.Is(err, fs.ErrNotExist): // or its interpreter or the directory does not exist
		return notFound, fmt.Errorf("start %s: %w", name, err)
	case errors.Is(err, fs.ErrPermission):
		return notExecutable, fmt.Errorf("%s: not executable", name)
	default:
		return notExecutable, fmt.Errorf("start %s: %w", name, err)
	}
}
