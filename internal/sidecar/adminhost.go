package sidecar

import (
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
)

// checkHost answers 421 to requests for a host that only a name server on the
// internet can have led here: a page in a browser can make its own name resolve to
// this machine and then read what the port serves (DNS rebinding). Its name has a dot
// and is not an address. Names without a dot are those of machines and containers in
// the same network. The others must be among names.
func checkHost(next http.Handler, names []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !knownHost(r.Host, names) {
			writeText(w, http.StatusMisdirectedRequest, "this port does not serve that host")
			return
		}
		next.ServeHTTP(w, r)
	})
}

func knownHost(host string, names []string) bool {
	if host == "" {
		return true // HTTP/1.0, which browsers do not speak
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host, err := hosts.Normalize(host)
	if err != nil {
		return false
	}
	_, isAddress := hosts.KindOfHost(host)
	return isAddress || !strings.Contains(host, ".") || slices.ContainsFunc(names, func(name string) bool {
		known, err := hosts.Normalize(name)
		return err == nil && known == host
	})
}
