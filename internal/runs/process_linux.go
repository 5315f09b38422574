package runs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// process is what the kernel says about a process. Pid and start time together are
// unique until the machine is started again.
type process struct {
	pid, parent int
	start       uint64 // clock ticks after the start of the machine
}

// entry returns the name of the process in a list.
func (p process) entry() string { return fmt.Sprintf("%d-%d", p.pid, p.start) }

// readProcess reads /proc/PID/stat; pid may be "self".
func readProcess(pid string) (process, error) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return process{}, err
	}
	return parseStat(string(text))
}

// parseStat parses the content of a stat file, see proc_pid_stat(5). The second field
// is the name of the program in parentheses, which can contain anything.
func parseStat(text string) (p process, err error) {
	first, _, _ := strings.Cut(text, " (")
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // from the third
	if len(fields) < 20 {
		return process{}, fmt.Errorf("not the state of a process: %.80q", text)
	}
	if p.pid, err = strconv.Atoi(first); err != nil {
		return process{}, fmt.Errorf("the pid of a process: %w", err)
	}
	if p.parent, err = strconv.Atoi(fields[1]); err != nil {
		return process{}, fmt.Errorf("the parent of a process: %w", err)
	}
	if p.start, err = strconv.ParseUint(fields[19], 10, 64); err != nil {
		return process{}, fmt.Errorf("the start time of a process: %w", err)
	}
	return p, nil
}
