package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// family is the children that this process has started and waits for. They are a
// property of the process, so there is one.
var family struct {
	mu  sync.Mutex // guards all below; held while a child is started and while orphans are reaped
	own map[int]bool
}

// startChild starts a command with start. From then on, this process is the parent of all descendants
// of the command whose own parent has ended: they stay findable by their ancestors.
// It reaps them when they end. The function that is returned must be called after
// Wait.
func startChild(cmd *exec.Cmd, start func() error) (waited func(), err error) {
	signals := make(chan os.Signal, 1)
	if !signal.Ignored(unix.SIGCHLD) { // otherwise the kernel reaps all children
		signal.Notify(signals, unix.SIGCHLD)
	}
	pid, err := startOwn(cmd, start)
	if err != nil {
		signal.Stop(signals)
		return nil, err
	}
	ended, reaping := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(reaping)
		for {
			select {
			case <-signals:
				reapOrphans()
			case <-ended:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(ended)
		<-reaping
		disown(pid)
	}, nil
}

func startOwn(cmd *exec.Cmd, start func() error) (pid int, err error) {
	family.mu.Lock()
	defer family.mu.Unlock()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return 0, fmt.Errorf("become the parent of orphans: %w", err)
	}
	if err := start(); err != nil {
		return 0, err
	}
	if family.own == nil {
		family.own = make(map[int]bool)
	}
	family.own[cmd.Process.Pid] = true
	return cmd.Process.Pid, nil
}

// disown forgets a child that was waited for.
func disown(pid int) {
	family.mu.Lock()
	delete(family.own, pid)
	last := len(family.own) == 0
	family.mu.Unlock()
	reapOrphans() // a child that had not been waited for may have hidden others
	if last {
		unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	}
}

// reapOrphans reaps all children that have ended, up to one that this process waits
// for itself. The kernel always shows the same child first, so the ones after it are
// reaped when that one was waited for.
func reapOrphans() {
	family.mu.Lock()
	defer family.mu.Unlock()
	for {
		pid, err := endedChild(unix.P_ALL, 0, unix.WNOWAIT)
		if err != nil || pid == 0 || family.own[pid] {
			return
		}
		if _, err := endedChild(unix.P_PID, pid, 0); err != nil {
			return
		}
	}
}

// endedChild returns the pid of a child that has ended, or 0.
func endedChild(kind, id, options int) (pid int, err error) {
	var info unix.Siginfo
	for {
		if err := unix.Waitid(kind, id, &info, unix.WEXITED|unix.WNOHANG|options, nil); !errors.Is(err, unix.EINTR) {
			return signalledPID(&info), err
		}
	}
}

// signalledPID returns the member si_pid, for which package unix has no name. It comes
// after three integers of 4 bytes, and is aligned as a pointer is.
func signalledPID(info *unix.Siginfo) int {
	offset := 3*4 + unsafe.Sizeof(uintptr(0)) - 4
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), offset)))
}
