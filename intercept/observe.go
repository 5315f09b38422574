package intercept

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"sync"
)

// plainConn is a client's connection on which the plain server reads requests.
type plainConn struct {
	prefixConn
	client *trackedConn
	heads  observer
}

func (p *Proxy) newPlainConn(c *trackedConn, early []byte) *plainConn {
	return &plainConn{prefixConn: prefixConn{Conn: p.steady(c), early: early}, client: c}
}

var _ net.Conn = (*plainConn)(nil)

func (c *plainConn) Read(b []byte) (int, error) {
	n, err := c.prefixConn.Read(b)
	c.heads.observe(b[:n])
	return n, err
}

// observer follows the requests that net/http reads from a connection, for what net/http
// does not tell a handler: the Host of a request in absolute form, and whether parsers
// read its head in different ways. It changes and delays nothing.
//
// It finds the end of a body with net/http's own parser and a strict one for chunks.
// Where it loses track it stops, and requests that it has not seen are refused.
type observer struct {
	state observing
	text  []byte // the head or line so far
	left  int64  // bytes left of the body or chunk

	mu    sync.Mutex // guards seen: a handler runs while net/http reads ahead
	seen  []observed
	fault string // of the head at which it stopped
}

// observed is what a handler gets to know of its request's head.
type observed struct {
	hosts []string // the values of Host: one, or none in HTTP/1.0
	fault string   // why the request must be refused, or ""
}

type observing int

const (
	observeHead observing = iota
	observeBody
	observeChunkSize
	observeChunk
	observeChunkEnd
	observeTrailer
	observeNothing
)

// maxObservedHead is more than net/http reads of a head: maxInnerHead and a buffer.
const maxObservedHead = maxInnerHead + 16<<10

// maxChunkLine is the longest line of a chunked body, as in net/http.
const maxChunkLine = 4096

// next returns what was seen of the head of the next request. Each handler must call it
// once.
func (o *observer) next() observed {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.seen) == 0 {
		fault := o.fault
		if fault == "" {
			fault = "malformed request head"
		}
		return observed{fault: fault}
	}
	first := o.seen[0]
	o.seen = o.seen[1:]
	return first
}

func (o *observer) observe(b []byte) {
	for len(b) > 0 {
		switch o.state {
		case observeHead:
			b = o.head(b)
		case observeBody, observeChunk:
			n := min(o.left, int64(len(b)))
			b = b[n:]
			if o.left -= n; o.left > 0 {
				return
			}
			if o.state++; o.state == observeChunkSize { // after a body
				o.state = observeHead
			}
		case observeNothing:
			return
		default:
			b = o.line(b)
		}
	}
}

// head adds b to the head, and returns what follows the head.
func (o *observer) head(b []byte) []byte {
	if len(o.text) == 0 {
		b = bytes.TrimLeft(b, "\r\n") // net/http accepts some after a POST
	}
	before := len(o.text)
	o.text = append(o.text, b...)
	from := max(0, before-3)
	i := bytes.Index(o.text[from:], []byte("\r\n\r\n"))
	if i < 0 {
		if len(o.text) > maxObservedHead {
			o.stop(errHeadTooLarge.Error())
		}
		return nil
	}
	end := from + i + 4
	o.endHead(o.text[:end])
	o.text = nil
	return b[end-before:]
}

func (o *observer) endHead(raw []byte) {
	h, err := parseHead(raw, nil)
	if err != nil {
		o.stop(err.Error())
		return
	}
	o.mu.Lock()
	o.seen = append(o.seen, observed{hosts: hostLines(raw)})
	o.mu.Unlock()
	switch r := h.request; {
	case r.Method == "CONNECT":
		o.state = observeNothing // what follows is not HTTP
	case r.ContentLength > 0:
		o.state, o.left = observeBody, r.ContentLength
	case r.ContentLength < 0:
		o.state = observeChunkSize
	}
}

// hostLines returns the values of Host in a head that parseHead accepted.
func hostLines(raw []byte) []string {
	var all []string
	for line := range strings.SplitSeq(string(raw), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "Host") {
			all = append(all, strings.Trim(value, " \t"))
		}
	}
	return all
}

// line adds b to a line of a chunked body (RFC 9112 section 7.1), and returns what
// follows the line.
func (o *observer) line(b []byte) []byte {
	i := bytes.IndexByte(b, '\n') + 1
	if i == 0 {
		i = len(b)
	}
	o.text = append(o.text, b[:i]...)
	line, ended := bytes.CutSuffix(o.text, []byte("\n"))
	switch {
	case len(o.text) > maxChunkLine:
		o.stop(unreadableBody)
	case ended:
		o.endLine(line)
		o.text = nil
	}
	return b[i:]
}

func (o *observer) endLine(line []byte) {
	line, ok := bytes.CutSuffix(line, []byte("\r"))
	if !ok || bytes.IndexByte(line, '\r') >= 0 {
		o.stop(unreadableBody)
		return
	}
	switch o.state {
	case observeChunkSize:
		digits, _, _ := strings.Cut(strings.TrimRight(string(line), " \t"), ";")
		size, err := strconv.ParseUint(digits, 16, 63)
		switch {
		case err != nil:
			o.stop(unreadableBody)
		case size == 0:
			o.state = observeTrailer
		default:
			o.state, o.left = observeChunk, int64(size)
		}
	case observeChunkEnd:
		o.state = observeChunkSize
		if len(line) > 0 {
			o.stop(unreadableBody)
		}
	case observeTrailer:
		if len(line) == 0 {
			o.state = observeHead
		}
	}
}

func (o *observer) stop(fault string) {
	o.state, o.text = observeNothing, nil
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = fault
}
