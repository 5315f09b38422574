package pythonhome

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/authsome/authsome/internal/regular"
)

// Process is a running process of the Python authsome.
type Process struct {
	PID     int
	command string // its command line, which can have secrets; by it, the process is recognised
}

// Running returns a process of the Python authsome that serves a home: one that has its
// store open, as far as the system tells, or the daemon, which the Python authsome starts
// with most commands and notes in the home. Another program that has the store open or the
// number of an earlier daemon is not one.
func Running(dir string) (p Process, ok bool) {
	if p, ok := storeUser(dir); ok {
		return p, true
	}
	text, err := regular.Read(filepath.Join(dir, "daemon", "daemon.pid"), 64)
	if err != nil {
		return Process{}, false
	}
	p.PID, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || p.PID <= 1 {
		return Process{}, false
	}
	p.command = commandLine(p.PID)
	return p, isAuthsome(p.command)
}

// isAuthsome reports whether a command line is that of the Python authsome: one of its
// first words is the script or a module, not only the path of the home.
func isAuthsome(command string) bool {
	words := strings.Fields(command)
	for _, word := range words[:min(len(words), 4)] {
		if name := filepath.Base(word); name == "authsome" || strings.HasPrefix(name, "authsome.") {
			return true
		}
	}
	return false
}

// stopPoll is the interval at which Stop looks whether the process has ended.
const stopPoll = 20 * time.Millisecond

// Stop asks the process to end and waits until it has ended, or ctx has.
func (p Process) Stop(ctx context.Context) error {
	process, err := os.FindProcess(p.PID)
	if err != nil {
		return fmt.Errorf("process %d: %w", p.PID, err)
	}
	defer process.Release()
	if commandLine(p.PID) != p.command {
		return nil // it has ended, and another process may have its number
	}
	switch err := process.Signal(syscall.SIGTERM); {
	case errors.Is(err, os.ErrProcessDone):
		return nil
	case err != nil:
		return fmt.Errorf("stop process %d: %w", p.PID, err)
	}
	ticker := time.NewTicker(stopPoll)
	defer ticker.Stop()
	for commandLine(p.PID) == p.command {
		select {
		case <-ctx.Done():
			return fmt.Errorf("process %d does not end", p.PID)
		case <-ticker.C:
		}
	}
	return nil
}
