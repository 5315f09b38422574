package flows

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/authsome/authsome/internal/hosts"
	"github.com/authsome/authsome/internal/proxyenv"
)

const (
	// maxAnswer bounds an endpoint's answer, in bytes.
	maxAnswer = 1 << 20
	// maxWait bounds a request, from dialling to the end of the answer.
	maxWait = 30 * time.Second
	// dialTimeout bounds dialling, and then the TLS handshake.
	dialTimeout = 10 * time.Second
)

// client returns the client for a request to an address that the definition or the user
// named.
func (c *Config) client() *http.Client { return c.clientWith(plainTransport) }

// discoveryClient returns the client for a request to a discovered address. Unless the host
// is in trusted, it must have a public IP address. This is checked when it is dialled,
// because only then the address is known.
func (c *Config) discoveryClient(trusted []string) *http.Client {
	return c.clientWith(func() *http.Transport { return guardedTransport(trusted) })
}

// clientWith returns c.HTTP, or else a client with a new transport. It keeps no cookies and
// follows no redirects.
func (c *Config) clientWith(transport func() *http.Transport) *http.Client {
	var h http.Client
	if c.HTTP != nil {
		h = *c.HTTP
	} else {
		h = http.Client{Transport: transport(), Timeout: maxWait}
	}
	h.Jar = nil
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

// plainTransport returns a transport that uses each connection once, because net/http
// repeats a request if a reused connection breaks.
func plainTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  proxyenv.ForRequest,
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: 64 << 10,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
	}
}

// guardedTransport returns a plainTransport that refuses addresses that are not public.
func guardedTransport(trusted []string) *http.Transport {
	g := &guard{trusted: trusted}
	t := plainTransport()
	t.Proxy, t.DialContext = g.proxy, g.dial
	return t
}

// guard keeps requests to discovered addresses away from this machine and its network.
type guard struct {
	trusted []string
	proxies sync.Map // the proxies of the environment, as host:port
}

// proxy is [proxyenv.ForRequest]. With a proxy, the target's address is not known
// here unless the URL contains it; then it is checked here.
func (g *guard) proxy(r *http.Request) (*url.URL, error) {
	p, err := proxyenv.ForRequest(r)
	if p == nil || err != nil {
		return p, err
	}
	if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil && !g.trusts(r.URL.Hostname()) {
		if err := checkPublic(ip); err != nil {
			return nil, err
		}
	}
	port := p.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080", "socks5h": "1080"}[p.Scheme]
	}
	g.proxies.Store(net.JoinHostPort(p.Hostname(), port), true)
	return p, nil
}

func (g *guard) trusts(host string) bool {
	host, err := hosts.Normalize(host)
	return err == nil && slices.Contains(g.trusted, host)
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: dialTimeout}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, proxy := g.proxies.Load(address); !proxy && !g.trusts(host) {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return errors.New("not an IP address")
			}
			return checkPublic(at.Addr())
		}
	}
	return d.DialContext(ctx, network, address)
}

// checkPublic refuses an address that is not on the public internet.
func checkPublic(ip netip.Addr) error {
	if hosts.KindOf(ip) != hosts.Public {
		return &notPublicError{ip.Unmap().WithZone("")}
	}
	return nil
}

type notPublicError struct{ ip netip.Addr }

func (e *notPublicError) Error() string {
	return e.ip.String() + " is not a public address; discovered endpoints must have one"
}

// parseEndpoint parses the URL of an endpoint: https, or http to this machine for
// development, without a user and a fragment (RFC 6749 section 3.1).
func parseEndpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, errors.New("not a URL")
	case u.Scheme != "https" && !(u.Scheme == "http" && hosts.IsLoopback(u.Hostname())):
		return nil, errors.New("not an https URL")
	case u.Hostname() == "" || u.Opaque != "":
		return nil, errors.New("the URL has no host")
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("the URL has a user or a fragment")
	}
	return u, nil
}
