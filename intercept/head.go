package intercept

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// headError refuses a request head that no proxy should act on. The client gets its
// text, which names the fault and repeats nothing that was sent.
type headError struct{ fault string }

func (e *headError) Error() string { return e.fault }

var (
	errHeadTooLarge = errors.New("request head larger than 16 KiB")
	errHeadTimeout  = errors.New("request head not complete within 10 seconds")
)

// head is a parsed request head and the bytes that came after it.
type head struct {
	raw     []byte // up to and including the blank line
	rest    []byte
	request *http.Request
}

// readHead reads up to the blank line that ends a request head, starting with
// the bytes in early. It waits up to idle for the first byte, and up to headTimeout
// for the rest.
func readHead(c net.Conn, early []byte, idle time.Duration) (head, error) {
	buf := append(make([]byte, 0, 1024), early...)
	if len(buf) == 0 {
		c.SetReadDeadline(time.Now().Add(idle))
	} else {
		c.SetReadDeadline(time.Now().Add(headTimeout))
	}
	checked, begun := 0, false // begun: the request line is complete
	for {
		if !begun {
			if err := foreign(buf); err != nil {
				return head{}, err
			}
			begun = bytes.IndexByte(buf, '\n') >= 0
		}
		if i := bytes.Index(buf, []byte("\r\n\r\n")); i >= 0 && i+4 <= maxHeadBytes {
			c.SetReadDeadline(time.Time{})
			return parseHead(buf[:i+4], buf[i+4:])
		}
		if err := ambiguous(buf, checked); err != nil {
			return head{}, err
		}
		checked = max(0, len(buf)-1)
		if len(buf) >= maxHeadBytes {
			return head{}, errHeadTooLarge
		}
		first := len(buf) == 0
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := c.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if n > 0 && first {
			c.SetReadDeadline(time.Now().Add(headTimeout))
		}
		if err != nil {
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && len(buf) > 0 {
				return head{}, errHeadTimeout
			}
			if err == io.EOF && len(buf) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return head{}, err
		}
	}
}

// ambiguous returns an error for what parsers are known to read differently: bare line
// feeds, NUL, folded lines. It checks the bytes of a head, or of its beginning, from the
// given one on.
func ambiguous(raw []byte, from int) error {
	for i, b := range raw[from:] {
		i += from
		next := byte(0)
		more := i+1 < len(raw)
		if more {
			next = raw[i+1]
		}
		switch {
		case b == '\n' && (i == 0 || raw[i-1] != '\r'):
			return &headError{"bare line feed in the request head"}
		case b == '\r' && more && next != '\n':
			return &headError{"bare carriage return in the request head"}
		case b == 0:
			return &headError{"NUL in the request head"}
		case b == '\n' && (next == ' ' || next == '\t'):
			return &headError{"folded header line in the request head"}
		}
	}
	return nil
}

// parseHead refuses what is ambiguous and leaves the rest to net/http.
func parseHead(raw, rest []byte) (head, error) {
	if err := ambiguous(raw, 0); err != nil {
		return head{}, err
	}
	request, err := http.ReadRequest(bufio.NewReaderSize(bytes.NewReader(raw), 512))
	if err != nil {
		return head{}, &headError{"malformed request head"}
	}
	return head{raw: raw, rest: rest, request: request}, nil
}

// connectTarget returns the target of a CONNECT head. It refuses a CONNECT with
// content: what follows the head could be read as part of the request by one
// program and as part of the tunnel by another.
func (h head) connectTarget() (Target, error) {
	r := h.request
	if len(r.TransferEncoding) > 0 || r.ContentLength > 0 || len(r.Header["Transfer-Encoding"]) > 0 {
		return Target{}, &headError{"CONNECT with content"}
	}
	target, err := parseTarget(r.RequestURI)
	if err != nil {
		return Target{}, &headError{err.Error()}
	}
	return target, nil
}

// connIDHeader carries the connection's id through gomitmproxy, whose hooks get
// the request and not the connection.
const connIDHeader = "Authsome-Connection"

// cleanHead is the only head that gomitmproxy reads: the target as parsed, the
// token, and nothing else that a client could steer it with.
func cleanHead(t Target, id uint64, proxyAuthorization string) []byte {
	b := fmt.Appendf(nil, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s: %s\r\n", t, t, connIDHeader, strconv.FormatUint(id, 10))
	if proxyAuthorization != "" {
		b = fmt.Appendf(b, "Proxy-Authorization: %s\r\n", proxyAuthorization)
	}
	return append(b, "\r\n"...)
}
