package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime returns the user and system time that all threads of a process have used,
// including those that ended. It reads the CPU clock of the process, which counts
// nanoseconds; /proc/PID/stat counts hundredths of a second. The ID of the clock is
// computed as in clock_getcpuclockid(3).
func cpuTime(pid int) (time.Duration, error) {
	const processScheduled = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|processScheduled), &t); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// memory returns the current and the peak resident memory of a process in bytes.
func memory(pid int) (now, peak int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read the memory of process %d: %w", pid, err)
	}
	for line := range bytes.Lines(b) {
		fields := bytes.Fields(line)
		if len(fields) < 2 {
			continue
		}
		kib, err := strconv.ParseInt(string(fields[1]), 10, 64)
		switch {
		case err != nil:
		case string(fields[0]) == "VmRSS:":
			now = kib << 10
		case string(fields[0]) == "VmHWM:":
			peak = kib << 10
		}
	}
	return now, peak, nil
}
