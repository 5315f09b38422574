package intercept

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/authsome/authsome/routing"
)

// serveAbsolute answers a request for an https:// URL in absolute form. Some clients send
// these to an HTTP proxy in place of a CONNECT, and leave TLS to the proxy. The authority
// is that of the URL, for this request only; hosts are the values of Host.
func (c *call) serveAbsolute(client *trackedConn, hosts []string) {
	t, refused := absoluteTarget(c.r)
	if refused != nil {
		c.refuse(refused)
		return
	}
	c.setTarget(t)
	decided := c.proxy.passage(t)
	if decided == routing.Intercept {
		c.exchange.Kind = KindRequest
	}
	if !client.confidential() {
		c.refuse(&Refusal{Status: http.StatusForbidden, Code: CodeTunnelRequired,
			Message: "the client sent a request for an https:// URL to the proxy without TLS, over a network where others can read it"})
		return
	}
	c.r = originForm(c.r, t, hosts)
	c.exchange.Path = c.r.URL.Path
	if refused := checkRequest(c.r, t, "its URL, "); refused != nil {
		c.refuse(refused)
		return
	}
	switch {
	case decided == routing.Intercept || t.isSelf():
		c.serveTarget()
	case decided == routing.Deny:
		c.exchange.Reason = routing.HostDenied
		c.refuse(hostDenied(t.Host))
	default:
		c.exchange.Reason = routing.NoRoute
		c.forwardAbsolute()
	}
}

// forwardAbsolute sends a request to a host without a route, over TLS that is verified.
// Unlike in a tunnel, its placeholders can be seen, and they must not leave.
func (c *call) forwardAbsolute() {
	c.out = outgoing(c.r, c.upstreamURL())
	if carriesPlaceholder(c.out) {
		c.refuse(&Refusal{Status: http.StatusForbidden, Code: CodePlaceholder,
			Message: "not sent: the request has a placeholder, and no connected provider covers " + c.target.String(),
			URL:     "https://" + c.target.authority() + c.r.URL.EscapedPath()})
		return
	}
	c.forwardAny()
}

// forwardAny forwards c.out to a host that the client chose.
func (c *call) forwardAny() {
	if refused := c.proxy.fenced(c.target); refused != nil {
		c.refuse(refused)
		return
	}
	u := c.proxy.upstream
	transports := u.direct
	if next, err := u.proxyFor(c.out); err != nil || next != nil {
		if err := c.proxy.guard.checkRemote(c.target, c.proxy.Fence.allows(c.target)); err != nil {
			c.refuse(dialRefusal(c.target, err))
			return
		}
		transports = u.proxied
	}
	c.via = transports.forScheme(c.out.URL.Scheme)
	c.forward()
}

// absoluteTarget returns the authority of a request for an https:// URL.
func absoluteTarget(r *http.Request) (Target, *Refusal) {
	if r.URL.User != nil {
		return Target{}, badRequest("user name in the request target")
	}
	if _, ok := absolutePath(r); !ok {
		return Target{}, badRequest("the host in the request target is not written plainly")
	}
	authority := r.URL.Host
	if r.URL.Port() == "" && !strings.HasSuffix(authority, ":") {
		authority = net.JoinHostPort(r.URL.Hostname(), "443")
	}
	t, err := parseTarget(authority)
	if err != nil {
		return Target{}, badRequest(err.Error())
	}
	return t, nil
}

// absolutePath returns what follows the authority in the request target. It returns false
// if the authority there is not, byte for byte, the one that net/url has read.
func absolutePath(r *http.Request) (path string, ok bool) {
	_, rest, _ := strings.Cut(r.RequestURI, "://")
	path, ok = strings.CutPrefix(rest, r.URL.Host)
	return path, ok && r.URL.Host != "" && (path == "" || path[0] == '/' || path[0] == '?')
}

// originForm returns r as it is sent inside a tunnel to t, so that the same code decides
// it. A request of HTTP/1.0 needs no Host.
func originForm(r *http.Request, t Target, hosts []string) *http.Request {
	in := r.WithContext(r.Context()) // a shallow copy
	in.Host = strings.Join(hosts, ", ")
	if len(hosts) == 0 {
		in.Host = t.authority()
	}
	in.URL = &url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery, ForceQuery: r.URL.ForceQuery}
	in.RequestURI, _ = absolutePath(r)
	switch {
	case in.RequestURI == "" && r.Method == http.MethodOptions: // RFC 9112 section 3.2.4
		in.RequestURI, in.URL.Path = "*", "*"
	case in.URL.Path == "":
		in.RequestURI, in.URL.Path = "/"+in.RequestURI, "/"
	}
	return in
}
