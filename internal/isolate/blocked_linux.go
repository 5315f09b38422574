package isolate

import (
	"errors"
	"fmt"
	"net"
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
