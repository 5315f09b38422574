//go:build !linux

package isolate

import (
	"context"
	"net"
	"os/exec"
)

// Fence does not exist on this system.
type Fence struct {
	Cmd      *exec.Cmd
	Proxy    net.Listener
	Captured []net.Listener
	UDPDNS   net.PacketConn
	TCPDNS   net.Listener
	Refusals []*Refusals
}

// Start returns an [*UnsupportedError].
func Start(context.Context, Options) (*Fence, error) {
	return nil, &UnsupportedError{Cause: OtherSystem, Reason: "commands can be isolated on Linux only"}
}

// Lacking returns "".
func Lacking() string { return "" }

// Begin returns an [*UnsupportedError].
func Begin(ctx context.Context, _ Streams, _ func(string) string) (*Fence, error) {
	return Start(ctx, Options{})
}

// Prepare returns an error.
func (f *Fence) Prepare(Options) error { return errNone }

// Exec returns an error.
func (f *Fence) Exec(args, env []string) error { return errNone }

// Publish returns an error.
func (f *Fence) Publish(l net.Listener, port uint16) error { return errNone }

// End does nothing.
func (f *Fence) End() {}

// Close does nothing.
func (f *Fence) Close() {}

var errNone = &UnsupportedError{Reason: "nothing is isolated on this system"}
