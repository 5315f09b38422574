package vault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// holder returns the process that holds the lock at path, as "PID (NAME)", from the
// kernel's list of locks. It returns "" if that is unknown: a process in another
// container has no PID in this one.
func holder(path string) string {
	var file syscall.Stat_t
	if err := syscall.Stat(path, &file); err != nil {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	inode := fmt.Sprintf(":%d", file.Ino)
	for line := range strings.Lines(string(locks)) {
		// 1: FLOCK  ADVISORY  WRITE 4321 fe:00:131081 0 EOF; "->" marks a process that waits
		f := strings.Fields(line)
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], inode) {
			continue
		}
		pid, err := strconv.Atoi(f[4])
		if err != nil || pid <= 0 {
			continue
		}
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			continue
		}
		return fmt.Sprintf("%d (%s)", pid, strings.TrimSpace(string(name)))
	}
	return ""
}
