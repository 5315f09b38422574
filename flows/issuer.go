package flows

import (
	"net/url"
	"strconv"
	"strings"
)

// SameIssuer reports whether two texts name the same authorization server. They may differ
// only in what RFC 3986 section 6.2 says is equivalent: the case of the scheme and the
// host, the default port, and an empty path in place of "/". RFC 8414 and RFC 9207 compare
// the texts as they are, but servers of Google and others name themselves in both ways.
//
// Other paths make other issuers, also if only a slash at the end differs: servers have
// one issuer for each tenant, by the path.
func SameIssuer(a, b string) bool {
	if a == b {
		return true
	}
	x, err := parseEndpoint(a)
	if err != nil {
		return false
	}
	y, err := parseEndpoint(b)
	return err == nil && origin(x) == origin(y) && identifierPath(x) == identifierPath(y) && x.RawQuery == y.RawQuery
}

// origin returns the scheme, host and port of a URL, with the default port left out.
func origin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	if defaultPort := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; u.Port() != "" || strings.HasSuffix(host, ":") {
		host = strings.TrimSuffix(strings.TrimSuffix(host, ":"), defaultPort)
	}
	return u.Scheme + "://" + host
}

// identifierPath returns the path of a URL that identifies something. A path that is only
// "/" is empty.
func identifierPath(u *url.URL) string {
	if path := u.EscapedPath(); path != "/" {
		return path
	}
	return ""
}

// quoted returns an address from a foreign document for an error, so that both sides of a
// comparison can be shown. It leaves out what cannot be an address, and a query, which can
// have a secret.
func quoted(s string) string {
	const longest = 200
	if address, _, found := strings.Cut(s, "?"); found {
		s = address + "?..."
	}
	if len(s) > longest || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "a text that is not a URL"
	}
	return strconv.Quote(s)
}
