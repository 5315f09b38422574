//go:build !unix

package terminal

import (
	"context"
	"os"
)

// waitInput only checks ctx: this system cannot wait for input and for ctx at the
// same time, so the read that follows ends with the next key.
func waitInput(ctx context.Context, _ *os.File) error { return ctx.Err() }
