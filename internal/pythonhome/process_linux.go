package pythonhome

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// storeUser returns a process that has a store of the home open. Processes of other users
// are not visible.
func storeUser(dir string) (Process, bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Process{}, false
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return Process{}, false
	}
	stores, err := Stores(dir)
	if err != nil {
		return Process{}, false
	}
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return Process{}, false
	}
	for _, entry := range processes {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		files := filepath.Join("/proc", entry.Name(), "fd")
		open, err := os.ReadDir(files)
		if err != nil {
			continue
		}
		for _, file := range open {
			path, err := os.Readlink(filepath.Join(files, file.Name()))
			if err == nil && slices.Contains(stores, path) {
				if p := (Process{pid, commandLine(pid)}); isAuthsome(p.command) {
					return p, true
				}
			}
		}
	}
	return Process{}, false
}

// commandLine returns the command line of a process, or "" if it has ended.
func commandLine(pid int) string {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(strings.ReplaceAll(string(text), "\x00", " "))
}
