package intercept

import (
	"io"
	"net/http"
	"strings"
)

// SelfHost is the name under which the proxy itself answers requests: over https, and
// over plain http to clients on this machine. A client that gets the answer uses the
// proxy and, if it opens a tunnel, trusts its authority; nothing is sent upstream for
// it. Names under .invalid never resolve (RFC 6761 section 6.4).
const SelfHost = "proxy.authsome.invalid"

// SelfAnswer is the body of every answer from [SelfHost], except below [SelfPath].
const SelfAnswer = "authsome proxy\n"

// SelfPath begins the paths of [SelfHost] that [Proxy.Self] answers.
const SelfPath = "/v1/"

// isSelf reports whether a connection is to the proxy itself.
func (t Target) isSelf() bool { return t.Host == SelfHost && t.Port == 443 }

// isPlainSelf reports whether a plain http request is to the proxy itself.
func (t Target) isPlainSelf() bool { return t.Host == SelfHost && t.Port == 80 }

// serveSelf answers a request to the proxy itself.
func (c *call) serveSelf() {
	w := &statusWriter{ResponseWriter: c.w, status: http.StatusOK}
	// Also if the handler panics.
	defer func() { c.exchange.Status = w.status }()
	if c.proxy.Self != nil && strings.HasPrefix(c.r.URL.Path, SelfPath) {
		c.proxy.Self.ServeHTTP(w, c.r)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, SelfAnswer)
}

// statusWriter remembers the status of a response.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
