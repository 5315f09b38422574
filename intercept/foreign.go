package intercept

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// foreignError refuses a connection on which the client does not speak HTTP/1. It is
// found with the first bytes: such a client waits for an answer to them and would send
// no end of a head.
type foreignError struct {
	fault  string // our own text, which is also logged
	answer []byte // in the client's protocol; nil answers in HTTP
}

func (e *foreignError) Error() string { return e.fault }

// foreign returns the fault if b, the first bytes on a connection, cannot become a
// request of HTTP/1, or nil.
func foreign(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	switch b[0] {
	case recordHandshake:
		return &foreignError{fault: "the client began TLS, and this port speaks plain HTTP: write the proxy's URL with http://, and to reach a service, set HTTPS_PROXY to that URL"}
	case 4: // SOCKS4: request rejected
		return &foreignError{fault: useHTTP("SOCKS4"), answer: []byte{0, 91, 0, 0, 0, 0, 0, 0}}
	case 5: // SOCKS5: no acceptable methods (RFC 1928 section 3)
		return &foreignError{fault: useHTTP("SOCKS5"), answer: []byte{5, 0xff}}
	}
	line, ended := b, false
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		line, ended = bytes.TrimSuffix(b[:i], []byte("\r")), true
	}
	method, _, found := strings.Cut(string(line), " ")
	switch {
	case strings.HasPrefix(string(line), "PROXY ") && ended, bytes.HasPrefix(b, []byte("\r\n\r\n\x00\r\nQUIT\n")):
		return &foreignError{fault: "the client began with the PROXY protocol, which this proxy does not take"}
	case ended && string(line) == "PRI * HTTP/2.0":
		return &foreignError{fault: "the client began HTTP/2 without TLS, and this port speaks HTTP/1.1"}
	case !httpguts.ValidHeaderFieldName(method) && (method != "" || found || ended): // a method is a token, as a field's name
	case ended && !versioned(line):
	default:
		return nil
	}
	return &foreignError{fault: "the client does not speak HTTP/1.1"}
}

// versioned reports whether a request line ends with a version of HTTP/1.
func versioned(line []byte) bool {
	i := bytes.LastIndexByte(line, ' ')
	major, _, ok := http.ParseHTTPVersion(string(line[i+1:]))
	return ok && major == 1
}

func useHTTP(protocol string) string {
	return "the client speaks " + protocol + ", and this is an HTTP proxy: write its URL with http://"
}

// Limits on what is read from a client after the answer to its malformed head.
const (
	lingerTime  = 500 * time.Millisecond
	lingerBytes = 64 << 10
)

// linger closes a connection after an answer to a client that may still send. If it were
// closed with bytes unread, the client could lose the answer (RFC 9112 section 9.6).
func linger(c net.Conn) {
	defer c.Close()
	if closeWrite(c) == nil {
		c.SetReadDeadline(time.Now().Add(lingerTime))
		io.CopyN(io.Discard, c, lingerBytes)
	}
}
