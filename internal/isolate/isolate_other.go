//go:build !linux

package isolate

import (
	"context"
	"net"
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
	Packets  *os.File
}

// Start returns an [*UnsupportedError].
func Start(context.Context, Options) (*Fence, error) {
	return nil, &UnsupportedError{Cause: OtherSystem, Reason: "commands can be isolated on Linux only"}
}

// Lacking returns "".
func Lacking() string { return "" }

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
