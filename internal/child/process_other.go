//go:build !linux

package child

import (
	"os/exec"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

// startChild starts a command with start. The function that is returned must be called after
// Wait.
func startChild(_ *exec.Cmd, start func() error) (waited func(), err error) {
	return func() {}, start()
}
