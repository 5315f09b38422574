package child

import "syscall"

// attributes makes the kernel kill the child when this process ends, even if it is
// killed.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
