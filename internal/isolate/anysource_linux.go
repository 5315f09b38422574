package isolate

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// allowAnySource lets a socket have an address that no interface has, and send from it.
// Inside, every address is local by a route. IPv4 accepts that, but IPv6 looks at the
// interfaces.
func allowAnySource(c syscall.RawConn) error {
	var failed error
	// The option of IPv4 has its effect on both versions, and exists on every socket.
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1) })
	return errors.Join(err, failed)
}
