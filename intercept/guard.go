package intercept

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"

	"github.com/authsome/authsome/internal/hosts"
)

// guard decides which addresses may be connected to. It checks the address itself
// at the moment of the connect, so that no name can resolve past it.
type guard struct {
	own          []netip.AddrPort // where this process listens
	allowPrivate bool
	fenced       bool // clients reach no address of this machine; see Fence
}

// blockedError is a refused address.
type blockedError struct {
	reason  string
	private bool // Proxy.AllowPrivate would allow it
	fenced  bool // a Fence keeps clients from it
}

func (e *blockedError) Error() string { return e.reason }

var (
	errMetadata = &blockedError{reason: "the proxy never connects to cloud metadata addresses"}
	errOwnPort  = &blockedError{reason: "this is the proxy's own port"}
	errLocal    = &blockedError{reason: "this is an address of the proxy's own machine", fenced: true}
)

// newGuard allows private targets if the proxy listens on loopback: its clients
// could reach them without the proxy too. The process listens on others as well.
func newGuard(listening net.Addr, others []net.Addr, allowPrivate bool) *guard {
	g := &guard{allowPrivate: allowPrivate}
	for _, a := range append([]net.Addr{listening}, others...) {
		if own, ok := addrPort(a); ok {
			g.own = append(g.own, netip.AddrPortFrom(own.Addr().WithZone(""), own.Port()))
		}
	}
	if at, ok := addrPort(listening); ok && at.Addr().IsLoopback() {
		g.allowPrivate = true
	}
	return g
}

// check returns an error if address must not be connected to. A named target is
// one that the operator configured: a route's host, a [ConnectTo], or what a [Fence]
// allows.
func (g *guard) check(address netip.AddrPort, named bool) error {
	ip := address.Addr().Unmap().WithZone("")
	kind := hosts.KindOf(ip)
	if kind == hosts.Metadata {
		return errMetadata
	}
	all := append(hosts.Embedded(ip), ip)
	for _, reached := range all {
		if g.isOwn(netip.AddrPortFrom(reached, address.Port())) {
			return errOwnPort
		}
	}
	if !named && g.fenced && slices.ContainsFunc(all, isLocal) {
		return errLocal
	}
	if g.allowPrivate || named {
		return nil
	}
	if kind != hosts.Public {
		return &blockedError{reason: fmt.Sprintf("%s is not a public address", ip), private: true}
	}
	return nil
}

// isOwn reports whether a connection to address would reach this process.
func (g *guard) isOwn(address netip.AddrPort) bool {
	for _, own := range g.own {
		if own.Port() != address.Port() {
			continue
		}
		switch ip := address.Addr(); {
		case own.Addr() == ip:
			return true
		case own.Addr().IsUnspecified() && isLocal(ip):
			return true
		case own.Addr().IsLoopback() && ip.IsUnspecified(): // which the kernel connects to loopback
			return true
		}
	}
	return false
}

// checkConnected returns an error if c reaches this process, or with a [Fence] this
// machine, unless the target is named. Only here are addresses known that the system
// routes to this machine without having them: such a connection has the same address at
// both ends.
func (g *guard) checkConnected(c net.Conn, named bool) error {
	local, ok1 := addrPort(c.LocalAddr())
	remote, ok2 := addrPort(c.RemoteAddr())
	if !ok1 || !ok2 || local.Addr() != remote.Addr() {
		return nil
	}
	for _, own := range g.own {
		if own.Port() == remote.Port() && own.Addr().IsUnspecified() {
			return errOwnPort
		}
	}
	if g.fenced && !named {
		return errLocal
	}
	return nil
}

// checkRemote returns an error if another proxy must not be asked for t. That proxy
// resolves names itself and can be on this machine, so a name that it resolves to an
// address of this machine is not noticed.
func (g *guard) checkRemote(t Target, named bool) error {
	if hosts.IsMetadataName(t.Host) {
		return errMetadata
	}
	if ip, err := netip.ParseAddr(t.Host); err == nil {
		return g.check(netip.AddrPortFrom(ip, uint16(t.Port)), named)
	}
	for _, own := range g.own {
		if int(own.Port()) == t.Port && hosts.MayBeLoopback(t.Host) {
			return errOwnPort
		}
	}
	if g.fenced && !named && hosts.MayBeLoopback(t.Host) {
		return errLocal
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
