package isolate

import (
	"net"

	"golang.org/x/sys/unix"
)

// allowAnySource lets a socket send from addresses that no interface has. Inside, every
// address is local by a route. IPv4 accepts that, but IPv6 looks at the interfaces.
func allowAnySource(c *net.UDPConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		// The option of IPv4 has its effect on both versions, and exists on every socket.
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
