package intercept

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"time"
)

// greet serves a new connection to the proxy's own listener.
func (p *Proxy) greet(raw *trackedConn) {
	defer p.closeOnPanic(raw)
	p.greetHTTP(raw, nil)
}

// greetHTTP reads a connection's first head, which begins with the bytes in early, and
// hands the connection on: CONNECT to gomitmproxy, everything else to the plain server.
func (p *Proxy) greetHTTP(raw *trackedConn, early []byte) {
	h, err := readHead(raw, early, idleTimeout)
	if err != nil {
		p.refuseHead(raw, err)
		return
	}
	c := &clientConn{Conn: raw, proxy: p, id: p.nextID.Add(1)}
	if h.request.Method != http.MethodConnect {
		early := append(h.raw, h.rest...)
		if !p.plain.put(p.newPlainConn(raw, early)) {
			raw.Close()
		}
		return
	}
	if err := c.prepare(h); err != nil {
		p.refuseHead(raw, err)
		return
	}
	if !p.proxied.put(c) {
		c.Close()
	}
}

// refuseHead answers a head that was not accepted, and closes the connection.
func (p *Proxy) refuseHead(raw *trackedConn, err error) {
	stranger := p.tracker.strangers.has(raw)
	status, message := 0, err.Error()
	fault, malformed := errors.AsType[*headError](err)
	other, isForeign := errors.AsType[*foreignError](err)
	switch {
	case malformed:
		status, message = http.StatusBadRequest, fault.fault
	case isForeign:
		status = http.StatusBadRequest
		p.logForeign(other, stranger)
	case errors.Is(err, errHeadTooLarge):
		status = http.StatusRequestHeaderFieldsTooLarge
	case errors.Is(err, errHeadTimeout):
		status = http.StatusRequestTimeout
	default: // the client closed the connection
		raw.Close()
		return
	}
	defer linger(raw)
	a := &Refusal{Status: status, Code: CodeBadRequest, Message: message}
	raw.SetWriteDeadline(time.Now().Add(headTimeout))
	if isForeign && other.answer != nil {
		raw.Write(other.answer)
		a.Status = 0
	} else {
		p.connectAnswer(nil, a).Write(raw)
	}
	x := Exchange{Kind: KindRefused, Code: a.Code, Status: a.Status, Start: time.Now(), Stranger: stranger}
	if raw.captured {
		t, _ := p.destination(raw)
		x.Host, x.Port = t.Host, t.Port
	}
	p.Record(x)
}

// logForeign logs why a client was refused, which many clients do not show. Strangers
// must not fill the log: one of them is logged a minute.
func (p *Proxy) logForeign(e *foreignError, stranger bool) {
	if stranger {
		now := time.Now().Unix()
		last := p.strangerLogged.Load()
		if now-last < 60 || !p.strangerLogged.CompareAndSwap(last, now) {
			return
		}
	}
	p.Log.Warn("refused a connection: " + e.fault)
}

func (p *Proxy) closeOnPanic(c net.Conn) {
	if v := recover(); v != nil {
		p.Log.Error("panic on a connection; it was closed", "panic", v)
		c.Close()
	}
}

// clientConn is an accepted connection while gomitmproxy has it. Reading from it
// returns one clean CONNECT head and then waits for the next head, because a client
// may try again on the same connection after a 407. gomitmproxy reads nothing else.
//
// It must not implement io.WriterTo, or io.Copy would bypass adoption.
type clientConn struct {
	net.Conn // the accepted connection; closed by us unless adopted
	proxy    *Proxy
	id       uint64
	clean    []byte // head bytes that gomitmproxy has not read yet
	early    []byte // bytes after the head, for the code that adopts the connection
	target   Target
	adopted  bool // set by the goroutine that relays, read by Close after it ended
}

// prepare sets the connection up for a parsed CONNECT head.
func (c *clientConn) prepare(h head) error {
	target, err := h.connectTarget()
	if err != nil {
		return err
	}
	token := h.request.Header.Get("Proxy-Authorization")
	if strings.ContainsAny(token, "\r\n") {
		return &headError{"malformed Proxy-Authorization"}
	}
	c.target, c.early = target, h.rest
	c.clean = cleanHead(target, c.id, token)
	c.proxy.heads.Store(c.id, c)
	return nil
}

// Read returns the clean head, then blocks until another one comes. A second
// request that is not CONNECT ends the connection: gomitmproxy would send it with
// its own transport, which none of our rules guard.
func (c *clientConn) Read(b []byte) (int, error) {
	if len(c.clean) == 0 {
		h, err := readHead(c.Conn, c.early, idleTimeout)
		if err != nil {
			return 0, err
		}
		if h.request.Method != http.MethodConnect {
			return 0, errors.New("not a CONNECT after a refused CONNECT")
		}
		if err := c.prepare(h); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.clean)
	c.clean = c.clean[n:]
	return n, nil
}

// Close is called by gomitmproxy. It does not close an adopted connection.
func (c *clientConn) Close() error {
	c.proxy.heads.Delete(c.id)
	if c.adopted {
		return nil
	}
	return c.Conn.Close()
}

// gomitmproxy sets deadlines of five minutes on every connection and never removes
// them. They are ignored: the deadlines that matter are set by readHead.
func (c *clientConn) SetDeadline(time.Time) error      { return nil }
func (c *clientConn) SetReadDeadline(time.Time) error  { return nil }
func (c *clientConn) SetWriteDeadline(time.Time) error { return nil }

// prefixConn returns the bytes that were read ahead, then reads the connection.
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
