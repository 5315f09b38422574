// Package isolate starts a command in a fence of Linux namespaces: in its network,
// every address leads to sockets that belong to this process, and what it must not
// read is covered in its file system. It needs no privilege, no daemon and no helper
// process: a copy of this program prepares the namespaces and then becomes the command.
//
// It does not know providers, credentials or HTTP. Its invariants: the command starts
// only if everything that was asked for is in place, and once it runs, neither it nor
// its descendants can undo any of it.
package isolate

import (
	"fmt"
	"io"
	"net/netip"
)

// Streams are the standard streams of a command.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Options say what the fence hides and which sockets it has.
type Options struct {
	Streams Streams // of the command, for [Start]

	// Home is the directory that is covered by an empty one, which has only the files in
	// Notes: name and content. Nothing else can be written there.
	Home  string
	Notes func(proxy netip.AddrPort) (map[string][]byte, error)

	// Hide are more directories and files that are covered. They must exist.
	Hide []string

	// Sockets are Unix sockets that stay reachable.
	Sockets []string

	// Keep are directories that stay visible although they are below the directory of the
	// user's runtime files, for example those in PATH.
	Keep []string

	// Ports are captured: a connection from inside to this port of any address is accepted
	// by a listener of [Fence.Captured].
	Ports []int

	// Listen are addresses at which connections are accepted in addition.
	Listen []netip.AddrPort

	// Spare is the number of connections that [Fence.Publish] can have open at a time.
	Spare int

	// Getenv is the environment of this process.
	Getenv func(string) string
}

// UnsupportedError reports that this machine does not let the user isolate a command.
type UnsupportedError struct {
	Cause   Cause
	Reason  string
	Setting string // the name of the kernel's setting, for NamespaceLimit and NamespacesOff
	Err     error  // what the system said; may be nil
}

// Cause is what a person has to change.
type Cause int

// The causes.
const (
	OtherSystem    Cause = iota // it is not Linux
	OldKernel                   // the kernel has no namespaces, or it is too old
	NamespaceLimit              // a setting that limits namespaces
	NamespacesOff               // a setting that forbids them
	AppArmor                    // a profile is missing, as on Ubuntu from 23.10 on
	Container                   // the container's own filters
	Isolated                    // nothing: it is isolated already
	Forbidden                   // something else that forbids it, such as SELinux
	Unknown                     // see Err
)

func (e *UnsupportedError) Error() string {
	if e.Cause == Forbidden || e.Cause == Unknown {
		return fmt.Sprintf("%s (%v)", e.Reason, e.Err)
	}
	return e.Reason
}

func (e *UnsupportedError) Unwrap() error { return e.Err }
