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
	"time"

	"golang.org/x/net/proxy"
)

// dialNamed dials for an intercepted request: its host is named by a route.
func (u *upstream) dialNamed(ctx context.Context, network, address string) (net.Conn, error) {
	return u.dial(ctx, network, address, true)
}

// dialAny dials for a tunnel or a plain request, to a host that the client chose.
func (u *upstream) dialAny(ctx context.Context, network, address string) (net.Conn, error) {
	return u.dial(ctx, network, address, false)
}

func (u *upstream) dial(ctx context.Context, network, address string, named bool) (net.Conn, error) {
	if t, err := parseTarget(address); err == nil {
		if to, ok := u.redirects[t]; ok {
			address, named = to.String(), true
		}
		named = named || u.proxy.Fence.allows(t)
	}
	d := net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second, Control: u.proxy.guard.control(named)}
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := u.proxy.guard.checkConnected(c, named); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// steady returns dial with a limit on the writes of the connections.
func (u *upstream) steady(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return u.proxy.steady(c), nil
	}
}

// UpstreamSchemes are the schemes that the URL of [Proxy.UpstreamProxy] can have.
var UpstreamSchemes = []string{"http", "https", "socks5", "socks5h"}

// dialTunnel opens the upstream side of a tunnel, through the upstream proxy if
// there is one.
func (u *upstream) dialTunnel(ctx context.Context, t Target) (net.Conn, error) {
	via, err := u.proxyFor(&http.Request{URL: &url.URL{Scheme: "https", Host: t.String()}})
	if err != nil {
		return nil, fmt.Errorf("choose the upstream proxy: %w", err)
	}
	if via == nil {
		return u.dialAny(ctx, "tcp", t.String())
	}
	if err := u.proxy.guard.checkRemote(t, u.proxy.Fence.allows(t)); err != nil {
		return nil, err
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

// contextDialer makes x/net/proxy dial with a function of this package.
type contextDialer func(ctx context.Context, network, address string) (net.Conn, error)

func (d contextDialer) Dial(network, address string) (net.Conn, error) {
	return d(context.Background(), network, address)
}

func (d contextDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return d(ctx, network, address)
}

// dialConnect opens a tunnel through an HTTP proxy (RFC 9110 section 9.3.6).
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
		return nil, fmt.Errorf("connect to upstream proxy %s: %w", via.Redacted(), err)
	}
	stop := interruptOnDone(ctx, c)
	opened, err := u.requestTunnel(c, via, t)
	stop()
	if err == nil {
		err = ctx.Err() // the connection may have been interrupted after its last read
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return opened, nil
}

// interruptOnDone makes reads and writes of c fail once ctx is done. stop ends
// that, and returns when c is not touched any more.
func interruptOnDone(ctx context.Context, c net.Conn) (stop func()) {
	interrupted := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(interrupted)
		c.SetDeadline(time.Now())
	})
	return func() {
		if !cancel() {
			<-interrupted
		}
	}
}

// requestTunnel sends a CONNECT for t on c, a connection to the upstream proxy via,
// and returns the tunnel. c stays the caller's to close after an error.
func (u *upstream) requestTunnel(c net.Conn, via *url.URL, t Target) (net.Conn, error) {
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
		return nil, fmt.Errorf("request a tunnel from upstream proxy %s: %w", via.Redacted(), err)
	}
	reader := bufio.NewReader(c)
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return nil, fmt.Errorf("read the answer of upstream proxy %s: %w", via.Redacted(), err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("upstream proxy %s refused a tunnel to %s: %s", via.Redacted(), t, response.Status)
	}
	early, _ := reader.Peek(reader.Buffered())
	return &prefixConn{Conn: c, early: early}, nil
}
