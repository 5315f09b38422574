// Package hosts answers two questions about a host: how it is spelled, and whether
// its address is public.
//
// [Normalize] is the only function in the program that normalises a host, and
// [KindOf] uses the only list of special addresses, so two checks cannot disagree.
// The package does not resolve names and does not connect. Its invariant: an
// address that it does not recognise as public is not public.
package hosts

import (
	"errors"
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// maxHostText limits the input, in bytes, because the time that IDNA takes grows
// with the square of the length. The Unicode form of a name of 253 bytes can be
// longer than the name.
const maxHostText = 512

// Normalize returns the canonical spelling of a host name or IP address: lower
// case, without a final dot, internationalised names in their ASCII form, and
// addresses as netip writes them. It is a security boundary: two spellings of the
// same host must compare equal, and input that clients interpret differently must
// be refused.
//
// It returns an error for user names, ports, percent signs, zones, and numbers that
// some resolvers accept as addresses (2130706433, 0x7f.1, 127.1). Errors do not
// contain the input.
func Normalize(s string) (string, error) {
	if len(s) > maxHostText {
		return "", errors.New("the host name is longer than 253 bytes")
	}
	if strings.Contains(s, ":") || strings.HasPrefix(s, "[") {
		return normalizeIP(s)
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.String(), nil
	}
	s = strings.TrimSuffix(s, ".")
	if s == "" {
		return "", errors.New("empty host name")
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
		return "", errors.New("an IPv6 zone is not supported")
	}
	// An IPv4 address mapped into IPv6 is treated as the IPv4 address everywhere.
	return ip.Unmap().String(), nil
}

// plainName reports whether s consists of lower-case labels that IDNA does not
// change.
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

// validPunycode reports whether s is the ASCII form that IDNA itself produces for
// the name.
func validPunycode(s string) bool {
	unicode, err := idna.Lookup.ToUnicode(s)
	if err != nil {
		return false
	}
	ascii, err := idna.Lookup.ToASCII(unicode)
	return err == nil && ascii == s
}

// checkName checks the lengths of s and its labels (RFC 1035 section 2.3.4). It
// refuses names whose last label is a number, because the URL standard and
// resolvers read those as IPv4 addresses.
func checkName(s string) (string, error) {
	if len(s) > 253 {
		return "", errors.New("the host name is longer than 253 bytes")
	}
	last := ""
	for label := range strings.SplitSeq(s, ".") {
		switch {
		case label == "":
			return "", errors.New("the host name has an empty label")
		case len(label) > 63:
			return "", errors.New("the host name has a label longer than 63 bytes")
		case label[0] == '-' || label[len(label)-1] == '-':
			return "", errors.New("the host name has a label that begins or ends with a hyphen")
		}
		last = label
	}
	if numeric(last) {
		return "", errors.New("the host name ends in a number, but is not an IP address")
	}
	return s, nil
}

func numeric(label string) bool {
	if hex, ok := strings.CutPrefix(label, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(label, "0123456789") == ""
}
