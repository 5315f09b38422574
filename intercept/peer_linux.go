package intercept

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// peerUID asks the kernel which user owns the client's end of a loopback connection.
// It uses sock_diag(7) and looks up the exact four-tuple: a dump filtered by ports
// would also show another user's socket on another loopback address. SO_PEERCRED
// does not work for TCP.
func peerUID(c net.Conn) (uid int, err error) {
	client, ok1 := addrPort(c.RemoteAddr())
	ours, ok2 := addrPort(c.LocalAddr())
	if !ok1 || !ok2 || client.Addr().Is4() != ours.Addr().Is4() {
		return 0, errors.New("not a TCP connection")
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return 0, fmt.Errorf("open sock_diag: %w", err)
	}
	defer unix.Close(fd)
	timeout := unix.NsecToTimeval(time.Second.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return 0, fmt.Errorf("set a timeout for sock_diag: %w", err)
	}
	if err := unix.Sendto(fd, diagRequest(client, ours), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return 0, fmt.Errorf("query sock_diag: %w", err)
	}
	answer := make([]byte, 4096)
	n, from, err := unix.Recvfrom(fd, answer, 0)
	if err != nil {
		return 0, fmt.Errorf("read the answer of sock_diag: %w", err)
	}
	if kernel, ok := from.(*unix.SockaddrNetlink); !ok || kernel.Pid != 0 {
		return 0, errors.New("answer of sock_diag is not from the kernel")
	}
	return parseDiag(answer[:n], client, ours)
}

// Sizes and offsets from linux/inet_diag.h.
const (
	diagIDSize      = 48
	diagRequestSize = 8 + diagIDSize
	diagMessageSize = 4 + diagIDSize + 5*4
	diagUIDOffset   = 4 + diagIDSize + 3*4
)

func diagID(client, ours netip.AddrPort) []byte {
	id := make([]byte, diagIDSize)
	binary.BigEndian.PutUint16(id[0:], client.Port())
	binary.BigEndian.PutUint16(id[2:], ours.Port())
	copy(id[4:20], client.Addr().AsSlice())
	copy(id[20:36], ours.Addr().AsSlice())
	return id
}

func diagRequest(client, ours netip.AddrPort) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+diagRequestSize)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	r := b[unix.SizeofNlMsghdr:]
	r[0] = unix.AF_INET6
	if client.Addr().Is4() {
		r[0] = unix.AF_INET
	}
	r[1] = unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(r[4:], 0xffffffff) // in any TCP state
	copy(r[8:], diagID(client, ours))
	for i := 8 + 40; i < 8+diagIDSize; i++ {
		r[i] = 0xff // INET_DIAG_NOCOOKIE
	}
	return b
}

func parseDiag(b []byte, client, ours netip.AddrPort) (int, error) {
	if len(b) < unix.SizeofNlMsghdr+4 {
		return 0, errors.New("truncated answer of sock_diag")
	}
	body := b[unix.SizeofNlMsghdr:]
	if binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
		return 0, fmt.Errorf("sock_diag: %w", unix.Errno(-int32(binary.NativeEndian.Uint32(body))))
	}
	if len(body) < diagMessageSize {
		return 0, errors.New("truncated answer of sock_diag")
	}
	if from, to := diagEnds(body); from != client || to != ours {
		return 0, errors.New("sock_diag answered for another connection")
	}
	return int(binary.NativeEndian.Uint32(body[diagUIDOffset:])), nil
}

// diagEnds returns the two ends of the socket that a message describes. Clients that
// use both protocols, such as Java's, have IPv6 sockets with an IPv4 address.
func diagEnds(message []byte) (client, ours netip.AddrPort) {
	id := message[4:]
	end := func(port, address []byte) netip.AddrPort {
		addr := netip.AddrFrom16([16]byte(address)).Unmap()
		if message[0] == unix.AF_INET {
			addr = netip.AddrFrom4([4]byte(address[:4]))
		}
		return netip.AddrPortFrom(addr, binary.BigEndian.Uint16(port))
	}
	return end(id[0:2], id[4:20]), end(id[2:4], id[20:36])
}

func addrPort(a net.Addr) (netip.AddrPort, bool) {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}, false
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), ap.IsValid()
}

// ownPeer reports whether the client's process runs as the proxy's own user.
func ownPeer(c net.Conn) (bool, error) {
	client, ok := addrPort(c.RemoteAddr())
	if !ok || !client.Addr().IsLoopback() {
		return false, nil
	}
	uid, err := peerUID(c)
	return err == nil && uid == os.Geteuid(), err
}
