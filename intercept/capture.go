package intercept

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/hosts"
)

// Capture says what the addresses mean that captured connections were made to. Its
// functions are called concurrently; one that is nil knows no address.
//
// A captured connection is served like one whose CONNECT was approved: it has one
// authority, and the same code decides, intercepts and passes through. gomitmproxy does not
// see it, because there is no CONNECT that it could parse. The address that the client
// connected to is never dialled: it may be made up, stale, or another service's.
type Capture struct {
	// Name returns the name that DNS gave the client for an address.
	Name func(netip.Addr) (string, bool)
	// Raw returns the target of an address whose connections are passed on without being
	// read, so that the server may speak first. It is decided as for a CONNECT to the
	// target: a host with a route is intercepted, and a [Fence] must allow the target.
	Raw func(netip.AddrPort) (Target, bool)
}

// acceptCaptured accepts connections to one of the Captured listeners.
func (p *Proxy) acceptCaptured(l net.Listener) error {
	return p.accept(l, func(raw net.Conn) bool { return p.admitPrivate(&trackedConn{Conn: raw, captured: true}) })
}

// greetCaptured serves a new captured connection. Its first byte says whether the client
// speaks TLS or HTTP.
func (p *Proxy) greetCaptured(c *trackedConn) {
	defer p.closeOnPanic(c)
	if address, ok := addrPort(c.LocalAddr()); ok && p.Capture.Raw != nil {
		if t, ok := p.Capture.Raw(address); ok {
			if refused := p.openCaptured(c, t, nil); refused != nil {
				p.recordRefused(t, refused)
				c.Close()
			}
			return
		}
	}
	first := make([]byte, 1024)
	c.SetReadDeadline(time.Now().Add(idleTimeout))
	n, err := c.Read(first)
	switch {
	case n == 0 && err != nil:
		c.Close()
	case n > 0 && first[0] == recordHandshake:
		p.greetTLS(c, first[:n])
	default:
		p.greetHTTP(c, first[:n])
	}
}

// greetTLS opens the target that a ClientHello names, which begins with the bytes in early.
// Without a server name in it, the name is the one that DNS gave.
func (p *Proxy) greetTLS(c *trackedConn, early []byte) {
	t, named := p.destination(c)
	hello, serverName, err := readHello(c, early)
	var refused *Refusal
	switch {
	case err == errClientLeft:
		c.Close()
		return
	case err != nil:
		refused = badRequest(err.Error())
	case serverName != "":
		host, err := hosts.Normalize(serverName)
		if err != nil {
			refused = badRequest("server name in TLS: " + err.Error())
			break
		}
		t.Host = host
	case !named:
		refused = targetUnknown(t, "the client named no server in TLS, and DNS gave no name for the address")
	}
	if refused == nil {
		refused = p.openCaptured(c, t, hello)
	}
	if refused != nil {
		p.recordRefused(t, refused)
		sendAlert(c, refused)
		linger(c)
	}
}

// openCaptured decides a captured connection to t and serves it, unless it returns a
// refusal.
func (p *Proxy) openCaptured(c *trackedConn, t Target, early []byte) (refused *Refusal) {
	defer p.refuseOnPanic(&refused)
	if !p.handling.enter() {
		return internalError()
	}
	defer p.handling.leave()
	a, refused := p.open(c, t)
	if refused == nil {
		a.serve(c, early)
	}
	return refused
}

// recordRefused records a captured connection that was refused, with what a refused
// CONNECT leaves. The client gets no status.
func (p *Proxy) recordRefused(t Target, r *Refusal) {
	if p.handling.enter() {
		defer p.handling.leave()
		p.Record(Exchange{Kind: KindRefused, Method: http.MethodConnect, Host: t.Host, Port: t.Port, Start: time.Now(), Code: r.Code})
	}
}

// destination returns what c's address means: the name that DNS gave for it, or else the
// address itself, which is for records only, and false.
func (p *Proxy) destination(c *trackedConn) (t Target, named bool) {
	address, _ := addrPort(c.LocalAddr())
	t = Target{Host: address.Addr().WithZone("").String(), Port: int(address.Port())}
	if p.Capture.Name == nil {
		return t, false
	}
	name, named := p.Capture.Name(address.Addr())
	host, err := hosts.Normalize(name)
	if !named || err != nil {
		return t, false
	}
	return Target{Host: host, Port: t.Port}, true
}

// serveCaptured answers a request in origin form on a captured connection, as one in
// absolute form for the host that Host names. Each request of the connection has its own.
func (c *call) serveCaptured(client *trackedConn, values []string) {
	t, refused := c.proxy.hostTarget(client, values)
	c.setTarget(t)
	if refused != nil {
		c.refuse(refused)
		return
	}
	if !strings.HasPrefix(c.r.RequestURI, "/") {
		c.refuse(badRequest("request target is not a path"))
		return
	}
	u := c.r.URL
	c.r = c.r.WithContext(c.r.Context()) // a shallow copy
	c.r.URL = &url.URL{Scheme: "http", Host: t.String(), Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery, ForceQuery: u.ForceQuery}
	c.servePlain(client)
}

// hostTarget returns the target that the values of Host name on a captured connection:
// their host, on the port that the client connected to. Without Host, the name is the one
// that DNS gave. With a refusal, the target is for the record.
func (p *Proxy) hostTarget(client *trackedConn, values []string) (Target, *Refusal) {
	at, named := p.destination(client)
	value := strings.Join(values, ", ")
	if value == "" {
		if !named {
			return at, targetUnknown(at, "the request has no Host, and DNS gave no name for the address")
		}
		return at, nil
	}
	t, err := parseTarget(value)
	if err != nil { // it has no port
		t, err = parseTarget(value + ":" + strconv.Itoa(at.Port))
	}
	switch {
	case err != nil:
		return at, badRequest("Host: " + err.Error())
	case t.Port != at.Port:
		return at, &Refusal{Status: http.StatusMisdirectedRequest, Code: CodeAuthorityMismatch, Message: "the request names another port than its connection to port " + strconv.Itoa(at.Port)}
	}
	return t, nil
}

// targetUnknown refuses a captured connection to t, an address.
func targetUnknown(t Target, message string) *Refusal {
	return &Refusal{Status: http.StatusBadRequest, Code: CodeTargetUnknown, Host: t.String(), Message: message + ": " + t.String()}
}
