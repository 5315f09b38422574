package hosts

import (
	"net/netip"
	"strings"
)

// Kind says what an IP address is for.
type Kind int

const (
	// Special addresses belong to one machine or network, or are reserved: private,
	// link-local, shared, multicast, documentation. Special is the zero value.
	Special Kind = iota
	// Public addresses are reachable on the internet.
	Public
	// Loopback addresses reach this machine.
	Loopback
	// Metadata addresses are services of clouds that give credentials to any process.
	Metadata
)

// metadata lists the metadata services of clouds, as their documentation has them.
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

// special lists the ranges of the IANA special-purpose address registries that the
// methods of [netip.Addr] do not cover.
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),       // this network, RFC 1122
	netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT, RFC 6598
	netip.MustParsePrefix("192.0.0.0/24"),    // IETF protocol assignments, RFC 6890
	netip.MustParsePrefix("192.0.2.0/24"),    // documentation, RFC 5737
	netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, RFC 7526
	netip.MustParsePrefix("198.18.0.0/15"),   // benchmarking, RFC 2544
	netip.MustParsePrefix("198.51.100.0/24"), // documentation, RFC 5737
	netip.MustParsePrefix("203.0.113.0/24"),  // documentation, RFC 5737
	netip.MustParsePrefix("240.0.0.0/4"),     // reserved, RFC 1112
	netip.MustParsePrefix("64:ff9b:1::/48"),  // local NAT64, RFC 8215
	netip.MustParsePrefix("100::/64"),        // discard only, RFC 6666
	netip.MustParsePrefix("2001::/23"),       // IETF protocol assignments, RFC 2928
	netip.MustParsePrefix("2001:db8::/32"),   // documentation, RFC 3849
	netip.MustParsePrefix("3fff::/20"),       // documentation, RFC 9637
	netip.MustParsePrefix("5f00::/16"),       // segment routing, RFC 9602
	netip.MustParsePrefix("fec0::/10"),       // site-local, RFC 3879
}

// embedding lists the IPv6 ranges whose addresses contain an IPv4 address, which is
// the address that is reached, and the byte at which it begins.
var embedding = []struct {
	netip.Prefix
	at int
}{
	{netip.MustParsePrefix("::/96"), 12},           // IPv4-compatible, RFC 4291
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12}, // IPv4-translated, RFC 2765
	{netip.MustParsePrefix("64:ff9b::/96"), 12},    // NAT64, RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},  // local NAT64, RFC 8215, where it is used as a /96
	{netip.MustParsePrefix("2002::/16"), 2},        // 6to4, RFC 3056
}

// KindOf returns the kind of ip. An IPv4 address mapped into IPv6 (::ffff:a.b.c.d)
// counts as the IPv4 address. Another IPv6 address that contains an IPv4 address is
// [Metadata] if that address is, and [Special] otherwise, because a gateway run by
// someone else decides where it leads.
func KindOf(ip netip.Addr) Kind {
	ip = ip.Unmap().WithZone("")
	for _, m := range metadata {
		if ip == m {
			return Metadata
		}
	}
	if ip.IsLoopback() {
		return Loopback
	}
	for _, e := range embedding {
		if e.Contains(ip) {
			b := ip.As16()
			if KindOf(netip.AddrFrom4([4]byte(b[e.at:e.at+4]))) == Metadata {
				return Metadata
			}
			return Special
		}
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return Special
	}
	for _, p := range special {
		if p.Contains(ip) {
			return Special
		}
	}
	return Public
}

// KindOfHost returns the kind of a host that is an IP address. For a host name it
// returns false.
func KindOfHost(host string) (kind Kind, isAddress bool) {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return Special, false
	}
	return KindOf(ip), true
}

// IsLoopback reports whether host is localhost or a loopback address. Other names
// under .localhost (RFC 6761) do not count: a DNS server may answer for them. Use
// [MayBeLoopback] to refuse a host.
func IsLoopback(host string) bool {
	host, err := Normalize(host)
	if err != nil {
		return false
	}
	kind, isAddress := KindOfHost(host)
	return host == "localhost" || isAddress && kind == Loopback
}

// MayBeLoopback reports whether a connection to host could end at this machine:
// in addition to [IsLoopback], names under .localhost, which most resolvers answer
// with a loopback address (RFC 6761 section 6.3), and the unspecified addresses,
// which the kernel connects to loopback.
func MayBeLoopback(host string) bool {
	if IsLoopback(host) {
		return true
	}
	host, err := Normalize(host)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return strings.HasSuffix(host, ".localhost") || err == nil && ip.IsUnspecified()
}
