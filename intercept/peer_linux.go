package intercept

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// peers asks the kernel which user owns the client's end of a loopback connection.
// It uses sock_diag(7) and looks up the exact four-tuple: a dump filtered by ports
// would also show another user's socket on another loopback address. SO_PEERCRED
// does not work for TCP.
//
// It keeps one socket, so that a question needs no free descriptor. It is not safe
// for concurrent use.
type peers struct {
	fd   int // valid if open
	open bool
	seq  uint32 // of the last question
}

// own reports whether c's client is a live socket of the proxy's own user.
func (p *peers) own(c net.Conn) (bool, error) {
	client, ok := addrPort(c.RemoteAddr())
	if !ok || !client.Addr().IsLoopback() {
		return false, nil
	}
	uid, live, err := p.uid(c)
	if err != nil || !live || uid != os.Geteuid() {
		return false, err
	}
	// A client can reset its connection, and its port can then belong to another
	// user's connection. As long as our end is connected, no other socket can have
	// been connected to it when the kernel was asked.
	return connected(c)
}

// uid returns the user of c's client, and whether the client still has its socket.
// The kernel reports sockets without a process, such as those in TIME_WAIT, as root's.
func (p *peers) uid(c net.Conn) (uid int, live bool, err error) {
	client, ok1 := addrPort(c.RemoteAddr())
	ours, ok2 := addrPort(c.LocalAddr())
	if !ok1 || !ok2 || client.Addr().Is4() != ours.Addr().Is4() {
		return 0, false, errors.New("not a TCP connection")
	}
	answer, err := p.ask(client, ours)
	if err != nil {
		p.close() // an answer may still be on its way
		return 0, false, err
	}
	return parseDiag(answer, client, ours)
}

// ask sends one question and returns the kernel's answer to it.
func (p *peers) ask(client, ours netip.AddrPort) ([]byte, error) {
	if !p.open {
		fd, err := openDiag()
		if err != nil {
			return nil, err
		}
		p.fd, p.open = fd, true
	}
	p.seq++
	if err := unix.Sendto(p.fd, diagRequest(client, ours, p.seq), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("query sock_diag: %w", err)
	}
	answer := make([]byte, 4096)
	n, from, err := unix.Recvfrom(p.fd, answer, 0)
	if err != nil {
		return nil, fmt.Errorf("read the answer of sock_diag: %w", err)
	}
	if kernel, ok := from.(*unix.SockaddrNetlink); !ok || kernel.Pid != 0 {
		return nil, errors.New("answer of sock_diag is not from the kernel")
	}
	if n < unix.SizeofNlMsghdr || binary.NativeEndian.Uint32(answer[8:]) != p.seq {
		return nil, errors.New("answer of sock_diag to another question")
	}
	return answer[:n], nil
}

func openDiag() (int, error) {
	if err := checkUnmapped(); err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return 0, fmt.Errorf("open sock_diag: %w", err)
	}
	timeout := unix.NsecToTimeval(time.Second.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("set a timeout for sock_diag: %w", err)
	}
	return fd, nil
}

// checkUnmapped returns an error if the kernel gives others the same user as this
// process: in a user namespace, all users without a mapping have one id.
func checkUnmapped() error {
	overflow, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil {
		return fmt.Errorf("identify users: %w", err)
	}
	if strings.TrimSpace(string(overflow)) != strconv.Itoa(os.Geteuid()) {
		return nil
	}
	users, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return fmt.Errorf("identify users: %w", err)
	}
	if strings.Join(strings.Fields(string(users)), " ") != "0 0 4294967295" {
		return fmt.Errorf("this process runs as the user %d, which is also that of all users outside of its namespace", os.Geteuid())
	}
	return nil
}

func (p *peers) close() {
	if p.open {
		unix.Close(p.fd)
		p.open = false
	}
}

// Sizes and offsets from linux/inet_diag.h.
const (
	diagIDSize      = 48
	diagRequestSize = 8 + diagIDSize
	diagMessageSize = 4 + diagIDSize + 5*4
	diagStateOffset = 1
	diagUIDOffset   = 4 + diagIDSize + 3*4
	diagInodeOffset = diagUIDOffset + 4
)

func diagID(client, ours netip.AddrPort) []byte {
	id := make([]byte, diagIDSize)
	binary.BigEndian.PutUint16(id[0:], client.Port())
	binary.BigEndian.PutUint16(id[2:], ours.Port())
	copy(id[4:20], client.Addr().AsSlice())
	copy(id[20:36], ours.Addr().AsSlice())
	return id
}

func diagRequest(client, ours netip.AddrPort, seq uint32) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+diagRequestSize)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(b[8:], seq)
	r := b[unix.SizeofNlMsghdr:]
	r[0] = unix.AF_INET6
	if client.Addr().Is4() {
		r[0] = unix.AF_INET
	}
	r[1] = unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(r[4:], 0xffffffff) // the kernel ignores it here and answers for any TCP state
	copy(r[8:], diagID(client, ours))
	for i := 8 + 40; i < 8+diagIDSize; i++ {
		r[i] = 0xff // INET_DIAG_NOCOOKIE
	}
	return b
}

// parseDiag returns the user of the socket in an answer, and whether a process has
// that socket. No socket at all is not an error: the client is gone.
func parseDiag(b []byte, client, ours netip.AddrPort) (uid int, live bool, err error) {
	if len(b) < unix.SizeofNlMsghdr+4 {
		return 0, false, errors.New("truncated answer of sock_diag")
	}
	body := b[unix.SizeofNlMsghdr:]
	if binary.NativeEndian.Uint16(b[4:]) == unix.NLMSG_ERROR {
		fault := unix.Errno(-int32(binary.NativeEndian.Uint32(body)))
		if fault == unix.ENOENT {
			return 0, false, nil
		}
		return 0, false, fmt.Errorf("sock_diag: %w", fault)
	}
	if len(body) < diagMessageSize {
		return 0, false, errors.New("truncated answer of sock_diag")
	}
	from, to := diagEnds(body)
	if from.Port() == 0 && to == ours {
		// The kernel found the client's socket, and closed it before writing the answer:
		// closing takes the port away (tcp_set_state in net/ipv4/tcp.c).
		return 0, false, nil
	}
	if from != client || to != ours {
		return 0, false, errors.New("sock_diag answered for another connection")
	}
	live = liveState(body[diagStateOffset]) && binary.NativeEndian.Uint32(body[diagInodeOffset:]) != 0
	return int(binary.NativeEndian.Uint32(body[diagUIDOffset:])), live, nil
}

// liveState reports whether a client in this TCP state can have sent a request and
// wait for its answer: it is connected, or has ended only its own stream. The state
// is not enough: the kernel also gives FIN_WAIT2 to what is left of a closed socket,
// which has no inode.
func liveState(state byte) bool {
	switch state {
	case unix.BPF_TCP_ESTABLISHED, unix.BPF_TCP_FIN_WAIT1, unix.BPF_TCP_FIN_WAIT2:
		return true
	}
	return false
}

// connected reports whether our end of a connection still has its other end.
func connected(c net.Conn) (bool, error) {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false, errors.New("not a socket")
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false, fmt.Errorf("read the state of a connection: %w", err)
	}
	var info *unix.TCPInfo
	var infoErr error
	err = raw.Control(func(fd uintptr) { info, infoErr = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if err := errors.Join(err, infoErr); err != nil {
		return false, fmt.Errorf("read the state of a connection: %w", err)
	}
	return info.State == unix.BPF_TCP_ESTABLISHED || info.State == unix.BPF_TCP_CLOSE_WAIT, nil
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
