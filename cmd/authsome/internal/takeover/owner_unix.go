//go:build unix

package takeover

import (
	"os"
	"syscall"
)

// keepOwner gives a new file the owner and group of another file, if they differ.
func keepOwner(f *os.File, other os.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mine, known := info.Sys().(*syscall.Stat_t)
	theirs, ok := other.Sys().(*syscall.Stat_t)
	if !known || !ok || mine.Uid == theirs.Uid && mine.Gid == theirs.Gid {
		return nil
	}
	return f.Chown(int(theirs.Uid), int(theirs.Gid))
}
