package intercept

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/AdguardTeam/gomitmproxy"

	"github.com/authsome/authsome/routing"
)

// gomitmproxy relays a tunnel with two io.Copy calls between the client's
// connection and the one that OnConnect returned. io.Copy prefers the source's
// WriterTo, then the destination's ReaderFrom. The connection that we return
// implements both: its ReadFrom takes the client's connection out, and both
// methods return at once. gomitmproxy then has nothing left: its deadlines, its
// closing and its copy errors do not matter any more, and its goroutines end.
//
// Its own interception is off, because it buffers streamed answers to their
// end, speaks HTTP/1.1 only, and turns a host into an open tunnel after one
// upstream certificate error.

const adoptionKey = "authsome.adoption"

// serveConnect runs gomitmproxy over the CONNECT queue until it is closed.
// Proxy.Close is never called: after Serve it would dereference a nil listener.
func (p *Proxy) serveConnect() {
	gomitmproxy.NewProxy(gomitmproxy.Config{
		OnRequest:  p.onRequest,
		OnConnect:  p.onConnect,
		OnResponse: p.onResponse,
	}).Serve(p.proxied)
}

// onRequest is the only place where a CONNECT is approved. It answers every other
// request itself.
func (p *Proxy) onRequest(s *gomitmproxy.Session) (*http.Request, *http.Response) {
	p.decided.Add(1)
	r := s.Request()
	defer clear(r.Header) // so that nothing a client sent steers gomitmproxy further
	if !p.handling.enter() {
		return nil, p.connectAnswer(r, internalError())
	}
	defer p.handling.leave()
	c, refused := p.approve(s)
	if refused == nil {
		return nil, nil
	}
	x := Exchange{Kind: KindRefused, Method: http.MethodConnect, Start: time.Now(), Code: refused.Code, Status: refused.Status}
	switch {
	case c == nil:
	case refused.Code == CodeProxyAuthRequired || refused.Code == CodeNotYourProxy:
		x.Stranger, x.Method = true, "" // nothing that it sent is kept
	default:
		x.Host, x.Port = c.target.Host, c.target.Port
	}
	p.Record(x)
	return nil, p.connectAnswer(r, refused)
}

// approve decides a CONNECT and prepares the connection that onConnect returns.
func (p *Proxy) approve(s *gomitmproxy.Session) (c *clientConn, refused *Refusal) {
	defer p.refuseOnPanic(&refused)
	r := s.Request()
	id, _ := strconv.ParseUint(r.Header.Get(connIDHeader), 10, 64)
	v, ok := p.heads.Load(id)
	if !ok || r.Method != http.MethodConnect {
		return nil, badRequest("only CONNECT is served here")
	}
	c = v.(*clientConn)
	if refused = p.identify(c.Conn.(*trackedConn), r.Header.Get("Proxy-Authorization")); refused != nil {
		return c, refused
	}
	a, refused := p.open(c.Conn.(*trackedConn), c.target)
	if refused != nil {
		return c, refused
	}
	s.SetProp(adoptionKey, a)
	return c, nil
}

// refuseOnPanic must be deferred where a connection is decided.
func (p *Proxy) refuseOnPanic(refused **Refusal) {
	if v := recover(); v != nil {
		p.Log.Error("panic while deciding a connection", "panic", v)
		*refused = internalError()
	}
}

// open decides a connection of client to t, and opens the upstream side if it is passed
// through.
func (p *Proxy) open(client *trackedConn, t Target) (*adoption, *Refusal) {
	a := &adoption{proxy: p, target: t, start: time.Now()}
	switch decided := p.passage(t); {
	case decided == routing.Intercept || t.isSelf():
		a.intercept = true
		return a, nil
	case decided == routing.Deny:
		return nil, hostDenied(t.Host)
	}
	if refused := p.fenced(t); refused != nil {
		return nil, refused
	}
	upstream, err := p.dialFor(client, t)
	if err != nil {
		p.Log.Info("tunnel not opened", "host", t.Host, "port", t.Port, "err", err)
		return nil, dialRefusal(t, err)
	}
	a.upstream = upstream
	return a, nil
}

// passage returns what happens to a connection to t: what the routes say, except that
// nothing denies what the [Fence] allows.
func (p *Proxy) passage(t Target) routing.Host {
	decided := p.Routes().Host(t.Host, t.Port)
	if decided == routing.Deny && p.Fence.allows(t) {
		return routing.Tunnel
	}
	return decided
}

// dialFor opens the upstream side of client's tunnel to t. Closing client, as a shutdown
// does, ends the attempt.
func (p *Proxy) dialFor(client *trackedConn, t Target) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
	defer cancel()
	client.cancelOnClose(cancel)
	defer client.cancelOnClose(nil)
	return p.upstream.dialTunnel(ctx, t)
}

// onConnect returns what approve prepared. It never returns nil: gomitmproxy
// would then dial the target itself and bypass every guard.
func (p *Proxy) onConnect(s *gomitmproxy.Session, _, _ string) net.Conn {
	if v, ok := s.GetProp(adoptionKey); ok {
		return v.(*adoption)
	}
	return &adoption{proxy: p, done: true}
}

// onResponse removes the "Connection: close" from an approved CONNECT's 200, which
// net/http writes for a response of unknown length.
func (p *Proxy) onResponse(s *gomitmproxy.Session) *http.Response {
	if res := s.Response(); res != nil && res.StatusCode == http.StatusOK {
		res.Uncompressed = true // the only switch that keeps Response.Write from closing
		return res
	}
	return nil
}

// adoption is what gomitmproxy takes for the upstream side of an approved CONNECT.
type adoption struct {
	net.Conn  // nil: none of its methods is called
	proxy     *Proxy
	target    Target
	start     time.Time
	intercept bool
	upstream  net.Conn // the upstream side of a tunnel
	done      bool     // handed over, or refused: Close does nothing more
}

var (
	_ io.ReaderFrom = (*adoption)(nil)
	_ io.WriterTo   = (*adoption)(nil)
)

// ReadFrom is called by gomitmproxy to relay what the client sends. It takes the
// client's connection instead, and reports the end of the stream.
func (a *adoption) ReadFrom(r io.Reader) (int64, error) {
	c, ok := r.(*clientConn)
	if !ok || a.done {
		return 0, errors.New("connection cannot be adopted")
	}
	defer a.proxy.closeOnPanic(c.Conn)
	c.adopted = true
	a.serve(c.Conn.(*trackedConn), c.early)
	return 0, nil
}

// serve hands client, whose early bytes were read, to the relay or to the interception
// server.
func (a *adoption) serve(client *trackedConn, early []byte) {
	a.done = true
	if !a.intercept {
		t := &tunnel{target: a.target, client: client, upstream: a.upstream, early: early, start: a.start}
		if !a.proxy.tracker.serveTunnel(t, a.proxy.relay) {
			t.close()
		}
		return
	}
	if !a.proxy.intercepted.put(&interceptedConn{prefixConn: prefixConn{Conn: a.proxy.steady(client), early: early}, proxy: a.proxy, target: a.target}) {
		client.Close()
	}
}

// WriteTo is called by gomitmproxy to relay what the upstream sends. There is
// nothing to relay: the connection is ours by then.
func (a *adoption) WriteTo(io.Writer) (int64, error) { return 0, nil }

// Close ends a connection that was prepared and never adopted.
func (a *adoption) Close() error {
	if !a.done && a.upstream != nil {
		return a.upstream.Close()
	}
	return nil
}
