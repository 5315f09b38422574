package child

import (
	"fmt"
	"iter"
	"net"
	"net/netip"
	"slices"
	"strings"
	"unicode"
)

// Dropped is an entry of the parent's NO_PROXY that the child does not get, because
// clients would bypass the proxy for a connected provider.
type Dropped struct{ Entry string }

func (d Dropped) String() string {
	return fmt.Sprintf("NO_PROXY entry %s would bypass the proxy for a connected provider; the command does not get it", d.Entry)
}

// noProxy merges the parent's lists, without the entries that exclude an intercepted
// host from the proxy.
func (e *Environment) noProxy(inherited ...string) (entries []string, dropped []Dropped) {
	for _, list := range inherited {
		for entry := range splitNoProxy(list) {
			switch {
			case slices.Contains(entries, entry) || slices.Contains(dropped, Dropped{entry}):
			case entry == "*" || slices.ContainsFunc(e.Hosts, func(host string) bool { return covers(entry, host) }):
				dropped = append(dropped, Dropped{entry})
			default:
				entries = append(entries, entry)
			}
		}
	}
	return entries, dropped
}

// Bypasses returns the entries of a NO_PROXY list for which some client would not
// use a proxy for host.
func Bypasses(list, host string) []string {
	var found []string
	for entry := range splitNoProxy(list) {
		if covers(entry, host) {
			found = append(found, entry)
		}
	}
	return found
}

// splitNoProxy yields the entries of a list. Clients accept commas and white space.
func splitNoProxy(list string) iter.Seq[string] {
	return strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// covers reports whether some client takes entry to mean host or, for a host that
// begins with a dot, a name below it. Clients differ, and the widest interpretation
// counts: Python requests up to 2.31 matches any suffix of the name, not only at a
// label boundary; Node's fetch does so after an asterisk; Node's https supports
// ranges of addresses; curl, Go and requests support networks; some support ports.
func covers(entry, host string) bool {
	entry = strings.ToLower(entry)
	if name, _, err := net.SplitHostPort(entry); err == nil {
		entry = name
	}
	entry = strings.TrimSuffix(entry, ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return coversAddress(strings.Trim(entry, "[]"), ip)
	}
	suffix := strings.TrimLeft(entry, "*.")
	// An entry below a wildcard host covers some of its names.
	return strings.HasSuffix(host, suffix) || strings.HasPrefix(host, ".") && strings.HasSuffix("."+suffix, host)
}

func coversAddress(entry string, ip netip.Addr) bool {
	if network, err := netip.ParsePrefix(entry); err == nil {
		return network.Contains(ip)
	}
	if first, last, ok := strings.Cut(entry, "-"); ok {
		from, errFrom := netip.ParseAddr(first)
		to, errTo := netip.ParseAddr(last)
		return errFrom == nil && errTo == nil && from.Compare(ip) <= 0 && ip.Compare(to) <= 0
	}
	if same, err := netip.ParseAddr(entry); err == nil {
		return same == ip
	}
	return strings.HasSuffix(ip.String(), strings.TrimLeft(entry, "*."))
}
