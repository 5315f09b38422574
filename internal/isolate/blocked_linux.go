package isolate

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// packetSocket returns a socket that receives the packets with which the kernel of this
// network namespace refuses connections: its file is for [Blocked.Watch]. It needs
// CAP_NET_RAW.
func packetSocket() (fd int, err error) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		return -1, fmt.Errorf("watch for blocked connections: %w", err)
	}
	// Without a protocol it receives nothing before it has the filter.
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("watch for blocked connections: %w", err)
	}
	// The filter drops outgoing packets too, but the kernel copies each of them for it.
	// Before Linux 4.20 it cannot do without.
	unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	if err = attach(fd, refusals); err == nil {
		err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: lo.Index})
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("watch for blocked connections: %w", err)
	}
	return fd, nil
}

// readPending reads a packet that has arrived, also after the deadline of f. It does not
// wait.
func readPending(f *os.File, packet []byte) (n int, err error) {
	c, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	if failed := c.Control(func(fd uintptr) { n, err = unix.Read(int(fd), packet) }); failed != nil {
		return 0, failed
	}
	return n, err
}

// networkOrder returns the number whose bytes in memory are those of v in network order.
func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

// refusals is a filter that passes the packets that [parseRefusal] understands. All traffic
// inside, also that of the proxy, goes through it. The loopback shows each packet twice, as
// outgoing and as incoming.
var refusals = []bpf.Instruction{
	bpf.LoadExtension{Num: bpf.ExtType},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 18}, // to drop

	// X = the length of the IP header, A = the protocol.
	bpf.LoadAbsolute{Off: 0, Size: 1},
	bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: 3}, // to IPv6
	bpf.LoadMemShift{Off: 0},
	bpf.LoadAbsolute{Off: 9, Size: 1},
	bpf.Jump{Skip: 2},
	bpf.LoadConstant{Dst: bpf.RegX, Val: 40}, // IPv6
	bpf.LoadAbsolute{Off: 6, Size: 1},

	// TCP: RST and ACK, and sequence number 0.
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolTCP, SkipTrue: 4}, // to ICMP
	bpf.LoadIndirect{Off: 13, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: flagsResetAck, SkipTrue: 7}, // to drop
	bpf.LoadIndirect{Off: 4, Size: 4},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 6, SkipFalse: 5}, // to pass, or drop

	// ICMP or ICMPv6: type and code.
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolICMP, SkipTrue: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protocolICMPv6, SkipTrue: 3}, // to drop
	bpf.LoadIndirect{Off: 0, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: icmpUnreachable<<8 | icmpPortUnreachable, SkipTrue: 2},     // to pass
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: icmpv6Unreachable<<8 | icmpv6PortUnreachable, SkipTrue: 1}, // to pass

	bpf.RetConstant{Val: 0},          // drop
	bpf.RetConstant{Val: packetSize}, // pass
}

func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}
