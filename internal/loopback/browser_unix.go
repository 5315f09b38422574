//go:build unix

package loopback

import (
	"os/exec"
	"syscall"
)

// detach gives the command a session of its own: no terminal to draw on, and no
// Ctrl-C of ours.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
