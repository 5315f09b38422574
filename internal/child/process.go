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
)

// Process is a command to run as a child. Its standard streams are passed on as
// they are: a terminal stays a terminal.
type Process struct {
	Args           []string // the command and its arguments
	Env            []string
	Dir            string // "" is the present directory
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Exit codes as shells give them.
const (
	notExecutable = 126
	notFound      = 127
	killed        = 128 // plus the signal's number
)

// Run runs the process to its end and returns its exit code. The error says why
// it could not be started; a child that failed is no error.
//
// Terminal signals reach the child directly, being in the same process group;
// they are ignored here meanwhile. Others are passed on. When ctx is done the
// child is asked to end, and killed after a while.
func (p Process) Run(ctx context.Context) (exitCode int, err error) {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return notFound, errors.New("no command to run")
	}
	cmd := exec.CommandContext(ctx, p.Args[0], p.Args[1:]...)
	if errors.Is(cmd.Err, exec.ErrDot) {
		cmd.Err = nil // a PATH with "." is obeyed, as in a shell
	}
	cmd.Env, cmd.Dir = p.Env, p.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.Stdin, p.Stdout, p.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(terminate) }
	cmd.WaitDelay = 10 * time.Second
	cmd.SysProcAttr = attributes()
	// The parent-death signal is tied to the thread that starts the child: it must
	// live as long.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	signals := make(chan os.Signal, 16)
	// What this process was started to ignore, by nohup for one, the child ignores
	// as well: to catch it would end that.
	signal.Notify(signals, slices.DeleteFunc(slices.Concat(passedOn, fromTerminal), signal.Ignored)...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return startError(p.Args[0], err)
	}
	ended := make(chan struct{})
	forwarding := make(chan struct{})
	go func() {
		defer close(forwarding)
		forward(signals, cmd.Process, ended)
	}()
	err = cmd.Wait()
	close(ended)
	<-forwarding
	if _, failed := errors.AsType[*exec.ExitError](err); err != nil && !failed && cmd.ProcessState == nil {
		return 1, fmt.Errorf("wait for %s: %w", p.Args[0], err)
	}
	return exitStatus(cmd.ProcessState), nil
}

// forward passes signals on until the child has ended.
func forward(signals <-chan os.Signal, child *os.Process, ended <-chan struct{}) {
	for {
		select {
		case s := <-signals:
			if isFromTerminal(s) && terminalReaches() {
				continue // the terminal has given it to the child itself
			}
			child.Signal(s)
		case <-ended:
			return
		}
	}
}

// startError tells a command that is not there from one that cannot be run.
func startError(name string, err error) (int, error) {
	// The name is in the text already.
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == name {
		err = path.Err
	}
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return notFound, fmt.Errorf("%s: command not found", name)
	case errors.Is(err, fs.ErrNotExist): // also its interpreter, or the directory
		return notFound, fmt.Errorf("start %s: %w", name, err)
	case errors.Is(err, fs.ErrPermission):
		return notExecutable, fmt.Errorf("%s: not executable", name)
	default:
		return notExecutable, fmt.Errorf("start %s: %w", name, err)
	}
}
