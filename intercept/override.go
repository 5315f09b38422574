package intercept

import (
	"net/http"
	"net/url"
	"strings"
)

// pathHeaders are fields whose value some servers and frameworks use instead of the
// request's path: IIS URL Rewrite, and with it older versions of Symfony and Zend, and
// some gateways.
var pathHeaders = []string{"x-original-url", "x-rewrite-url", "x-original-uri", "x-override-url", "x-forwarded-uri", "x-forwarded-path", "x-http-path-override"}

// pathOverrides returns the escaped paths in such fields. A value that has no path is
// returned as it is, so that it is refused where paths matter.
func pathOverrides(h http.Header) []string {
	var all []string
	for name, values := range h {
		if len(name) < len("x-") || name[0]|0x20 != 'x' || !spells(name, pathHeaders) {
			continue
		}
		for _, v := range values {
			path := strings.TrimSpace(v)
			if u, err := url.Parse(path); err == nil && u.Path != "" {
				path = u.EscapedPath()
			}
			all = append(all, path)
		}
	}
	return all
}
