//go:build unix

package home

import (
	"fmt"
	"os"
	"syscall"
)

// checkAccess refuses a directory that is not ours alone.
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
			Reason: fmt.Sprintf("belongs to user %d, and this process is user %d", stat.Uid, os.Geteuid()),
			Remedy: fmt.Sprintf("chown -R %d %s", os.Geteuid(), dir),
		}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return &AccessError{
			Path:   dir,
			Reason: fmt.Sprintf("others can reach it (mode %04o)", mode),
			Remedy: "chmod 700 " + dir,
		}
	}
	return nil
}
