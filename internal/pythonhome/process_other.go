//go:build !linux

package pythonhome

import (
	"os/exec"
	"strconv"
	"strings"
)

// storeUser finds nothing: here, the system does not tell without further programs.
func storeUser(string) (Process, bool) { return Process{}, false }

// commandLine returns the command line of a process, or "" if it has ended.
func commandLine(pid int) string {
	text, err := exec.Command("ps", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
