//go:build unix

package vault

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// checkSecret is checkPrivate for a file that a container runtime may provide.
// Such files belong to root and are often readable by all users, because the
// container has no other users. That is accepted where only a runtime puts files:
// below /run/secrets, or owned by root in a memory file system.
func checkSecret(f *os.File, exposed error) error {
	if checkPrivate(f, exposed) == nil {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	mode := info.Mode().Perm()
	owner, known := info.Sys().(*syscall.Stat_t)
	switch {
	case known && owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return fmt.Errorf("%w (owner %d, neither root nor %d)", exposed, owner.Uid, os.Geteuid())
	case mode&0o022 != 0:
		return fmt.Errorf("%w: others can write to it (mode %04o)", exposed, mode)
	case mode&0o044 == 0, inSecretsDirectory(f.Name()), known && owner.Uid == 0 && inMemoryFS(f):
		return nil
	}
	return fmt.Errorf("%w (mode %04o, on a disk)", exposed, mode)
}

// closeOnExec keeps a file descriptor such as /dev/fd/3 from the programs that this
// process starts. They could read the file again from its beginning.
func closeOnExec(path string) {
	number, isDescriptor := strings.CutPrefix(path, "/dev/fd/")
	if fd, err := strconv.Atoi(number); isDescriptor && err == nil && fd > 2 {
		syscall.CloseOnExec(fd)
	}
}

// inSecretsDirectory reports whether path is below a directory in which only root
// can create files.
func inSecretsDirectory(path string) bool {
	path, err := filepath.Abs(path)
	return err == nil && (strings.HasPrefix(path, "/run/secrets/") || strings.HasPrefix(path, "/var/run/secrets/"))
}
