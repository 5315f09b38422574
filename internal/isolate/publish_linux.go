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
	var s spare
	select {
	case s = <-f.spare:
	case <-ctx.Done():
		return
	}
	defer func() {
		s.disconnect()
		f.spare <- s
	}()
	server, err := s.connect(port)
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

// spare is a socket of each of spareFamilies.
type spare []int

func (s spare) close() {
	for _, fd := range s {
		unix.Close(fd)
	}
}

// disconnect makes the sockets what they were before they were connected; see connect(2).
func (s spare) disconnect() {
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	for _, fd := range s {
		unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none))
	}
}

// connect connects one of the sockets to a port of the loopback interface inside, and
// returns a connection that shares it. Servers may listen at one of its addresses only.
func (s spare) connect(port uint16) (net.Conn, error) {
	addresses := [len(spareFamilies)]unix.Sockaddr{
		&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(port)},
		&unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16(), Port: int(port)},
	}
	var failed error
	for i, fd := range s {
		err := connect(fd, addresses[i])
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, err
		}
		file := os.NewFile(uintptr(copied), "published")
		defer file.Close()
		return net.FileConn(file)
	}
	return nil, failed
}

// connectTime limits how long a server inside may leave a connection waiting.
const connectTime = 5 * time.Second

// connect connects a socket that does not block.
func connect(fd int, to unix.Sockaddr) error {
	if err := unix.Connect(fd, to); !errors.Is(err, unix.EINPROGRESS) {
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
