package intercept

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/proxy"
)

// ConnectTo redirects where connections to an authority really go, as curl's
// option of that name does. The name in TLS and in Host stays From's.
type ConnectTo struct {
	From Target
	To   Target
}

// ParseConnectTo parses HOST:PORT:HOST2:PORT2; IPv6 addresses stand in brackets.
func ParseConnectTo(s string) (ConnectTo, error) {
	// Splitting at every colon that is followed by a port and another colon, the
	// first one at which both halves are authorities wins.
	for i := range len(s) {
		if s[i] != ':' {
			continue
		}
		from, errFrom := ParseTarget(s[:i])
		to, errTo := ParseTarget(s[i+1:])
		if errFrom == nil && errTo == nil {
			return ConnectTo{From: from, To: to}, nil
		}
	}
	return ConnectTo{}, fmt.Errorf("%q is not HOST:PORT:HOST2:PORT2", s)
}

// upstream opens connections to the real services.
type upstream struct {
	proxy     *Proxy
	redirects map[Target]Target
	tlsConfig *tls.Config
	plain     *http.Transport // for http://, shared by all: no credential travels on it

	mu         sync.Mutex // guards transports
	transports map[string]*http.Transport
}

func newUpstream(p *Proxy) *upstream {
	u := &upstream{proxy: p, redirects: make(map[Target]Target), transports: make(map[string]*http.Transport)}
	for _, c := range p.ConnectTo {
		u.redirects[c.From] = c.To
	}
	u.plain = &http.Transport{
		DialContext: u.dialAny, Proxy: u.proxyFor, DisableCompression: true, MaxIdleConnsPerHost: 16,
		IdleConnTimeout: 90 * time.Second, ExpectContinueTimeout: time.Second, ResponseHeaderTimeout: p.ResponseTimeout,
	}
	u.tlsConfig = &tls.Config{RootCAs: p.UpstreamRoots, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(256)}
	return u
}

// transport is the one for a connection: credential sets never share a socket,
// not even to the same host.
func (u *upstream) transport(key string) *http.Transport {
	u.mu.Lock()
	defer u.mu.Unlock()
	t := u.transports[key]
	if t == nil {
		t = &http.Transport{
			DialContext:           u.dialNamed,
			Proxy:                 u.proxyFor,
			TLSClientConfig:       u.tlsConfig.Clone(),
			TLSHandshakeTimeout:   handshakeTime,
			ForceAttemptHTTP2:     true,
			DisableCompression:    true, // encodings pass through untouched
			MaxIdleConnsPerHost:   64,
			IdleConnTimeout:       90 * time.Second,
			ExpectContinueTimeout: time.Second,
			ResponseHeaderTimeout: u.proxy.ResponseTimeout,
			// Notices a dead HTTP/2 connection without limiting a slow answer.
			HTTP2: &http.HTTP2Config{SendPingTimeout: 30 * time.Second, PingTimeout: 15 * time.Second},
		}
		u.transports[key] = t
	}
	return t
}

func (u *upstream) proxyFor(r *http.Request) (*url.URL, error) {
	if u.proxy.UpstreamProxy == nil {
		return nil, nil
	}
	if t, ok := targetOf(r.URL); ok {
		if _, redirected := u.redirects[t]; redirected {
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
	t, err := ParseTarget(net.JoinHostPort(u.Hostname(), port))
	return t, err == nil
}

// dialNamed dials for an intercepted request: its host was named by a route.
func (u *upstream) dialNamed(ctx context.Context, network, address string) (net.Conn, error) {
	return u.dial(ctx, network, address, true)
}

// dialAny dials for a tunnel or a plain request, to a host the client chose.
func (u *upstream) dialAny(ctx context.Context, network, address string) (net.Conn, error) {
	return u.dial(ctx, network, address, false)
}

func (u *upstream) dial(ctx context.Context, network, address string, named bool) (net.Conn, error) {
	if t, err := ParseTarget(address); err == nil {
		if to, ok := u.redirects[t]; ok {
			address, named = to.String(), true
		}
	}
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Control: u.proxy.guard.control(named)}
	return d.DialContext(ctx, network, address)
}

// dialTunnel opens the far side of a blind tunnel, through the upstream proxy
// where one is set.
func (u *upstream) dialTunnel(ctx context.Context, t Target) (net.Conn, error) {
	via, err := u.proxyFor(&http.Request{URL: &url.URL{Scheme: "https", Host: t.String()}})
	if err != nil {
		return nil, fmt.Errorf("choose the upstream proxy: %w", err)
	}
	if via == nil {
		return u.dialAny(ctx, "tcp", t.String())
	}
	if strings.HasPrefix(via.Scheme, "socks5") {
		return u.dialSOCKS(ctx, via, t)
	}
	return u.dialConnect(ctx, via, t)
}

func (u *upstream) dialSOCKS(ctx context.Context, via *url.URL, t Target) (net.Conn, error) {
	d, err := proxy.FromURL(via, contextDialer(u.dialNamed))
	if err != nil {
		return nil, fmt.Errorf("upstream proxy %s: %w", via.Redacted(), err)
	}
	return d.(proxy.ContextDialer).DialContext(ctx, "tcp", t.String())
}

// contextDialer lets x/net/proxy dial through a function of ours.
type contextDialer func(ctx context.Context, network, address string) (net.Conn, error)

func (d contextDialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d contextDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// dialConnect asks an HTTP proxy for a tunnel (RFC 9110 section 9.3.6).
func (u *upstream) dialConnect(ctx context.Context, via *url.URL, t Target) (net.Conn, error) {
	port := via.Port()
	if port == "" {
		port = "80"
		if via.Scheme == "https" {
			port = "443"
		}
	}
	c, err := u.dialNamed(ctx, "tcp", net.JoinHostPort(via.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("dial upstream proxy %s: %w", via.Redacted(), err)
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Now()) })
	defer stop()
	if via.Scheme == "https" {
		config := u.tlsConfig.Clone()
		config.ServerName = via.Hostname()
		c = tls.Client(c, config)
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: t.String()}, Host: t.String(), Header: http.Header{}}
	if via.User != nil {
		password, _ := via.User.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(via.User.Username()+":"+password)))
	}
	if err := request.Write(c); err != nil {
		c.Close()
		return nil, fmt.Errorf("ask upstream proxy %s for a tunnel: %w", via.Redacted(), err)
	}
	reader := bufio.NewReader(c)
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("answer of upstream proxy %s: %w", via.Redacted(), err)
	}
	if response.StatusCode != http.StatusOK {
		c.Close()
		return nil, fmt.Errorf("upstream proxy %s refused a tunnel to %s: %s", via.Redacted(), t, response.Status)
	}
	early, _ := reader.Peek(reader.Buffered())
	return &prefixConn{Conn: c, early: early}, nil
}

func (u *upstream) closeIdle() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.plain.CloseIdleConnections()
	for _, t := range u.transports {
		t.CloseIdleConnections()
	}
}
