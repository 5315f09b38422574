package intercept

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/authsome/authsome/routing"
)

type connKey struct{}

// newPlainServer makes the server for everything that is not CONNECT: requests for
// http:// URLs, which are streamed to their host and never get a credential, and those
// for https:// URLs in absolute form.
func (p *Proxy) newPlainServer() *http.Server {
	return &http.Server{
		Handler:                      http.HandlerFunc(p.servePlain),
		ReadHeaderTimeout:            headTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxInnerHead,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(p.Log.Handler(), slog.LevelInfo),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c.(*plainConn))
		},
	}
}

func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	on := r.Context().Value(connKey{}).(*plainConn)
	head := on.heads.next()
	if r.Method == http.MethodConnect {
		p.connectAfterPlain(w, r, head)
		return
	}
	c := p.begin(KindPlain, w, r)
	defer c.end()
	client := on.client
	c.client = client
	if refused := p.identify(client, r.Header.Get("Proxy-Authorization")); refused != nil {
		w.Header().Set("Connection", "close")
		c.exchange = Exchange{Kind: KindRefused, Stranger: true, Start: c.exchange.Start} // nothing that it sent is kept
		c.refuse(refused)
		return
	}
	if head.fault != "" {
		w.Header().Set("Connection", "close")
		c.refuse(badRequest(head.fault))
		return
	}
	switch {
	case r.URL.Scheme == "https":
		c.serveAbsolute(client, head.hosts)
	case r.URL.Scheme == "" && r.URL.Host == "" && client.captured:
		c.serveCaptured(client, head.hosts)
	default:
		c.servePlain(client)
	}
}

// servePlain answers a request for an http:// URL.
func (c *call) servePlain(client *trackedConn) {
	r := c.r
	t, refused := plainTarget(r)
	if refused != nil {
		c.refuse(refused)
		return
	}
	c.setTarget(t)
	if t.isPlainSelf() {
		c.servePlainSelf(client)
		return
	}
	if d := c.proxy.Routes().Plain(t.Host); d.Action == routing.Refuse && !(d.Reason == routing.HostDenied && c.proxy.Fence.allows(t)) {
		c.exchange.Reason, c.exchange.Provider = d.Reason, d.Provider
		c.refuse(decisionRefusal(d, t.Host))
		return
	}
	host := t.String()
	if t.Port == 80 {
		host = strings.TrimSuffix(host, ":80")
	}
	c.out = outgoing(r, &url.URL{Scheme: "http", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery})
	c.forwardAny()
}

// servePlainSelf answers a request to the proxy itself. Over plain http it has no TLS, so
// that a client needs no certificate; others must not be able to read it.
func (c *call) servePlainSelf(client *trackedConn) {
	if !client.confidential() {
		c.refuse(&Refusal{Status: http.StatusForbidden, Code: CodeTunnelRequired,
			Message: "the client sent a request for http://" + SelfHost + " over a network where others can read the answer; use https"})
		return
	}
	c.serveSelf()
}

// plainTarget returns the authority of a request in absolute form.
func plainTarget(r *http.Request) (Target, *Refusal) {
	switch {
	case r.Method == http.MethodTrace:
		return Target{}, badRequest("TRACE is not forwarded")
	case r.URL.Scheme == "" || r.URL.Host == "":
		return Target{}, badRequest("this is a proxy: set it as HTTPS_PROXY, and send requests in absolute form or by CONNECT")
	case r.URL.Scheme != "http":
		return Target{}, badRequest("only http:// and https:// URLs can be sent in absolute form; use CONNECT for others")
	case r.URL.User != nil:
		return Target{}, badRequest("user name in the request target")
	}
	authority := r.URL.Host
	if r.URL.Port() == "" {
		authority = net.JoinHostPort(r.URL.Hostname(), "80")
	}
	t, err := parseTarget(authority)
	if err != nil {
		return Target{}, badRequest(err.Error())
	}
	return t, nil
}

// connectAfterPlain hands a connection to gomitmproxy on which a CONNECT came after
// plain requests, as clients with a connection pool send it.
func (p *Proxy) connectAfterPlain(w http.ResponseWriter, r *http.Request, seen observed) {
	if !p.handling.enter() {
		panic(http.ErrAbortHandler)
	}
	defer p.handling.leave()
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	hijacked.SetDeadline(time.Time{})
	raw := r.Context().Value(connKey{}).(*plainConn).client
	if seen.fault != "" {
		p.refuseHead(raw, &headError{fault: seen.fault})
		return
	}
	rest, _ := buffered.Peek(buffered.Reader.Buffered())
	c := &clientConn{Conn: raw, proxy: p, id: p.nextID.Add(1)}
	if err := c.prepare(head{request: r, rest: append([]byte(nil), rest...)}); err != nil {
		p.refuseHead(raw, err)
		return
	}
	if !p.proxied.put(c) {
		c.Close()
	}
}
