//go:build !linux

package main

import (
	"errors"
	"time"
)

var errOnlyLinux = errors.New("the CPU time of another process can be measured on Linux only")

func cpuTime(int) (time.Duration, error) { return 0, errOnlyLinux }

func memory(int) (now, peak int64, err error) { return 0, 0, errOnlyLinux }
