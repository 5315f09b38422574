package flows

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/authsome/authsome/internal/hosts"
)

const (
	// maxAnswer bounds an endpoint's answer.
	maxAnswer = 1 << 20
	// maxWait bounds a request, from the dial to the end of the answer.
	maxWait = 30 * time.Second
)

// client returns the client for one request. A named host is one that the user
// or the definition wrote down. With discovered set, other hosts came from a
// document that somebody else wrote, and must be public ones: checked where the
// address is known, when it is dialled.
func (c *Config) client(discovered bool, named ...string) *http.Client {
	var h http.Client
	if c.HTTP != nil {
		h = *c.HTTP
	} else {
		h = http.Client{Transport: transport(discovered, named), Timeout: maxWait}
	}
	h.Jar = nil
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &h
}

// transport makes connections of its own, so that nothing is ever sent again on
// another one.
func transport(discovered bool, named []string) *http.Transport {
	guard := &guard{named: named}
	t := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	}
	if discovered {
		t.Proxy = guard.proxy
		t.DialContext = guard.dial
	}
	return t
}

// guard keeps requests to discovered endpoints away from this machine and its
// network.
type guard struct {
	named   []string
	proxies sync.Map // host:port of a proxy that the environment names
}

// proxy is [http.ProxyFromEnvironment]. What is dialled then is the proxy, and
// the target's address is not known here; a literal one is.
func (g *guard) proxy(r *http.Request) (*url.URL, error) {
	p, err := http.ProxyFromEnvironment(r)
	if p == nil || err != nil {
		return p, err
	}
	if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil && !g.isNamed(r.URL.Hostname()) {
		if err := public(ip); err != nil {
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

func (g *guard) isNamed(host string) bool {
	host, err := hosts.Normalize(host)
	return err == nil && slices.Contains(g.named, host)
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if _, proxy := g.proxies.Load(address); !proxy && !g.isNamed(host) {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return errors.New("not an address")
			}
			return public(at.Addr())
		}
	}
	return d.DialContext(ctx, network, address)
}

// public refuses an address that is not on the public internet.
func public(ip netip.Addr) error {
	if hosts.KindOf(ip) != hosts.Public {
		return &notPublicError{ip.Unmap().WithZone("")}
	}
	return nil
}

type notPublicError struct{ ip netip.Addr }

func (e *notPublicError) Error() string {
	return e.ip.String() + " is not a public address, and a discovered endpoint must be on one"
}

// parseEndpoint reads the URL of an endpoint: https, or http to this machine for
// development, without a user or fragment (RFC 6749 section 3.1).
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

// reply is a complete answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// once is a body that can be read one time, so that nobody sends it again, and
// that remembers whether anybody began to.
type once struct {
	r    io.Reader
	read atomic.Bool
}

func (o *once) Read(p []byte) (int, error) {
	o.read.Store(true)
	return o.r.Read(p)
}

func (o *once) Close() error { return nil }

// send makes one request, and never a second one. Its errors are [*TokenError]:
// Transient if no body was given away, Ambiguous if one was and no complete
// answer came, Protocol if the answer is too large.
func send(ctx context.Context, h *http.Client, method string, u *url.URL, header http.Header, body string) (*reply, error) {
	return exchange(ctx, h, method, u, header, body, maxAnswer)
}

// sendHead asks for an answer's head; what follows could be an endless stream.
func sendHead(ctx context.Context, h *http.Client, u *url.URL, header http.Header) (*reply, error) {
	return exchange(ctx, h, http.MethodGet, u, header, "", 0)
}

func exchange(ctx context.Context, h *http.Client, method string, u *url.URL, header http.Header, body string, limit int64) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, method, u.String(), nil)
	if err != nil {
		return nil, &TokenError{Kind: Protocol, Err: errors.New("the request cannot be made")}
	}
	r.Header = header
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", "authsome")
	}
	out := &once{r: strings.NewReader(body)}
	if body != "" {
		r.Body, r.ContentLength = out, int64(len(body))
	}
	failed := func(err error) *TokenError {
		kind := Transient
		if out.read.Load() {
			kind = Ambiguous
		}
		return &TokenError{Kind: kind, Err: transportError(err)}
	}
	resp, err := h.Do(r)
	if err != nil {
		return nil, failed(err)
	}
	defer resp.Body.Close()
	if limit == 0 {
		return &reply{resp.StatusCode, resp.Header, nil}, nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	switch {
	case err != nil:
		return nil, failed(err)
	case int64(len(data)) > limit:
		return nil, protocolError(resp.StatusCode, "the answer is larger than %d bytes", limit)
	}
	return &reply{resp.StatusCode, resp.Header, data}, nil
}

// transportError keeps what helps to mend an error, and drops what might repeat
// the request: the URL, in which a token can stand, and bytes of a malformed
// answer.
func transportError(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return context.DeadlineExceeded
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*notPublicError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("tls: " + e.Msg)
	}
	return errors.New("the connection broke")
}
