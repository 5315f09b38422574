package isolate

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// refusalProtocols are what the kernel refuses connections with, and the networks and
// addresses of raw sockets that receive it. A packet socket would do for all of them, but
// closing one takes the kernel some milliseconds.
var refusalProtocols = [...]struct {
	protocol         byte
	network, address string
}{
	{protocolTCP, "ip4:6", "0.0.0.0"},
	{protocolICMP, "ip4:1", "0.0.0.0"},
	{protocolTCP, "ip6:6", "::"},
	{protocolICMPv6, "ip6:58", "::"},
}

// refusalSockets returns a socket for each of refusalProtocols that receives the refusals of
// this network namespace. They need CAP_NET_RAW. Those for IPv6 are left out if the kernel
// does not have it.
func refusalSockets() (files []*os.File, err error) {
	for _, p := range refusalProtocols {
		c, err := net.ListenPacket(p.network, p.address)
		if errors.Is(err, unix.EAFNOSUPPORT) && p.address == "::" {
			break
		}
		if err != nil {
			return files, fmt.Errorf("watch for blocked connections: %w", err)
		}
		defer c.Close()
		ip := c.(*net.IPConn)
		if err := attach(ip, refusalFilter(p.protocol, p.address == "::")); err != nil {
			return files, fmt.Errorf("watch for blocked connections: %w", err)
		}
		f, err := ip.File()
		if err != nil {
			return files, fmt.Errorf("watch for blocked connections: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

// refusalFilter passes the packets that [parseRefusal] understands. All traffic inside, also
// that of the proxy, goes through it. A packet of IPv4 begins with its IP header, one of
// IPv6 does not.
func refusalFilter(protocol byte, v6 bool) []bpf.Instruction {
	var header bpf.Instruction = bpf.LoadMemShift{Off: 0} // X = its length
	if v6 {
		header = bpf.LoadConstant{Dst: bpf.RegX, Val: 0}
	}
	if protocol == protocolTCP { // RST and ACK, and sequence number 0
		return []bpf.Instruction{
			header,
			bpf.LoadIndirect{Off: 13, Size: 1},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: flagsResetAck, SkipTrue: 3},
			bpf.LoadIndirect{Off: 4, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1},
			bpf.RetConstant{Val: packetSize},
			bpf.RetConstant{Val: 0},
		}
	}
	unreachable := uint32(icmpUnreachable<<8 | icmpPortUnreachable)
	if protocol == protocolICMPv6 {
		unreachable = icmpv6Unreachable<<8 | icmpv6PortUnreachable
	}
	return []bpf.Instruction{
		header,
		bpf.LoadIndirect{Off: 0, Size: 2}, // type and code
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unreachable, SkipTrue: 1},
		bpf.RetConstant{Val: packetSize},
		bpf.RetConstant{Val: 0},
	}
}

func attach(c syscall.Conn, program []bpf.Instruction) error {
	assembled, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(assembled))
	for i, r := range assembled {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
	})
	return errors.Join(err, failed)
}

// Refusals is a raw socket of the network inside that receives the packets of a protocol
// with which the kernel refuses connections.
type Refusals struct {
	*net.IPConn
	protocol byte
}

// Watch counts what arrives at a socket, until it is closed, or its deadline for reading
// passes. After a deadline, it still counts what has arrived. Then it returns nil. The host
// of a target is the name of its address, if name has one.
func (b *Blocked) Watch(r *Refusals, name func(netip.Addr) (string, bool)) error {
	packet := make([]byte, packetSize)
	for {
		n, from, err := r.ReadFromIP(packet)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			b.countPending(r, name)
			return nil
		case err != nil:
			return fmt.Errorf("watch for blocked connections: %w", err)
		}
		source, _ := netip.AddrFromSlice(from.IP)
		b.count(r.protocol, source, packet[:n], name)
	}
}

func (b *Blocked) count(protocol byte, source netip.Addr, payload []byte, name func(netip.Addr) (string, bool)) {
	if network, target, ok := parseRefusal(protocol, source.Unmap(), payload); ok {
		b.add(network, target, name)
	}
}

// maxPending is more than a socket of the usual size holds. Programs that outlive the
// command could send without limit.
const maxPending = 4096

// countPending counts what has arrived, and does not wait.
func (b *Blocked) countPending(r *Refusals, name func(netip.Addr) (string, bool)) {
	raw, err := r.SyscallConn()
	if err != nil {
		return
	}
	packet := make([]byte, packetSize)
	raw.Control(func(fd uintptr) {
		for range maxPending {
			n, from, err := unix.Recvfrom(int(fd), packet, unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			if v6, ok := from.(*unix.SockaddrInet6); ok {
				b.count(r.protocol, netip.AddrFrom16(v6.Addr), packet[:n], name)
			} else if p, ok := parseIP(packet[:n]); ok { // a packet of IPv4 has its header here
				b.count(p.protocol, p.source, p.payload, name)
			}
		}
	})
}
