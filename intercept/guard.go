package intercept

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"

	"github.com/authsome/authsome/internal/hosts"
)

// guard decides which addresses may be connected to. It checks the address itself
// at the moment of the connect, so that no name can resolve past it.
type guard struct {
	own          []netip.AddrPort // addresses of this proxy
	allowPrivate bool
}

// blockedError is a refused address.
type blockedError struct {
	reason  string
	private bool // Proxy.AllowPrivate would allow it
}

func (e *blockedError) Error() string { return e.reason }

// newGuard allows private targets if the proxy listens on loopback: its clients
// could reach them without the proxy too.
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

// check returns an error if address must not be connected to. A named target is
// one that the operator configured: a route's host or a [ConnectTo].
func (g *guard) check(address netip.AddrPort, named bool) error {
	ip := address.Addr().Unmap().WithZone("")
	kind := hosts.KindOf(ip)
	if kind == hosts.Metadata {
		return &blockedError{reason: "the proxy never connects to cloud metadata addresses"}
	}
	for _, own := range g.own {
		if own.Port() == address.Port() && (own.Addr() == ip || own.Addr().IsUnspecified() && isLocal(ip)) {
			return &blockedError{reason: "this is the proxy's own port"}
		}
	}
	if g.allowPrivate || named {
		return nil
	}
	if kind != hosts.Public {
		return &blockedError{reason: fmt.Sprintf("%s is not a public address", ip), private: true}
	}
	return nil
}

// isLocal reports whether ip is an address of this machine. It returns true if
// the addresses of this machine are unknown, so that the target is refused.
func isLocal(ip netip.Addr) bool {
	if ip.IsLoopback() || ip.IsUnspecified() {
		return true
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.Equal(net.IP(ip.AsSlice())) {
			return true
		}
	}
	return false
}

// control is the net.Dialer.Control of every connection that the proxy opens.
func (g *guard) control(named bool) func(network, address string, _ syscall.RawConn) error {
	return func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return &blockedError{reason: "not an IP address and port"}
		}
		return g.check(ap, named)
	}
}
