package vault

import (
	"os"

	"golang.org/x/sys/unix"
)

// inMemoryFS reports whether a file is in a memory file system, in which Docker
// Swarm and Kubernetes mount secrets.
func inMemoryFS(f *os.File) bool {
	var s unix.Statfs_t
	if unix.Fstatfs(int(f.Fd()), &s) != nil {
		return false
	}
	return s.Type == unix.TMPFS_MAGIC || s.Type == unix.RAMFS_MAGIC
}
