package intercept

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/authsome/authsome/internal/hosts"
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

// check says whether address may be connected to. A named target is one that the
// operator wrote down: a route's host or a --connect-to.
func (g *guard) check(address netip.AddrPort, named bool) error {
	ip := address.Addr().Unmap().WithZone("")
	kind := hosts.KindOf(ip)
	if kind == hosts.Metadata {
		return &blockedError{"cloud metadata addresses are never reached through the proxy"}
	}
	for _, own := range g.own {
		if own.Port() == address.Port() && (own.Addr() == ip || own.Addr().IsUnspecified() && isLocal(ip)) {
			return &blockedError{"this is the proxy's own port"}
		}
	}
	if g.allowPrivate || named {
		return nil
	}
	if kind != hosts.Public {
		return &blockedError{fmt.Sprintf("%s is not a public address; start with --allow-private to reach it", ip)}
	}
	return nil
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
