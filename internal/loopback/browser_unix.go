//go:build unix

package loopback

import (
	"os/exec"
	"syscall"
)

// detach starts the command in its own session, so that it has no terminal and
// Ctrl-C does not reach it.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
