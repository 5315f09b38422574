//go:build !linux

package child

import (
	"os/exec"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

// startChild starts a command. The function that is returned must be called after
// Wait.
func startChild(cmd *exec.Cmd) (waited func(), err error) { return func() {}, cmd.Start() }
