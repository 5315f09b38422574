//go:build unix

package vault

import (
	"fmt"
	"os"
	"syscall"
)

// checkPrivate refuses a file that other users can access, or that another user
// owns, with the error exposed.
func checkPrivate(f *os.File, exposed error) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w (mode %04o)", exposed, mode)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Geteuid() {
		return fmt.Errorf("%w (owner %d, not %d)", exposed, s.Uid, os.Geteuid())
	}
	return nil
}
