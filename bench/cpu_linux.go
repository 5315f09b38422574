package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the CPU time that a process has used, user and system, all threads,
// ended ones as well. The clock of a process has nanoseconds where /proc/PID/stat
// has hundredths of a second; its number is made as clock_getcpuclockid(3) does.
func cpuTime(pid int) (time.Duration, error) {
	const processScheduled = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|processScheduled), &t); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// memory is the resident memory of a process, now and at its highest, in bytes.
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
