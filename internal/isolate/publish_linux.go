package isolate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Publish accepts connections of l, which is outside, and passes each on to a port of the
// loopback interface inside, until l is closed. Then it closes what is still open.
//
// The sockets that connect inside were made there. There is a fixed number of them, each
// of which is used again when its connection has ended; further clients wait.
func (f *Fence) Publish(l net.Listener, port uint16) error {
	ctx, end := context.WithCancel(context.Background())
	var relays sync.WaitGroup
	defer relays.Wait()
	defer end()
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept connections to a published port: %w", err)
		}
		relays.Go(func() {
			defer client.Close()
			f.relay(ctx, client, port)
		})
	}
}

// relay connects a client to a server inside. If there is none, the client's connection is
// closed at once.
func (f *Fence) relay(ctx context.Context, client net.Conn, port uint16) {
	var fds []int
	select {
	case fds = <-f.spare:
	case <-ctx.Done():
		return
	}
	defer func() {
		for _, fd := range fds {
			disconnect(fd)
		}
		f.spare <- fds
	}()
	server, err := connectSpare(fds, port)
	if err != nil {
		return
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { client.Close(); server.Close() })()
	var answered sync.WaitGroup
	answered.Go(func() { copyStream(client, server) })
	copyStream(server, client)
	answered.Wait()
}

// copyStream copies until the end of one stream and passes the end on.
func copyStream(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		to.Close()
		from.Close()
		return
	}
	to.(*net.TCPConn).CloseWrite()
}

// loopbacks are the addresses at which servers inside may listen: some do on one of them.
var loopbacks = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}

// connectTime limits how long a server inside may leave a connection waiting.
const connectTime = 5 * time.Second

// connectSpare connects one of the spare sockets, each of which is for one of loopbacks,
// and returns a connection that shares it. A socket for both versions of IP would not do:
// once it was connected by IPv4, it cannot be connected by IPv6 again.
func connectSpare(fds []int, port uint16) (net.Conn, error) {
	var failed error
	for i, fd := range fds {
		if failed = connect(fd, netip.AddrPortFrom(loopbacks[i], port)); failed == nil {
			return shareSocket(fd)
		}
	}
	return nil, failed
}

func shareSocket(fd int) (net.Conn, error) {
	copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(copied), "published")
	defer file.Close()
	return net.FileConn(file)
}

// connect connects a socket that does not block, and is of the address's version of IP.
func connect(fd int, to netip.AddrPort) error {
	var address unix.Sockaddr = &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}
	if to.Addr().Is4() {
		address = &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}
	}
	if err := unix.Connect(fd, address); !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	if err := waitWritable(fd); err != nil {
		return err
	}
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil || code == 0 {
		return err
	}
	return unix.Errno(code)
}

// waitWritable waits until a socket is connected, or cannot be.
func waitWritable(fd int) error {
	wait := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(wait, int(connectTime.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR): // by a signal to this thread
		case err == nil && n == 0:
			return unix.ETIMEDOUT
		default:
			return err
		}
	}
}

// disconnect makes a socket what it was before it was connected; see connect(2).
func disconnect(fd int) {
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none))
}
