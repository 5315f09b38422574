//go:build unix

package home

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// checkAccess checks that dir belongs to the user of this process and that other
// users cannot access it. Otherwise the error is an [*AccessError].
func checkAccess(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("home: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("home: %s is not a directory", dir)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && int64(stat.Uid) != int64(os.Geteuid()) {
		return &AccessError{
			Path:   dir,
			Reason: fmt.Sprintf("belongs to user %d, but this process runs as user %d", stat.Uid, os.Geteuid()),
			Remedy: []string{"chown", "-R", strconv.Itoa(os.Geteuid()), dir},
		}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return &AccessError{
			Path:   dir,
			Reason: fmt.Sprintf("other users can access it (mode %04o)", mode),
			Remedy: []string{"chmod", "700", dir},
		}
	}
	return nil
}
