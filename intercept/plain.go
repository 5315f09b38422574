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

// newPlainServer serves what is not CONNECT: requests for http:// URLs, which
// are forwarded as they stream and never carry a credential of ours.
func (p *Proxy) newPlainServer() *http.Server {
	return &http.Server{
		Handler:                      http.HandlerFunc(p.servePlain),
		ReadHeaderTimeout:            headTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxInnerHead,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(p.Log.Handler(), slog.LevelInfo),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c.(*prefixConn).Conn)
		},
	}
}

func (p *Proxy) servePlain(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodConnect {
		p.connectAfterPlain(w, r)
		return
	}
	x := Exchange{Kind: KindPlain, Method: r.Method, Path: r.URL.Path, Start: time.Now()}
	defer p.finish(&x)
	if refused := p.identify(r.Context().Value(connKey{}).(net.Conn), r.Header.Get("Proxy-Authorization")); refused != nil {
		p.refuse(w, &x, refused)
		return
	}
	t, refused := plainTarget(r)
	if refused != nil {
		p.refuse(w, &x, refused)
		return
	}
	x.Host, x.Port = t.Host, t.Port
	if d := p.Routes().Plain(t.Host); d.Action == routing.Refuse {
		x.Reason, x.Provider = d.Reason, d.Provider
		p.refuse(w, &x, refusal(d, t.Host))
		return
	}
	host := t.String()
	if t.Port == 80 {
		host = strings.TrimSuffix(host, ":80")
	}
	out := outgoing(r, &url.URL{Scheme: "http", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery})
	p.roundTrip(w, r, out, p.upstream.plain, t, Applied{}, &x)
}

// plainTarget is the authority of a request in absolute form.
func plainTarget(r *http.Request) (Target, *Refusal) {
	bad := func(message string) *Refusal {
		return &Refusal{Status: http.StatusBadRequest, Code: CodeBadRequest, Message: message}
	}
	switch {
	case r.Method == http.MethodTrace:
		return Target{}, bad("TRACE is not forwarded")
	case r.URL.Scheme == "" || r.URL.Host == "":
		return Target{}, bad("this is a proxy: set it as HTTPS_PROXY, and send requests in absolute form or by CONNECT")
	case r.URL.Scheme != "http":
		return Target{}, bad("only http:// URLs are sent in absolute form; use CONNECT for the rest")
	case r.URL.User != nil:
		return Target{}, bad("user name in the request target")
	}
	authority := r.URL.Host
	if r.URL.Port() == "" {
		authority = net.JoinHostPort(r.URL.Hostname(), "80")
	}
	t, err := ParseTarget(authority)
	if err != nil {
		return Target{}, bad(err.Error())
	}
	return t, nil
}

// connectAfterPlain takes a connection back that sent plain requests first and
// then a CONNECT, as clients with a pool do.
func (p *Proxy) connectAfterPlain(w http.ResponseWriter, r *http.Request) {
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	hijacked.SetDeadline(time.Time{})
	raw := r.Context().Value(connKey{}).(net.Conn)
	rest, _ := buffered.Peek(buffered.Reader.Buffered())
	c := &clientConn{Conn: raw, proxy: p, id: p.nextID.Add(1)}
	if err := c.take(head{request: r, rest: append([]byte(nil), rest...)}); err != nil {
		p.refuseHead(raw, err)
		return
	}
	if !p.proxied.put(c) {
		c.Close()
	}
}
