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
// connection and the one OnConnect returned. io.Copy prefers the source's
// WriterTo, then the destination's ReaderFrom: the connection we return
// implements both, takes the client's connection out in ReadFrom, and returns at
// once from either. gomitmproxy then holds nothing: its deadlines, its closing
// and its copy errors stop mattering, and its goroutines end.
//
// Its own interception stays off, because it buffers streamed answers to their
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

// onRequest is the one place where a CONNECT is approved. It answers every
// other one itself.
func (p *Proxy) onRequest(s *gomitmproxy.Session) (*http.Request, *http.Response) {
	p.decided.Add(1)
	r := s.Request()
	defer clear(r.Header) // nothing a client sent steers gomitmproxy further
	c, refusal := p.approve(s)
	if refusal == nil {
		return nil, nil
	}
	x := Exchange{Kind: KindRefused, Method: http.MethodConnect, Start: time.Now(), Code: refusal.Code, Status: refusal.Status}
	if c != nil {
		x.Host, x.Port = c.target.Host, c.target.Port
	}
	p.Record(x)
	return nil, refusal.response(r)
}

// approve decides a CONNECT and prepares the connection that OnConnect returns.
func (p *Proxy) approve(s *gomitmproxy.Session) (c *clientConn, refusal *Refusal) {
	defer func() {
		if v := recover(); v != nil {
			p.Log.Error("panic while deciding a CONNECT", "panic", v)
			refusal = &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamUnreachable, Message: "internal error; see the proxy's log"}
		}
	}()
	r := s.Request()
	id, _ := strconv.ParseUint(r.Header.Get(connIDHeader), 10, 64)
	v, ok := p.heads.Load(id)
	if !ok || r.Method != http.MethodConnect {
		return nil, &Refusal{Status: http.StatusBadRequest, Code: CodeBadRequest, Message: "only CONNECT is served here"}
	}
	c = v.(*clientConn)
	if refusal := p.identify(c.Conn, r.Header.Get("Proxy-Authorization")); refusal != nil {
		return c, refusal
	}
	a := &adoption{proxy: p, target: c.target, start: time.Now()}
	switch decided := p.Routes().Host(c.target.Host, c.target.Port); {
	case decided == routing.Intercept || c.target.isSelf():
		a.intercept = true
	case decided == routing.Deny:
		return c, hostDenied(c.target.Host)
	default:
		ctx, cancel := context.WithTimeout(context.Background(), dialTimeout)
		defer cancel()
		upstream, err := p.upstream.dialTunnel(ctx, c.target)
		if err != nil {
			p.Log.Info("tunnel not opened", "host", c.target.Host, "port", c.target.Port, "err", err)
			return c, dialRefusal(c.target, err)
		}
		a.upstream = upstream
	}
	s.SetProp(adoptionKey, a)
	return c, nil
}

// onConnect returns what approve prepared. It never returns nil: gomitmproxy
// would then dial by itself, past every guard.
func (p *Proxy) onConnect(s *gomitmproxy.Session, _, _ string) net.Conn {
	if v, ok := s.GetProp(adoptionKey); ok {
		return v.(*adoption)
	}
	return &adoption{proxy: p, done: true}
}

// onResponse takes the "Connection: close" off an approved CONNECT's 200, which
// net/http writes for a response whose length it does not know.
func (p *Proxy) onResponse(s *gomitmproxy.Session) *http.Response {
	if res := s.Response(); res != nil && res.StatusCode == http.StatusOK {
		res.Uncompressed = true // the one switch that keeps Response.Write from closing
		return res
	}
	return nil
}

// adoption is the far side of an approved CONNECT, as gomitmproxy sees it.
type adoption struct {
	net.Conn  // nil: no method of it is called
	proxy     *Proxy
	target    Target
	start     time.Time
	intercept bool
	upstream  net.Conn // a tunnel's far side
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
	defer a.proxy.recoverClosing(c.Conn)
	a.done, c.adopted = true, true
	client := c.Conn.(*trackedConn)
	if !a.intercept {
		go a.proxy.relay(&tunnel{target: a.target, client: client, upstream: a.upstream, early: c.early, start: a.start})
		return 0, nil
	}
	if !a.proxy.intercepted.put(&interceptedConn{prefixConn: prefixConn{Conn: client, early: c.early}, target: a.target}) {
		client.Close()
	}
	return 0, nil
}

// WriteTo is called by gomitmproxy to relay what the upstream sends: nothing,
// since by then the connection is ours.
func (a *adoption) WriteTo(io.Writer) (int64, error) { return 0, nil }

// Close ends a connection that was prepared and never adopted.
func (a *adoption) Close() error {
	if !a.done && a.upstream != nil {
		return a.upstream.Close()
	}
	return nil
}
