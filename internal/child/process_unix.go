//go:build unix

package child

import (
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

var terminate = syscall.SIGTERM

// fromTerminal are the signals that a terminal sends to its foreground process group.
var fromTerminal = []os.Signal{syscall.SIGINT, syscall.SIGQUIT}

// passedOn are the signals that reach only the process that they were sent to.
var passedOn = []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT}

func isFromTerminal(s os.Signal) bool { return slices.Contains(fromTerminal, s) }

// inForeground reports whether this process is in the foreground process group of
// its terminal. Then the terminal sends its signals to the child as well.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

func exitStatus(s *os.ProcessState) int {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return killed + int(w.Signal())
	}
	return s.ExitCode()
}

func ownedByUser(info os.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(s.Uid) == os.Geteuid()
}
