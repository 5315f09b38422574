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

// Dropped is an inherited entry of NO_PROXY that would have hidden a route.
type Dropped struct{ Entry string }

func (d Dropped) String() string {
	return fmt.Sprintf("NO_PROXY entry %s would bypass the proxy for a connected provider; left out for the child", d.Entry)
}

// noProxy merges the inherited lists, without the entries that hide a route.
func (e *Environment) noProxy(inherited ...string) (entries []string, dropped []Dropped) {
	for _, list := range inherited {
		for entry := range entriesOf(list) {
			switch {
			case slices.Contains(entries, entry) || slices.Contains(dropped, Dropped{entry}):
			case entry == "*" || slices.ContainsFunc(e.Hosts, func(host string) bool { return hides(entry, host) }):
				dropped = append(dropped, Dropped{entry})
			default:
				entries = append(entries, entry)
			}
		}
	}
	return entries, dropped
}

// Bypasses lists the entries of a NO_PROXY list that some client takes to cover
// host, for which it then goes past any proxy.
func Bypasses(list, host string) []string {
	var found []string
	for entry := range entriesOf(list) {
		if hides(entry, host) {
			found = append(found, entry)
		}
	}
	return found
}

func entriesOf(list string) iter.Seq[string] {
	return strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// hides reports whether some client would take entry to cover host, or one of
// the names under a host that begins with a dot. Clients differ, and the widest
// reading counts: Python requests to 2.31 takes any entry for a suffix of the
// name, on no label boundary; Node's fetch does so after an asterisk, and its
// https knows ranges of addresses; curl, Go and requests know networks; some
// read ports.
func hides(entry, host string) bool {
	entry = strings.ToLower(entry)
	if name, _, err := net.SplitHostPort(entry); err == nil {
		entry = name
	}
	entry = strings.TrimSuffix(entry, ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		return hidesAddress(strings.Trim(entry, "[]"), ip)
	}
	suffix := strings.TrimLeft(entry, "*.")
	// An entry below a wildcard route hides some of its hosts.
	return strings.HasSuffix(host, suffix) || strings.HasPrefix(host, ".") && strings.HasSuffix("."+suffix, host)
}

func hidesAddress(entry string, ip netip.Addr) bool {
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
