package intercept

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/authsome/authsome/internal/hosts"
)

// ConnectTo sends connections for one authority to another address, as curl's
// option of that name does. The name in TLS and in Host stays that of From.
type ConnectTo struct {
	From Target
	To   Target
}

// ParseConnectTo parses HOST:PORT:HOST2:PORT2. IPv6 addresses are written in
// brackets.
func ParseConnectTo(s string) (ConnectTo, error) {
	// At the first colon that has an authority on both sides.
	for i := range len(s) {
		if s[i] != ':' {
			continue
		}
		from, errFrom := parseTarget(s[:i])
		to, errTo := parseTarget(s[i+1:])
		if errFrom == nil && errTo == nil {
			return ConnectTo{From: from, To: to}, nil
		}
	}
	return ConnectTo{}, fmt.Errorf("%q is not HOST:PORT:HOST2:PORT2", s)
}

// maxResponseHead limits a response's head. Without it net/http holds 10 MiB for each.
const maxResponseHead = 1 << 20

// upstream opens connections to the real services.
type upstream struct {
	proxy     *Proxy
	redirects map[Target]Target
	tlsConfig *tls.Config
	direct    pair // for hosts that the client chose; shared, since no credential is sent on them
	proxied   pair // the same through an upstream proxy, which the operator chose

	mu         sync.Mutex // guards transports
	transports map[connectionKey]*http.Transport
}

// pair has a transport for each scheme.
type pair struct{ http, https *http.Transport }

func (p pair) forScheme(scheme string) *http.Transport {
	if scheme == "http" {
		return p.http
	}
	return p.https
}

// connectionKey names a connection of a provider. The zero value means no
// credential.
type connectionKey struct{ provider, connection string }

func newUpstream(p *Proxy) *upstream {
	u := &upstream{proxy: p, redirects: make(map[Target]Target), transports: make(map[connectionKey]*http.Transport)}
	for _, c := range p.ConnectTo {
		u.redirects[c.From] = c.To
	}
	u.tlsConfig = &tls.Config{RootCAs: p.UpstreamRoots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(256)}
	u.direct = pair{u.cleartext(u.dialAny), u.secure(u.dialAny)}
	u.proxied = pair{u.cleartext(u.dialNamed), u.secure(u.dialNamed)}
	return u
}

// transport returns the transport of a connection. Two credentials never share a
// socket, not even to the same host.
func (u *upstream) transport(key connectionKey) *http.Transport {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.transports[key]
	if t == nil {
		t = u.secure(u.dialNamed)
		u.transports[key] = t
	}
	return t
}

// cleartext makes a transport for http://.
func (u *upstream) cleartext(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext: u.steady(dial), Proxy: u.proxyFor, DisableCompression: true, MaxIdleConnsPerHost: 16,
		IdleConnTimeout: 90 * time.Second, ExpectContinueTimeout: time.Second, ResponseHeaderTimeout: u.proxy.ResponseTimeout,
		MaxResponseHeaderBytes: maxResponseHead,
	}
}

// secure makes a transport for https:// with its own sockets.
func (u *upstream) secure(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	return &http.Transport{
		DialContext:           u.steady(dial),
		Proxy:                 u.proxyFor,
		TLSClientConfig:       u.tlsConfig.Clone(),
		TLSHandshakeTimeout:   handshakeTime,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true, // encoded bodies are passed on unchanged
		MaxIdleConnsPerHost:   64,
		IdleConnTimeout:       90 * time.Second,
		ExpectContinueTimeout: time.Second,
		ResponseHeaderTimeout: u.proxy.ResponseTimeout,

		MaxResponseHeaderBytes: maxResponseHead,
		// Notices a dead HTTP/2 connection without limiting a slow answer.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
	}
}

// proxyFor returns the upstream proxy for a request, or nil. A redirected target is
// connected to directly, and so is one on this machine that the [Fence] allows: for
// another proxy, localhost is another machine.
func (u *upstream) proxyFor(r *http.Request) (*url.URL, error) {
	if u.proxy.UpstreamProxy == nil {
		return nil, nil
	}
	if t, ok := targetOf(r.URL); ok {
		if _, redirected := u.redirects[t]; redirected || hosts.MayBeLoopback(t.Host) && u.proxy.Fence.allows(t) {
			return nil, nil
		}
	}
	return u.proxy.UpstreamProxy(r.URL)
}

func targetOf(u *url.URL) (Target, bool) {
	port := u.Port()
	if port == "" {
		port = "443"
		if u.Scheme == "http" {
			port = "80"
		}
	}
	t, err := parseTarget(net.JoinHostPort(u.Hostname(), port))
	return t, err == nil
}

func (u *upstream) closeIdle() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, t := range []*http.Transport{u.direct.http, u.direct.https, u.proxied.http, u.proxied.https} {
		t.CloseIdleConnections()
	}
	for _, t := range u.transports {
		t.CloseIdleConnections()
	}
}
