//go:build !unix

package main

import (
	"context"
	"os"
)

// waitInput cannot wait for both here; the read that follows ends with a key.
func waitInput(ctx context.Context, _ *os.File) error { return ctx.Err() }
