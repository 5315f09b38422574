package hosts

import (
	"net/netip"
	"slices"
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

// metadata lists the metadata services of clouds. They are general knowledge: nobody read
// the clouds' documentation. On 2026-11-29 most were looked up in stored copies of public
// repositories, where programs send requests to them. 192.0.0.192 was found only in lists
// of addresses to refuse. 169.254.169.254, 169.254.170.2, 100.100.100.200 and the three
// that begin with fd00:ec2 or fd20 were not looked up.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // AWS, Azure, GCP, OpenStack and others
	netip.MustParseAddr("169.254.170.2"),   // AWS ECS task credentials
	netip.MustParseAddr("169.254.170.23"),  // AWS EKS pod identity
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("100.80.80.80"),    // UCloud
	netip.MustParseAddr("100.96.0.96"),     // Volcengine
	netip.MustParseAddr("168.63.129.16"),   // Azure's host agent
	netip.MustParseAddr("169.254.0.23"),    // Tencent Cloud
	netip.MustParseAddr("169.254.42.42"),   // Scaleway
	netip.MustParseAddr("169.254.169.252"), // GKE, on the node
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud Classic

	netip.MustParseAddr("fd00:42::42"),        // Scaleway over IPv6
	netip.MustParseAddr("fd00:a9fe:a9fe::1"),  // Linode over IPv6
	netip.MustParseAddr("fd00:c1::a9fe:a9fe"), // Oracle Cloud over IPv6
	netip.MustParseAddr("fd00:ec2::254"),      // AWS over IPv6
	netip.MustParseAddr("fd00:ec2::23"),       // AWS EKS pod identity over IPv6
	netip.MustParseAddr("fd20:ce::254"),       // GCP over IPv6
}

// metadataNames are names of these services, as clients and clouds use them. They
// matter where another program resolves them; otherwise the address decides.
var metadataNames = map[string]bool{
	"metadata.google.internal":     true, // GCP
	"metadata.goog":                true, // GCP
	"metadata":                     true, // GCP, with its search domain
	"instance-data":                true, // AWS, with its search domain
	"instance-data.ec2.internal":   true, // AWS
	"metadata.azure.internal":      true, // Azure
	"metadata.tencentyun.com":      true, // Tencent Cloud
	"api.metadata.cloud.ibm.com":   true, // IBM Cloud
	"metadata.platformequinix.com": true, // Equinix Metal
	"metadata.packet.net":          true, // the same, before
}

// IsMetadataName reports whether a normalised host name is that of a metadata service.
func IsMetadataName(host string) bool { return metadataNames[host] }

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

// The bytes of an IPv6 address that have an IPv4 address, after a prefix of so many
// bits (RFC 6052 section 2.2). Byte 8 is always zero.
var (
	after16 = [4]int{2, 3, 4, 5} // 6to4 only
	after48 = [4]int{6, 7, 9, 10}
	after56 = [4]int{7, 9, 10, 11}
	after64 = [4]int{9, 10, 11, 12}
	after96 = [4]int{12, 13, 14, 15}
)

// embedding lists the IPv6 ranges whose addresses contain an IPv4 address, which is
// the address that is reached, and where it can be. A network can use local NAT64
// with any prefix inside its range.
var embedding = []struct {
	netip.Prefix
	at [][4]int
}{
	{netip.MustParsePrefix("::/96"), [][4]int{after96}},                                     // IPv4-compatible, RFC 4291
	{netip.MustParsePrefix("::ffff:0:0:0/96"), [][4]int{after96}},                           // IPv4-translated, RFC 2765
	{netip.MustParsePrefix("64:ff9b::/96"), [][4]int{after96}},                              // NAT64, RFC 6052
	{netip.MustParsePrefix("64:ff9b:1::/48"), [][4]int{after48, after56, after64, after96}}, // local NAT64, RFC 8215
	{netip.MustParsePrefix("2002::/16"), [][4]int{after16}},                                 // 6to4, RFC 3056
}

// Embedded returns the IPv4 addresses that a connection to ip may lead to, because ip
// contains them. It returns nil for other addresses.
func Embedded(ip netip.Addr) []netip.Addr {
	ip = ip.WithZone("")
	if ip.Is4In6() {
		return []netip.Addr{ip.Unmap()}
	}
	for _, e := range embedding {
		if !e.Contains(ip) {
			continue
		}
		b := ip.As16()
		var all []netip.Addr
		for _, at := range e.at {
			all = append(all, netip.AddrFrom4([4]byte{b[at[0]], b[at[1]], b[at[2]], b[at[3]]}))
		}
		return all
	}
	return nil
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
	if all := Embedded(ip); all != nil {
		if slices.ContainsFunc(all, func(ip4 netip.Addr) bool { return KindOf(ip4) == Metadata }) {
			return Metadata
		}
		return Special
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
