package intercept

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// guard decides which addresses may be connected to, on the address itself at
// the moment of the connect, so that no name can resolve past it.
type guard struct {
	own          []netip.AddrPort // addresses of this proxy
	allowPrivate bool
}

// blockedError is a refused address.
type blockedError struct{ reason string }

func (e *blockedError) Error() string { return e.reason }

// newGuard allows private targets when only this machine can reach the proxy:
// whoever can use it could reach them anyway.
func newGuard(listening net.Addr, allowPrivate bool) *guard {
	g := &guard{allowPrivate: allowPrivate}
	if tcp, ok := listening.(*net.TCPAddr); ok {
		own := tcp.AddrPort()
		own = netip.AddrPortFrom(own.Addr().Unmap(), own.Port())
		g.own = append(g.own, own)
		if own.Addr().IsLoopback() {
			g.allowPrivate = true
		}
	}
	return g
}

// metadata are the addresses where clouds hand out credentials to whoever asks.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // AWS, Azure, GCP, OpenStack and others
	netip.MustParseAddr("169.254.170.2"),   // AWS ECS task credentials
	netip.MustParseAddr("169.254.170.23"),  // AWS EKS pod identity
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure's host agent
	netip.MustParseAddr("fd00:ec2::254"),   // AWS over IPv6
	netip.MustParseAddr("fd00:ec2::23"),    // AWS EKS pod identity over IPv6
	netip.MustParseAddr("fd20:ce::254"),    // GCP over IPv6
}

// notGlobal are ranges that netip's own predicates do not cover. Several of them
// carry an IPv4 address inside, which would be reached in its place.
var notGlobal = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network, RFC 1122
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),    // IETF protocol assignments, RFC 6890
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarking, RFC 2544
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, RFC 1112
	netip.MustParsePrefix("64:ff9b::/96"),    // NAT64, RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64, RFC 8215
	netip.MustParsePrefix("2001::/32"),       // Teredo, RFC 4380
	netip.MustParsePrefix("2002::/16"),       // 6to4, RFC 3056
	netip.MustParsePrefix("fec0::/10"),       // site-local, RFC 3879
	netip.MustParsePrefix("::/96"),           // IPv4-compatible, RFC 4291
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated, RFC 2765
}

// check says whether address may be connected to. A named target is one that the
// operator wrote down: a route's host or a --connect-to.
func (g *guard) check(address netip.AddrPort, named bool) error {
	ip := address.Addr().Unmap().WithZone("")
	for _, m := range metadata {
		if ip == m {
			return &blockedError{"cloud metadata addresses are never reached through the proxy"}
		}
	}
	for _, own := range g.own {
		if own.Port() == address.Port() && (own.Addr() == ip || own.Addr().IsUnspecified() && isLocal(ip)) {
			return &blockedError{"this is the proxy's own port"}
		}
	}
	if g.allowPrivate || named {
		return nil
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || contains(notGlobal, ip) {
		return &blockedError{fmt.Sprintf("%s is not a public address; start with --allow-private to reach it", ip)}
	}
	return nil
}

func contains(prefixes []netip.Prefix, ip netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// isLocal reports whether ip is an address of this machine.
func isLocal(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return true // unknown: treat it as ours, which refuses
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(net.IP(ip.AsSlice())) {
			return true
		}
	}
	return false
}

// control is the net.Dialer.Control of every connection the proxy opens.
func (g *guard) control(named bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return &blockedError{"not an IP address and port"}
		}
		return g.check(ap, named)
	}
}
