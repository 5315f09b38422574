package intercept

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// serveIntercepted answers one request on an intercepted connection.
func (p *Proxy) serveIntercepted(w http.ResponseWriter, r *http.Request) {
	c := p.begin(KindRequest, w, r)
	defer c.end()
	inner := r.Context().Value(interceptedKey{}).(*interceptedConn)
	if inner.unused.Load() {
		inner.unused.Store(false)
	}
	c.client = inner
	c.setTarget(inner.target)
	if refused := checkRequest(r, c.target, "its connection to "); refused != nil {
		c.refuse(refused)
		return
	}
	c.serveTarget()
}

// serveTarget decides and answers a request in origin form for c.target, whose requests
// are intercepted.
func (c *call) serveTarget() {
	r := c.r
	if c.target.isSelf() {
		c.serveSelf()
		return
	}
	d, refused := c.decide()
	if refused != nil {
		c.refuse(refused)
		return
	}
	c.out = outgoing(r, c.upstreamURL())
	if d.Action == routing.Inject {
		if refused := c.inject(d); refused != nil {
			c.refuse(refused)
			return
		}
	}
	if carriesPlaceholder(c.out) {
		c.exchange.Injected = false
		c.refuse(&Refusal{Status: http.StatusForbidden, Code: CodePlaceholder, Provider: d.Provider, Connection: d.Connection,
			Message: "not sent: the request has a placeholder where " + c.target.Host + " takes no credential",
			URL:     "https://" + c.target.authority() + r.URL.EscapedPath()})
		return
	}
	var key connectionKey // requests without a credential share a transport
	if c.exchange.Injected {
		key = connectionKey{d.Provider, d.Connection}
	}
	c.via = c.proxy.upstream.transport(key)
	c.forward()
}

// decide takes the routing decision for the request and records it. A refusal is
// returned as the answer for it.
func (c *call) decide() (routing.Decision, *Refusal) {
	r, t, x := c.r, c.target, &c.exchange
	routes, path := c.proxy.Routes(), r.URL.EscapedPath()
	d := routes.Request(r.Method, t.Host, t.Port, path)
	x.Reason, x.Provider, x.Connection = d.Reason, d.Provider, d.Connection
	if d.Path != "" {
		x.Path = d.Path
	}
	for _, method := range methodOverrides(r) {
		if o := routes.Request(method, t.Host, t.Port, path); echoes(method) || o.Action != d.Action || o.Provider != d.Provider {
			return d, badRequest("a header or parameter overrides the request's method with one that is treated differently; send the request with that method")
		}
	}
	if d.Action == routing.Refuse {
		return d, decisionRefusal(d, t.Host)
	}
	if d.Action == routing.Inject {
		for _, other := range pathOverrides(r.Header) {
			if o := routes.Request(r.Method, t.Host, t.Port, other); o.Action != d.Action || o.Provider != d.Provider {
				return d, badRequest("a header overrides the request's path with one that is treated differently; send the request with that path")
			}
		}
	}
	return d, nil
}

// inject puts the credential that d names on the outgoing request.
func (c *call) inject(d routing.Decision) *Refusal {
	applied, err := c.proxy.Credentials.Apply(c.r.Context(), c.out, d.Provider, d.Connection)
	switch {
	case errors.Is(err, providers.ErrUnsigned):
		c.exchange.Reason = routing.Unsigned
	case err != nil && c.r.Context().Err() != nil: // the client left while its credential was refreshed
		c.abort()
	case err != nil:
		return c.proxy.credentialRefusal(d, err)
	default:
		c.applied, c.exchange.Injected = applied, true
		if applied.Injection != nil {
			c.exchange.Presented = applied.Injection.Presented(c.r)
		}
	}
	return nil
}

// upstreamURL is where the request goes: its path and query, at the authority of
// its connection.
func (c *call) upstreamURL() *url.URL {
	u := c.r.URL
	return &url.URL{Scheme: "https", Host: c.target.authority(), Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery}
}

// echoes reports whether the answer to a method repeats the request as it arrived,
// and so the credential. Some servers call TRACE "TRACK", and some ignore the case.
func echoes(method string) bool {
	return strings.EqualFold(method, http.MethodTrace) || strings.EqualFold(method, "TRACK")
}

// checkRequest refuses a request that is malformed for a tunnel, or that does not match
// the authority t, which source names in the answer.
func checkRequest(r *http.Request, t Target, source string) *Refusal {
	switch {
	case r.Method == http.MethodConnect:
		return badRequest("CONNECT inside a tunnel")
	case echoes(r.Method):
		return badRequest("TRACE is not forwarded")
	case r.URL.Host != "" || r.URL.Scheme != "" || r.URL.Opaque != "":
		return badRequest("absolute URL inside a tunnel")
	case len(r.RequestURI) == 0 || r.RequestURI[0] != '/':
		return badRequest("request target is not a path")
	case strings.ContainsFunc(r.RequestURI, func(c rune) bool { return c <= ' ' || c == 0x7f }): // HTTP/2 carries what would end an HTTP/1.1 target
		return badRequest("blank or control character in the request target")
	case !t.matches(r.Host) || slices.ContainsFunc(r.Header["Host"], func(host string) bool { return !t.matches(host) }): // HTTP/2 can have Host beside :authority
		return &Refusal{Status: http.StatusMisdirectedRequest, Code: CodeAuthorityMismatch, Message: "the request names another host or port than " + source + t.String()}
	}
	return nil
}

// hopByHop are the header fields that belong to one connection (RFC 9110
// section 7.6.1), in canonical form.
var hopByHop = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true,
	"Te": true, "Trailer": true, "Transfer-Encoding": true, "Upgrade": true, "Http2-Settings": true,
}

// outgoing makes the request for the upstream from the client's, without what
// belongs to the client's connection. Request trailers are left out: they would
// arrive after every check, and no API that we know of uses them.
func outgoing(r *http.Request, u *url.URL) *http.Request {
	h := make(http.Header, len(r.Header)+2)
	for name, values := range r.Header {
		if !hopByHop[name] && !disguised(name) {
			h[name] = values
		}
	}
	for _, name := range connectionOptions(r.Header) {
		delete(h, name)
	}
	if slices.ContainsFunc(r.Header["Te"], hasToken("trailers")) {
		h["Te"] = []string{"trailers"} // gRPC servers require it
	}
	if websocketUpgrade(r) {
		h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	if _, ok := h["User-Agent"]; !ok {
		h["User-Agent"] = nil // or net/http adds its own
	}
	out := &http.Request{
		Method: r.Method, URL: u, Host: u.Host, Header: h, Body: r.Body, ContentLength: r.ContentLength,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if r.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return out
}
