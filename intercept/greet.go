package intercept

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// greet reads a connection's first head and sends the connection where it
// belongs: CONNECT to gomitmproxy, everything else to the plain server.
func (p *Proxy) greet(raw *trackedConn) {
	defer p.recoverClosing(raw)
	h, err := readHead(raw, nil, idleTimeout)
	if err != nil {
		p.refuseHead(raw, err)
		return
	}
	c := &clientConn{Conn: raw, proxy: p, id: p.nextID.Add(1)}
	if h.request.Method != http.MethodConnect {
		early := append(h.raw, h.rest...)
		if !p.plain.put(&prefixConn{Conn: raw, early: early}) {
			raw.Close()
		}
		return
	}
	if err := c.take(h); err != nil {
		p.refuseHead(raw, err)
		return
	}
	if !p.proxied.put(c) {
		c.Close()
	}
}

// refuseHead answers a head that was not understood, and closes.
func (p *Proxy) refuseHead(raw net.Conn, err error) {
	defer raw.Close()
	status := 0
	fault, malformed := errors.AsType[*errHead](err)
	switch {
	case malformed:
		status = http.StatusBadRequest
	case errors.Is(err, errHeadTooLarge):
		status = http.StatusRequestHeaderFieldsTooLarge
	case errors.Is(err, errHeadTimeout):
		status = http.StatusRequestTimeout
	default:
		return // the client went away
	}
	message := err.Error()
	if malformed {
		message = fault.fault
	}
	a := &Refusal{Status: status, Code: CodeBadRequest, Message: message}
	raw.SetWriteDeadline(time.Now().Add(headTimeout))
	a.response(nil).Write(raw)
	p.Record(Exchange{Kind: KindRefused, Code: a.Code, Status: status, Start: time.Now()})
}

func (p *Proxy) recoverClosing(c net.Conn) {
	if v := recover(); v != nil {
		p.Log.Error("panic on a connection; it was closed", "panic", v)
		c.Close()
	}
}

// clientConn is an accepted connection while gomitmproxy holds it. Reading from
// it gives one clean CONNECT head and then waits for the next head: that is what
// a client's second try after a 407 needs, and all that gomitmproxy ever sees.
//
// It must not implement io.WriterTo, or io.Copy would bypass adoption.
type clientConn struct {
	net.Conn // the accepted connection; closed by us unless adopted
	proxy    *Proxy
	id       uint64
	clean    []byte // head bytes not yet read by gomitmproxy
	early    []byte // bytes behind the head, for whoever adopts
	target   Target
	adopted  bool // set by the goroutine that relays, read by Close after it ended
}

// take prepares the connection for a parsed CONNECT head.
func (c *clientConn) take(h head) error {
	target, err := h.connectTarget()
	if err != nil {
		return err
	}
	token := h.request.Header.Get("Proxy-Authorization")
	if strings.ContainsAny(token, "\r\n") {
		return &errHead{"malformed Proxy-Authorization"}
	}
	c.target, c.early = target, h.rest
	c.clean = cleanHead(target, c.id, token)
	c.proxy.heads.Store(c.id, c)
	return nil
}

// Read gives the clean head, then blocks for another one. A second request that
// is not CONNECT ends the connection: it would otherwise be sent by
// gomitmproxy's own transport, which none of our rules guard.
func (c *clientConn) Read(b []byte) (int, error) {
	if len(c.clean) == 0 {
		h, err := readHead(c.Conn, c.early, idleTimeout)
		if err != nil {
			return 0, err
		}
		if h.request.Method != http.MethodConnect {
			return 0, errors.New("not a CONNECT after a refused CONNECT")
		}
		if err := c.take(h); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.clean)
	c.clean = c.clean[n:]
	return n, nil
}

// Close is gomitmproxy's; it closes nothing that was adopted.
func (c *clientConn) Close() error {
	c.proxy.heads.Delete(c.id)
	if c.adopted {
		return nil
	}
	return c.Conn.Close()
}

// gomitmproxy arms five minutes on every connection and never disarms them; the
// deadlines that count are set by readHead.
func (c *clientConn) SetDeadline(time.Time) error      { return nil }
func (c *clientConn) SetReadDeadline(time.Time) error  { return nil }
func (c *clientConn) SetWriteDeadline(time.Time) error { return nil }

// prefixConn gives the bytes that were read ahead, then the connection.
type prefixConn struct {
	net.Conn
	early []byte
}

func (c *prefixConn) Read(b []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(b, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
		return n, nil
	}
	return c.Conn.Read(b)
}
