//go:build unix

package home

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
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

// CloseToOthers makes a directory of the user of this process inaccessible to other users
// and returns the mode that it had. It refuses a symbolic link, which could lead to
// another directory in the meantime, and a directory in which others may have changed
// something: one that everybody can write, or that a group can write which is not the
// user's own, or that has files of others.
func CloseToOthers(dir string) (was fs.FileMode, err error) {
	f, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	was = info.Mode().Perm()
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int64(stat.Uid) != int64(os.Geteuid()) {
		return was, errors.New("it belongs to another user")
	}
	if was&0o022 != 0 {
		if was&0o002 != 0 || stat.Gid != stat.Uid { // by convention, a user's own group has the user's number
			return was, errors.New("others can write it")
		}
		if err := checkOwner(dir, stat.Uid); err != nil {
			return was, err
		}
	}
	return was, f.Chmod(0o700)
}

// checkOwner checks that everything in a directory belongs to a user.
func checkOwner(dir string, uid uint32) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != uid {
			return fmt.Errorf("%s belongs to another user", path)
		}
		return nil
	})
}
