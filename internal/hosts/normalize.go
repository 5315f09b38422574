// Package hosts has the two questions that every guard asks about a host: what is
// its one spelling, and may its address be reached.
//
// [Normalize] is the only function that normalises a host, and the table behind
// [KindOf] is the only table of special addresses, so that two guards cannot
// disagree. The package resolves no name and dials nothing. Its invariant: what it
// cannot place counts as not public.
package hosts

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// maxHostText bounds what is looked at: IDNA takes time that grows with the
// square of the text. A name of 253 bytes can be longer in its Unicode form.
const maxHostText = 512

// Normalize gives the one spelling of a host name or IP address: lower case,
// without a final dot, internationalised names in their ASCII form, addresses as
// netip writes them. It is a security boundary: two spellings of one host must
// compare equal, and what clients read as different things must be refused.
//
// User names, ports, percent signs, zones, and numbers that some resolvers take
// for addresses (2130706433, 0x7f.1, 127.1) are errors. Errors do not repeat the
// input.
func Normalize(s string) (string, error) {
	if len(s) > maxHostText {
		return "", errors.New("host name longer than 253 bytes")
	}
	if strings.Contains(s, ":") || strings.HasPrefix(s, "[") {
		return normalizeIP(s)
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String(), nil
	}
	s = strings.TrimSuffix(s, ".")
	if s == "" {
		return "", errors.New("no host")
	}
	if plainName(s) {
		return checkName(s)
	}
	ascii, err := idna.Lookup.ToASCII(s)
	if err != nil {
		return "", errors.New("not a host name")
	}
	ascii = strings.TrimSuffix(ascii, ".")
	if !plainName(ascii) {
		return "", errors.New("not a host name")
	}
	return checkName(ascii)
}

func normalizeIP(s string) (string, error) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if s, ok = strings.CutSuffix(inner, "]"); !ok {
			return "", errors.New("unbalanced brackets")
		}
	}
	ip, err := netip.ParseAddr(s)
	switch {
	case err != nil:
		return "", errors.New("not an IP address")
	case ip.Zone() != "":
		return "", errors.New("zones are not accepted")
	}
	// A mapped address is the IPv4 address, for every rule and every dial.
	return ip.Unmap().String(), nil
}

// plainName reports whether s is lower-case labels that IDNA leaves alone.
func plainName(s string) bool {
	if strings.Contains(s, "xn--") {
		return validPunycode(s)
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}

// validPunycode holds an ASCII form to being the one that IDNA would produce.
func validPunycode(s string) bool {
	unicode, err := idna.Lookup.ToUnicode(s)
	if err != nil {
		return false
	}
	ascii, err := idna.Lookup.ToASCII(unicode)
	return err == nil && ascii == s
}

// checkName bounds the labels (RFC 1035 section 2.3.4) and refuses names whose
// last label is a number: the URL standard and resolvers read those as IPv4.
func checkName(s string) (string, error) {
	if len(s) > 253 {
		return "", errors.New("host name longer than 253 bytes")
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		switch {
		case label == "":
			return "", errors.New("empty label in the host name")
		case len(label) > 63:
			return "", errors.New("label longer than 63 bytes in the host name")
		case label[0] == '-' || label[len(label)-1] == '-':
			return "", errors.New("label with a hyphen at its end in the host name")
		}
		last = label
	}
	if numeric(last) {
		return "", fmt.Errorf("host name that ends in a number")
	}
	return s, nil
}

func numeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}
