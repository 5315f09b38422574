package intercept

import (
	"io"
	"net/http"
)

// SelfHost is the name under which the proxy itself answers https requests. A client
// that gets the answer uses the proxy and, if it opens a tunnel, trusts its authority;
// nothing is sent upstream for it. Names under .invalid never resolve (RFC 6761 section 6.4).
const SelfHost = "proxy.authsome.invalid"

// SelfAnswer is the body of every answer from [SelfHost].
const SelfAnswer = "authsome proxy\n"

// isSelf reports whether a connection is to the proxy itself.
func (t Target) isSelf() bool { return t.Host == SelfHost && t.Port == 443 }

func serveSelf(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	io.WriteString(w, SelfAnswer)
}
