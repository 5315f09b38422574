package intercept

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

const (
	routedHost = "api.example.com"
	otherHost  = "other.example.net"
	realKey    = "sk-real-8d1f6b2c9a"
)

// limit is how long a test waits for the proxy: one that reaches it hangs.
const limit = 20 * time.Second

// rig is a proxy with a real upstream for a host with a route and one without.
type rig struct {
	*Proxy
	t         testing.TB
	addr      string
	served    chan struct{} // closed when Serve has returned
	authority *ca.Authority
	upstream  *httptest.Server // serves routedHost and otherHost
	certs     *ca.Authority    // signs the upstream's certificates

	mu        sync.Mutex // guards all below
	exchanges []Exchange
	seen      []*http.Request
	recorded  chan Exchange
	handler   http.HandlerFunc
}

// key is a Credentials that puts realKey on every request.
type key struct{ injection *providers.Injection }

func (k key) Apply(_ context.Context, r *http.Request, _, _ string) (Applied, error) {
	return Applied{Injection: k.injection}, k.injection.ApplyMasked(r)
}

func (k key) Renew(context.Context, string, string, uint64) bool { return false }

func definition(t testing.TB, hostURL string) *providers.Definition {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":1,"name":"example","display_name":"Example","auth_type":"api_key","flow":"api_key",
		"host_url":%q,"api_key":{"header_name":"Authorization","header_prefix":"Bearer","env_var":"EXAMPLE_API_KEY"},"docs":"https://example.com/docs"}`, hostURL))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func table(t testing.TB, d *providers.Definition, b routing.Binding, o routing.Options) *routing.Table {
	t.Helper()
	b.Definition = d
	table, err := routing.New([]routing.Binding{b}, o)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

var ready = routing.Binding{Provider: "example", Connection: "default", State: routing.Ready, Default: true}

// newRig starts a proxy on loopback; change may alter it first.
func newRig(t testing.TB, change func(*rig)) *rig {
	t.Helper()
	certs, err := ca.New(ca.Options{CommonName: "upstream test authority"})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := ca.New(ca.Options{CommonName: "proxy test authority"})
	if err != nil {
		t.Fatal(err)
	}
	d := definition(t, routedHost)
	injection, err := d.Injection(providers.Credential{Values: providers.Values{"api_key": secret.New(realKey)}})
	if err != nil {
		t.Fatal(err)
	}
	routes := table(t, d, ready, routing.Options{})
	r := &rig{t: t, authority: authority, certs: certs, recorded: make(chan Exchange, 1024)}
	r.upstream = httptest.NewUnstartedServer(http.HandlerFunc(r.serveUpstream))
	r.upstream.EnableHTTP2 = true
	r.upstream.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return certs.Leaf(h.ServerName) }}
	r.upstream.StartTLS()
	t.Cleanup(r.upstream.Close)
	to, err := parseTarget(r.upstream.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r.Proxy = &Proxy{
		Routes: func() *routing.Table { return routes }, Authority: authority, Credentials: key{injection},
		Record:        r.record,
		UpstreamRoots: pool(t, certs),
		ConnectTo:     []ConnectTo{{From: Target{routedHost, 443}, To: to}, {From: Target{otherHost, 443}, To: to}},
	}
	if change != nil {
		change(r)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.serve(l)
	return r
}

// sibling is a second proxy, with first's routes and upstream. It does not serve yet.
func sibling(first *rig, p *Proxy) *rig {
	p.Routes, p.Authority, p.Credentials, p.ConnectTo, p.UpstreamRoots = first.Routes, first.authority, first.Credentials, first.ConnectTo, first.UpstreamRoots
	r := &rig{Proxy: p, t: first.t, authority: first.authority, certs: first.certs, upstream: first.upstream, recorded: make(chan Exchange, 1024)}
	p.Record = r.record
	return r
}

func (r *rig) serve(l net.Listener) {
	r.addr = l.Addr().String()
	r.served = make(chan struct{})
	go func() { defer close(r.served); r.Serve(l) }()
	r.t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		r.Shutdown(ctx)
		select {
		case <-r.served:
		case <-time.After(limit):
			r.t.Error("Serve did not return after Shutdown")
		}
	})
}

func pool(t testing.TB, a *ca.Authority) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(a.CertificatePEM()) {
		t.Fatal("no certificate in the authority's PEM")
	}
	return p
}

func (r *rig) record(x Exchange) {
	r.mu.Lock()
	r.exchanges = append(r.exchanges, x)
	r.mu.Unlock()
	select {
	case r.recorded <- x:
	default:
	}
}

// next returns the next exchange that the proxy records.
func (r *rig) next() Exchange {
	r.t.Helper()
	select {
	case x := <-r.recorded:
		return x
	case <-time.After(limit):
		r.t.Fatal("nothing was recorded")
		return Exchange{}
	}
}

func (r *rig) serveUpstream(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	r.seen = append(r.seen, q)
	handler := r.handler
	r.mu.Unlock()
	if handler != nil {
		handler(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream") // which is not searched for the key
	fmt.Fprintf(w, "%s %s host=%s auth=%s", q.Method, q.URL.RequestURI(), q.Host, q.Header.Get("Authorization"))
}

func (r *rig) handle(h http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.handler = h
}

// requests returns the requests that the upstream has seen.
func (r *rig) requests() []*http.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen
}

// client returns a client that uses the proxy, and trusts its authority and the
// upstream's.
func (r *rig) client() *http.Client {
	roots := pool(r.t, r.authority)
	roots.AppendCertsFromPEM(r.certs.CertificatePEM())
	transport := &http.Transport{
		Proxy:             http.ProxyURL(&url.URL{Scheme: "http", Host: r.addr}),
		TLSClientConfig:   &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2: true, DisableCompression: true,
	}
	r.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: limit, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// http1 returns a client without HTTP/2.
func (r *rig) http1() *http.Client {
	c := r.client()
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	c.Transport.(*http.Transport).TLSClientConfig.NextProtos = []string{"http/1.1"}
	return c
}

// absolute returns a client that sends https:// URLs to the proxy in absolute form, as
// some HTTP libraries do.
func (r *rig) absolute() *http.Client {
	c := r.http1()
	transport := c.Transport.(*http.Transport)
	transport.Proxy, transport.TLSNextProto = nil, map[string]func(string, *tls.Conn) http.RoundTripper{}
	transport.RegisterProtocol("https", absoluteForm{r.addr, transport})
	return c
}

type absoluteForm struct {
	proxy     string
	transport http.RoundTripper
}

func (a absoluteForm) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.WithContext(r.Context())
	sent.URL = &url.URL{Scheme: "http", Host: a.proxy, Opaque: "https://" + r.URL.Host + r.URL.RequestURI()}
	if sent.Host == "" {
		sent.Host = r.URL.Host
	}
	return a.transport.RoundTrip(sent)
}

// raw returns a plain connection to the proxy.
func (r *rig) raw() net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		r.t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(limit))
	r.t.Cleanup(func() { c.Close() })
	return c
}

// connect returns a connection on which a CONNECT to target was approved.
func (r *rig) connect(target string) net.Conn {
	r.t.Helper()
	c := r.raw()
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	if head := readRawHead(r.t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		r.t.Fatalf("CONNECT %s: %q", target, head)
	}
	return c
}

// inside returns an intercepted connection for HTTP/1.1.
func (r *rig) inside() *tls.Conn {
	r.t.Helper()
	return r.insideHost(routedHost)
}

// insideHost is inside for another host.
func (r *rig) insideHost(host string) *tls.Conn {
	r.t.Helper()
	c := tls.Client(r.connect(host+":443"), &tls.Config{RootCAs: pool(r.t, r.authority), ServerName: host})
	if err := c.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	return c
}

// readRawHead reads up to the blank line, and no byte more.
func readRawHead(t testing.TB, c io.Reader) string {
	t.Helper()
	var b strings.Builder
	one := make([]byte, 1)
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		if _, err := c.Read(one); err != nil {
			t.Fatalf("reading a head, after %q: %v", b.String(), err)
		}
		b.Write(one)
	}
	return b.String()
}

// exchange writes request bytes and reads one response.
func exchange(t testing.TB, c net.Conn, request string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("response to %q: %v", request, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func get(t testing.TB, c *http.Client, u string, header ...string) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest("GET", u, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Add(header[i], header[i+1])
	}
	response, err := c.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

// readAll reads to the end of the stream.
func readAll(t testing.TB, c io.Reader) string {
	t.Helper()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", b, err)
	}
	return string(b)
}
