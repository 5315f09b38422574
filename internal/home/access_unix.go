//go:build unix

package home

import (
	"fmt"
	"os"
	"strings"
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
			Remedy: fmt.Sprintf("chown -R %d %s", os.Geteuid(), shellQuote(dir)),
		}
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return &AccessError{
			Path:   dir,
			Reason: fmt.Sprintf("other users can access it (mode %04o)", mode),
			Remedy: "chmod 700 " + shellQuote(dir),
		}
	}
	return nil
}

// shellQuote returns s as one word of a POSIX shell command. It adds quotes only if
// they are needed.
func shellQuote(s string) string {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,="
	if s != "" && strings.Trim(s, safe) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
