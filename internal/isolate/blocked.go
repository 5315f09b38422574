package isolate

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// maxBlocked limits the targets that are counted one by one, and so the memory that the
// agent can use by connecting.
const maxBlocked = 64

// BlockedTarget is a target that could not be reached from inside, because nothing inside
// listens there and no connection leaves.
type BlockedTarget struct {
	Network string // "tcp" or "udp"
	Host    string // the name that DNS gave for the address, or the address
	Port    int
	N       int // how often
}

// Blocked counts the connections that were refused inside. The kernel refuses them, so
// Blocked sees only its answers, and misses some when there are too many. Not counted are:
//
//   - UDP to port 443: clients try QUIC first, and then use TCP;
//   - connections to loopback, which the agent's own programs make to each other, unless a
//     TCP server on this machine's loopback listens at that port, which the agent could
//     have meant. These have the host localhost.
//
// The methods may be called at the same time.
type Blocked struct {
	// hostListens reports whether a TCP server listens at a port of this machine's
	// loopback. If it is nil, none does.
	hostListens func(port int) bool

	mu     sync.Mutex
	counts map[BlockedTarget]int // N is 0 in the keys
	others int                   // refused connections to targets that are not in counts
}

// NewBlocked returns a Blocked that knows the servers on this machine's loopback.
func NewBlocked() *Blocked {
	return &Blocked{hostListens: new(listeningPorts).has}
}

func (b *Blocked) add(network string, to netip.AddrPort, name func(netip.Addr) (string, bool)) {
	target := BlockedTarget{Network: network, Host: to.Addr().String(), Port: int(to.Port())}
	switch {
	case network == "udp" && target.Port == 443:
		return
	case to.Addr().IsLoopback() || to.Addr().IsUnspecified():
		if network == "udp" || b.hostListens == nil || !b.hostListens(target.Port) {
			return
		}
		target.Host = "localhost"
	default:
		if host, ok := name(to.Addr()); ok {
			target.Host = host
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.counts[target]; !known && len(b.counts) == maxBlocked {
		b.others++
		return
	}
	if b.counts == nil {
		b.counts = make(map[BlockedTarget]int)
	}
	b.counts[target]++
}

// Report returns the targets, the most frequent first, and how often others were refused,
// which are more than can be listed.
func (b *Blocked) Report() (targets []BlockedTarget, others int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for target, n := range b.counts {
		target.N = n
		targets = append(targets, target)
	}
	slices.SortFunc(targets, func(a, b BlockedTarget) int {
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Host, b.Host), cmp.Compare(a.Port, b.Port), strings.Compare(a.Network, b.Network))
	})
	return targets, b.others
}

// packetSize is enough for the headers of a refusal: two of IPv4 with options, or of IPv6.
const packetSize = 256

// Numbers in the headers of packets.
const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolUDP    = 17
	protocolICMPv6 = 58

	flagsResetAck = 0x14 // of TCP

	icmpUnreachable     = 3
	icmpPortUnreachable = 3 // a code of icmpUnreachable

	icmpv6Unreachable     = 1
	icmpv6PortUnreachable = 4 // a code of icmpv6Unreachable
)

// parseRefusal returns the target of a connection that the kernel refused with a packet,
// whose IP header is not in payload.
func parseRefusal(protocol byte, source netip.Addr, payload []byte) (network string, target netip.AddrPort, ok bool) {
	switch {
	case protocol == protocolTCP && isReset(payload):
		return "tcp", netip.AddrPortFrom(source, binary.BigEndian.Uint16(payload)), true
	case isPortUnreachable(protocol, payload):
		// The refused packet follows the eight bytes of the ICMP header.
		refused, ok := parseIP(payload[8:])
		if !ok || refused.protocol != protocolUDP || len(refused.payload) < 4 {
			return "", target, false
		}
		return "udp", netip.AddrPortFrom(refused.destination, binary.BigEndian.Uint16(refused.payload[2:])), true
	}
	return "", target, false
}

// isReset reports whether a TCP segment is an answer to a SYN for which nothing listens.
// Any other reset has a sequence number of its connection.
func isReset(segment []byte) bool {
	return len(segment) >= 20 && segment[13] == flagsResetAck && binary.BigEndian.Uint32(segment[4:]) == 0
}

func isPortUnreachable(protocol byte, message []byte) bool {
	if len(message) < 8 {
		return false
	}
	switch protocol {
	case protocolICMP:
		return message[0] == icmpUnreachable && message[1] == icmpPortUnreachable
	case protocolICMPv6:
		return message[0] == icmpv6Unreachable && message[1] == icmpv6PortUnreachable
	}
	return false
}

// ipPacket is an IP packet, or the beginning of one.
type ipPacket struct {
	protocol            byte
	source, destination netip.Addr
	payload             []byte
}

// parseIP does not know the extension headers of IPv6: the kernel uses none to refuse.
func parseIP(b []byte) (p ipPacket, ok bool) {
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		header := int(b[0]&0xf) * 4
		if header < 20 || header > len(b) {
			return p, false
		}
		return ipPacket{b[9], netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[header:]}, true
	case len(b) >= 40 && b[0]>>4 == 6:
		// A mapped address is on no wire, but a client can ask for one.
		source, destination := netip.AddrFrom16([16]byte(b[8:24])).Unmap(), netip.AddrFrom16([16]byte(b[24:40])).Unmap()
		return ipPacket{b[6], source, destination, b[40:]}, true
	}
	return p, false
}
