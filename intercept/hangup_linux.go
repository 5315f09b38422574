package intercept

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// hungUp reports whether the other end of a connection has closed it, also if there is
// more to read before that.
func hungUp(c net.Conn) bool {
	return poll(c, unix.POLLRDHUP)&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}

// broken reports whether a connection was reset.
func broken(c net.Conn) bool { return poll(c, 0)&unix.POLLERR != 0 }

// poll returns what the kernel knows about a connection, without reading from it.
func poll(c net.Conn, events int16) int16 {
	s, ok := socket(c).(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0
	}
	fds := []unix.PollFd{{Events: events}}
	raw.Control(func(fd uintptr) {
		fds[0].Fd = int32(fd)
		unix.Poll(fds, 0)
	})
	return fds[0].Revents
}
