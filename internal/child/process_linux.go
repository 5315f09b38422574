package child

import "syscall"

// attributes has the kernel end the child when this process dies, however it
// does.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
