//go:build !linux

package isolate

import (
	"context"
	"net"
	"net/netip"
	"os"
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

// Refusals do not exist on this system.
type Refusals struct{ net.PacketConn }

// Watch returns an error.
func (b *Blocked) Watch(*Refusals, func(netip.Addr) (string, bool)) error { return errNone }

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

func readPending(*os.File, []byte) (int, error) { return 0, errNone }

var errNone = &UnsupportedError{Reason: "nothing is isolated on this system"}
