//go:build unix

package terminal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often a wait for input checks its context. A blocking read
// could not be cancelled at all.
const pollInterval = 100 * time.Millisecond

// waitInput returns when there is something to read, or ctx is done.
func waitInput(ctx context.Context, f *os.File) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, int(pollInterval/time.Millisecond))
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("wait for input: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
}
