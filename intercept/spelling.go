package intercept

import (
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// overrides are the headers and query parameters by which a request asks some servers
// for another method than its own: most frameworks read the headers, Symfony, WordPress
// and Spring _method, Firebase the header's name as a parameter, Salesforce
// _HttpMethod. A form's _method is in the body, which is not read.
var (
	overrideHeaders    = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}
	overrideParameters = append([]string{"_method", "_HttpMethod"}, overrideHeaders...)
)

// methodOverrides returns the methods that some servers use instead of the request's
// own.
func methodOverrides(r *http.Request) []string {
	var all []string
	add := func(method string) { all = append(all, strings.ToUpper(strings.TrimSpace(method))) }
	for name, values := range r.Header {
		if spells(name, overrideHeaders) {
			for _, method := range values {
				add(method)
			}
		}
	}
	if !strings.Contains(strings.ToLower(r.URL.RawQuery), "method") && !strings.Contains(r.URL.RawQuery, "%") {
		return all
	}
	for parameter := range strings.FieldsFuncSeq(r.URL.RawQuery, func(c rune) bool { return c == '&' || c == ';' }) {
		name, value, _ := strings.Cut(parameter, "=")
		if spells(strings.TrimLeft(unescaped(name), " "), overrideParameters) {
			add(unescaped(value))
		}
	}
	return all
}

// unescaped decodes a part of a query, as far as it can be decoded.
func unescaped(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// spells reports whether a server may read name as one of the names.
func spells(name string, names []string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return providers.SameField(name, n) })
}

// framing are the header fields that frame or route a message, in canonical form.
var framing = append(slices.Collect(maps.Keys(hopByHop)), "Content-Length", "Host")

// disguised reports whether a server may read a request header as one that frames or
// routes the message although this proxy does not: Content_Length, for example.
func disguised(name string) bool {
	return spells(name, framing) && !slices.Contains(framing, textproto.CanonicalMIMEHeaderKey(name))
}
