//go:build unix

package intercept

import (
	"math"

	"golang.org/x/sys/unix"
)

// descriptors returns how many files and sockets this process may have open.
func descriptors() int {
	var r unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &r) != nil {
		return math.MaxInt32
	}
	return int(min(uint64(r.Cur), math.MaxInt32))
}
