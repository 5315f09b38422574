package isolate

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/authsome/authsome/internal/hosts"
)

// maxNames limits the memory that the agent can use by looking names up.
const maxNames = 1 << 16

// firstAddress is the first address that is given to a name. The range is 198.18.0.0/15,
// which is for benchmarks (RFC 2544): no service on the internet has an address in it.
const firstAddress = 198<<24 | 18<<16 | 1

// Names is the DNS server of an isolated run. It answers every query itself, so no query
// leaves the machine, and it gives every host name an address that identifies the name
// when the agent connects to it. A name keeps its address as long as the Names exists.
//
// The zero value is ready to use. The methods may be called at the same time.
type Names struct {
	// Proxy is the one name under .invalid that exists: the name of the proxy itself.
	Proxy string

	mu       sync.Mutex
	assigned []string       // the name of firstAddress, of the next one, and so on
	index    map[string]int // of a name in assigned
}

// Address returns the address of a host name. A name gets one when it is first asked for.
// The address of localhost, and of names under it, is 127.0.0.1. It returns false for a
// text that is not a host name, for an IP address, for names under .invalid, and for new
// names when all addresses are used.
func (n *Names) Address(name string) (netip.Addr, bool) {
	host, isAddress, ok := n.normalize(name)
	switch {
	case !ok || isAddress:
		return netip.Addr{}, false
	case isLocalhost(host):
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), true
	}
	return n.assign(host)
}

// Name returns the name that has an address.
func (n *Names) Name(a netip.Addr) (string, bool) {
	a = a.Unmap()
	if !a.Is4() {
		return "", false
	}
	b := a.As4()
	i := int64(binary.BigEndian.Uint32(b[:])) - firstAddress
	n.mu.Lock()
	defer n.mu.Unlock()
	if i < 0 || i >= int64(len(n.assigned)) {
		return "", false
	}
	return n.assigned[i], true
}

func (n *Names) assign(host string) (netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	i, ok := n.index[host]
	if !ok {
		if len(n.assigned) == maxNames {
			return netip.Addr{}, false
		}
		if n.index == nil {
			n.index = make(map[string]int)
		}
		i = len(n.assigned)
		n.index[host] = i
		n.assigned = append(n.assigned, host)
	}
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(firstAddress+i))
	return netip.AddrFrom4(b), true
}

// normalize returns the normal form of a name, whether it is an IP address, and whether it
// exists: as an IP address, or as a valid host name that may have an address.
func (n *Names) normalize(name string) (host string, isAddress, exists bool) {
	host, err := hosts.Normalize(strings.TrimSuffix(name, "."))
	if err != nil || (host == "invalid" || strings.HasSuffix(host, ".invalid")) && host != n.Proxy {
		return "", false, false
	}
	_, isAddress = hosts.KindOfHost(host)
	return host, isAddress, true
}

// isLocalhost reports whether a name is always this machine (RFC 6761 section 6.3).
func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// hinfo is the record type that answers a query for all types (RFC 8482 section 4.2).
// What it says has no meaning, but shows that the name exists.
var hinfo = dnsmessage.UnknownResource{Type: dnsmessage.TypeHINFO, Data: []byte("\x07RFC8482\x00")}

// resolve answers a question with one record or none. A name that exists has no records
// but its address: without HTTPS records no client encrypts the name in its ClientHello or
// uses HTTP/3, and without AAAA records all use IPv4. Whether a name exists is the same for
// all types, as RFC 8020 requires.
func (n *Names) resolve(q dnsmessage.Question) (dnsmessage.ResourceBody, dnsmessage.RCode) {
	if q.Class != dnsmessage.ClassINET && q.Class != dnsmessage.ClassANY {
		return nil, dnsmessage.RCodeRefused
	}
	name := strings.TrimSuffix(q.Name.String(), ".")
	if name == "" { // the root, of which every name is a part
		return nil, dnsmessage.RCodeSuccess
	}
	if lower := strings.ToLower(name); strings.HasSuffix(lower, ".in-addr.arpa") || strings.HasSuffix(lower, ".ip6.arpa") {
		return n.resolveReverse(q.Type, lower)
	}
	host, isAddress, exists := n.normalize(name)
	switch {
	case !exists:
		return nil, dnsmessage.RCodeNameError
	case isAddress:
		return nil, dnsmessage.RCodeSuccess
	case q.Type == dnsmessage.TypeALL:
		return &hinfo, dnsmessage.RCodeSuccess
	case q.Type == dnsmessage.TypeAAAA && isLocalhost(host):
		return &dnsmessage.AAAAResource{AAAA: netip.IPv6Loopback().As16()}, dnsmessage.RCodeSuccess
	case q.Type != dnsmessage.TypeA:
		return nil, dnsmessage.RCodeSuccess
	}
	a, ok := n.Address(host)
	if !ok {
		return nil, dnsmessage.RCodeServerFailure
	}
	return &dnsmessage.AResource{A: a.As4()}, dnsmessage.RCodeSuccess
}

// resolveReverse answers a question about a name under in-addr.arpa or ip6.arpa. Only the
// addresses of names have such a name.
func (n *Names) resolveReverse(t dnsmessage.Type, reverse string) (dnsmessage.ResourceBody, dnsmessage.RCode) {
	host, ok := "", false
	if labels := strings.Split(reverse, "."); len(labels) == 6 { // of which two are in-addr.arpa
		a, err := netip.ParseAddr(strings.Join([]string{labels[3], labels[2], labels[1], labels[0]}, "."))
		if err == nil {
			host, ok = n.Name(a)
		}
	}
	target, err := dnsmessage.NewName(host + ".")
	switch {
	case !ok || err != nil:
		return nil, dnsmessage.RCodeNameError
	case t == dnsmessage.TypePTR || t == dnsmessage.TypeALL:
		return &dnsmessage.PTRResource{PTR: target}, dnsmessage.RCodeSuccess
	}
	return nil, dnsmessage.RCodeSuccess
}
