//go:build unix

package child

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// checkParents checks that no other user but root can replace dir or anything in it,
// also through a directory above it.
func checkParents(dir string) error {
	for {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		trusted := ok && (stat.Uid == 0 || ownedByUser(info))
		if !trusted || info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
			return notPrivate(dir, info)
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
		dir = filepath.Dir(dir)
	}
}

func onlyForUser(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
