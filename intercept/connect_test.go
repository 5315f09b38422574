package intercept

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// A host that is no route is the upstream's own: its certificate, its bytes, and
// no credential.
func TestTunnelIsTheUpstreams(t *testing.T) {
	r := newRig(t, nil)
	response, body := get(t, r.client(), "https://"+otherHost+"/x")
	if got := response.TLS.PeerCertificates[0].Issuer.CommonName; got != "upstream test authority" {
		t.Errorf("client was shown a certificate by %q", got)
	}
	if want := "GET /x host=" + otherHost + " auth="; body != want {
		t.Errorf("upstream saw %q, want %q", body, want)
	}
}

func TestRouteIsIntercepted(t *testing.T) {
	for _, proto := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(proto, func(t *testing.T) {
			r := newRig(t, nil)
			c := r.client()
			if proto == "HTTP/1.1" {
				c = r.http1()
			}
			response, body := get(t, c, "https://"+routedHost+"/v1/x?q=1", "Authorization", "Bearer "+providers.PlaceholderMark)
			if response.Proto != proto {
				t.Errorf("spoke %s, want %s", response.Proto, proto)
			}
			if got := response.TLS.PeerCertificates[0].Issuer.CommonName; got != "proxy test authority" {
				t.Errorf("client was shown a certificate by %q", got)
			}
			if want := "GET /v1/x?q=1 host=" + routedHost + " auth=Bearer " + realKey; body != want {
				t.Errorf("upstream saw %q, want %q", body, want)
			}
			if x := r.next(); !x.Injected || x.Status != 200 || x.Path != "/v1/x" || x.Reason != routing.Matched || x.Received != int64(len(body)) {
				t.Errorf("recorded %+v", x)
			}
		})
	}
}

// However the host is spelled in CONNECT, one canonical name comes of it.
func TestConnectSpellings(t *testing.T) {
	r := newRig(t, nil)
	for _, target := range []string{routedHost, "API.Example.COM", routedHost + ".", "aPi.example.com."} {
		c := tls.Client(r.connect(target+":443"), &tls.Config{RootCAs: pool(t, r.authority), ServerName: routedHost})
		_, body := exchange(t, c, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n")
		if want := "host=" + routedHost + " auth=Bearer " + realKey; !strings.Contains(body, want) {
			t.Errorf("CONNECT %s: upstream saw %q", target, body)
		}
	}
}

func TestConnectRefused(t *testing.T) {
	r := newRig(t, nil)
	own := r.addr
	tests := []struct {
		name, request string
		status        int
		code          Code
	}{
		{"content", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET ", 400, CodeBadRequest},
		{"chunked content", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, CodeBadRequest},
		{"no port", "CONNECT " + routedHost + " HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"leading zero", "CONNECT " + routedHost + ":0443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"port too large", "CONNECT " + routedHost + ":65979 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"user name", "CONNECT user:pw@" + routedHost + ":443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"authority as user name", "CONNECT evil.test:443@" + routedHost + ":443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"scheme", "CONNECT http://" + routedHost + ":443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"path", "CONNECT " + routedHost + ":443/x HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"number as address", "CONNECT 2130706433:443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"hexadecimal address", "CONNECT 0x7f.1:443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"zone", "CONNECT [fe80::1%25eth0]:443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"no host", "CONNECT :443 HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"origin form", "CONNECT / HTTP/1.1\r\n\r\n", 400, CodeBadRequest},
		{"bare line feed", "CONNECT " + routedHost + ":443 HTTP/1.1\nHost: x\r\n\r\n", 400, CodeBadRequest},
		{"folded line", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nHost: x\r\n y\r\n\r\n", 400, CodeBadRequest},
		{"NUL", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nHost: \x00\r\n\r\n", 400, CodeBadRequest},
		{"head too large", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nA: " + strings.Repeat("a", maxHeadBytes) + "\r\n\r\n", 431, CodeBadRequest},
		{"cloud metadata", "CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n", 403, CodePrivateTarget},
		{"Azure metadata", "CONNECT 168.63.129.16:80 HTTP/1.1\r\n\r\n", 403, CodePrivateTarget},
		{"the proxy itself", "CONNECT " + own + " HTTP/1.1\r\n\r\n", 403, CodePrivateTarget},
		{"nobody there", "CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", 502, CodeUpstreamUnreachable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			response, body := exchange(t, r.raw(), tt.request)
			if response.StatusCode != tt.status || response.Header.Get(ErrorHeader) != string(tt.code) {
				t.Errorf("got %d %s %q, want %d %s", response.StatusCode, response.Header.Get(ErrorHeader), body, tt.status, tt.code)
			}
			if !response.Close {
				t.Error("the connection stays open")
			}
		})
	}
	if seen := r.requests(); len(seen) > 0 {
		t.Errorf("the upstream saw %d requests", len(seen))
	}
}

// Upgrade in a CONNECT would send gomitmproxy down a path that bypasses every
// hook's answer. It never sees it.
func TestConnectWithUpgrade(t *testing.T) {
	r := newRig(t, nil)
	c := r.raw()
	io.WriteString(c, "CONNECT "+routedHost+":443 HTTP/1.1\r\nHost: "+routedHost+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("answer: %q", head)
	}
	inner := tls.Client(c, &tls.Config{RootCAs: pool(t, r.authority), ServerName: routedHost})
	if _, body := exchange(t, inner, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n"); !strings.Contains(body, realKey) {
		t.Errorf("upstream saw %q", body)
	}
}

// onePacket sends the CONNECT head and the first bytes behind it in one write.
type onePacket struct {
	net.Conn
	head string
}

func (c *onePacket) Write(b []byte) (int, error) {
	if c.head != "" {
		_, err := c.Conn.Write(append([]byte(c.head), b...))
		c.head = ""
		return len(b), err
	}
	return c.Conn.Write(b)
}

type skipHead struct {
	*onePacket
	t    *testing.T
	once sync.Once
}

func (c *skipHead) Read(b []byte) (int, error) {
	c.once.Do(func() { readRawHead(c.t, c.Conn) })
	return c.Conn.Read(b)
}

func TestConnectAndClientHelloInOnePacket(t *testing.T) {
	for _, host := range []string{routedHost, otherHost} {
		r := newRig(t, nil)
		roots := pool(t, r.authority)
		roots.AppendCertsFromPEM(r.certs.CertificatePEM())
		conn := &skipHead{onePacket: &onePacket{Conn: r.raw(), head: "CONNECT " + host + ":443 HTTP/1.1\r\nHost: " + host + "\r\n\r\n"}, t: t}
		c := tls.Client(conn, &tls.Config{RootCAs: roots, ServerName: host})
		if response, body := exchange(t, c, "GET /one HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); response.StatusCode != 200 || !strings.Contains(body, "GET /one host="+host) {
			t.Errorf("%s: %d %q", host, response.StatusCode, body)
		}
	}
}

// After a refused CONNECT nothing else on that connection is served: a GET would
// be sent by gomitmproxy's own transport, past every rule.
func TestRequestAfterRefusedConnect(t *testing.T) {
	var reached sync.WaitGroup
	victim := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request went round the rules") }))
	defer victim.Close()
	defer reached.Wait()
	r := newRig(t, func(r *rig) { r.Token, r.RequireToken = secret.New("the token"), true })
	c := r.raw()
	response, _ := exchange(t, c, "CONNECT "+routedHost+":443 HTTP/1.1\r\n\r\n")
	if response.StatusCode != http.StatusProxyAuthRequired || response.Close {
		t.Fatalf("answer %d, close %v", response.StatusCode, response.Close)
	}
	fmt.Fprintf(c, "GET %s/ HTTP/1.1\r\nHost: x\r\n\r\n", victim.URL)
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("the proxy answered %d bytes", n)
	}
}

// A client without preemptive credentials is told to send them, and its second
// try comes on the same connection.
func TestTokenOnSecondTry(t *testing.T) {
	r := newRig(t, func(r *rig) { r.Token, r.RequireToken = secret.New("the token"), true })
	c := r.raw()
	for _, wrong := range []string{"", "Proxy-Authorization: Basic eDp3cm9uZw==\r\n", "Proxy-Authorization: Basic !!!\r\n"} {
		response, body := exchange(t, c, "CONNECT "+routedHost+":443 HTTP/1.1\r\n"+wrong+"\r\n")
		if response.StatusCode != 407 || response.Header.Get("Proxy-Authenticate") == "" || response.ContentLength != int64(len(body)) {
			t.Fatalf("%q: answer %d %v", wrong, response.StatusCode, response.Header)
		}
	}
	io.WriteString(c, "CONNECT "+routedHost+":443 HTTP/1.1\r\nProxy-Authorization: Basic eDp0aGUgdG9rZW4=\r\n\r\n")
	if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") || strings.Contains(head, "Connection: close") {
		t.Errorf("answer to the right token: %q", head)
	}
}

// One failing Accept must not end the proxy.
func TestAcceptErrorIsSurvived(t *testing.T) {
	r := newRig(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failing := &failingListener{Listener: l, errs: []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED}}
	second := &rig{Proxy: &Proxy{Routes: r.Routes, Authority: r.authority, Credentials: r.Credentials, ConnectTo: r.ConnectTo, UpstreamRoots: r.UpstreamRoots},
		t: t, authority: r.authority, certs: r.certs, upstream: r.upstream, recorded: make(chan Exchange, 16)}
	second.serve(failing)
	if _, body := get(t, second.client(), "https://"+routedHost+"/"); !strings.Contains(body, realKey) {
		t.Errorf("upstream saw %q", body)
	}
	if len(failing.errs) > 0 {
		t.Error("not every error was met")
	}
}

type failingListener struct {
	net.Listener
	errs []error
}

func (l *failingListener) Accept() (net.Conn, error) {
	if len(l.errs) > 0 {
		err := l.errs[0]
		l.errs = l.errs[1:]
		return nil, &net.OpError{Op: "accept", Err: err}
	}
	return l.Listener.Accept()
}

// A panic in a hook costs one connection.
func TestPanicWhileDeciding(t *testing.T) {
	broken := true
	r := newRig(t, func(r *rig) {
		routes := r.Routes
		r.Routes = func() *routing.Table {
			if broken {
				broken = false
				panic("no table")
			}
			return routes()
		}
	})
	if response, _ := exchange(t, r.raw(), "CONNECT "+routedHost+":443 HTTP/1.1\r\n\r\n"); response.StatusCode != http.StatusBadGateway {
		t.Errorf("answer %d", response.StatusCode)
	}
	if _, body := get(t, r.client(), "https://"+routedHost+"/"); !strings.Contains(body, realKey) {
		t.Errorf("upstream saw %q", body)
	}
}

func TestOneDecisionPerConnect(t *testing.T) {
	r := newRig(t, nil)
	before := r.decided.Load()
	for range 5 {
		c := r.http1()
		for range 3 {
			get(t, c, "https://"+routedHost+"/")
		}
	}
	get(t, r.client(), "https://"+otherHost+"/")
	if got := r.decided.Load() - before; got != 6 {
		t.Errorf("OnRequest ran %d times for 6 CONNECTs", got)
	}
}

// deadlines records the last deadline set on an accepted connection.
type deadlines struct {
	net.Listener
	mu   sync.Mutex
	last time.Time
}

type deadlineConn struct {
	net.Conn
	l *deadlines
}

func (l *deadlines) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &deadlineConn{c, l}, err
}

func (c *deadlineConn) note(t time.Time) {
	c.l.mu.Lock()
	defer c.l.mu.Unlock()
	c.l.last = t
}
func (c *deadlineConn) SetDeadline(t time.Time) error { c.note(t); return c.Conn.SetDeadline(t) }
func (c *deadlineConn) SetReadDeadline(t time.Time) error {
	c.note(t)
	return c.Conn.SetReadDeadline(t)
}

// gomitmproxy arms a five-minute deadline on every connection. None may be left
// while a request is being answered or a tunnel is open.
func TestNoDeadlineOutlivesTheHead(t *testing.T) {
	r := newRig(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	watched := &deadlines{Listener: l}
	var left []time.Time
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		watched.mu.Lock()
		defer watched.mu.Unlock()
		left = append(left, watched.last)
	})
	second := &rig{Proxy: &Proxy{Routes: r.Routes, Authority: r.authority, Credentials: r.Credentials, ConnectTo: r.ConnectTo, UpstreamRoots: r.UpstreamRoots, Token: secret.New("t")},
		t: t, authority: r.authority, certs: r.certs, upstream: r.upstream, recorded: make(chan Exchange, 16)}
	second.serve(watched)
	for _, host := range []string{routedHost, otherHost} {
		c := second.client()
		c.Transport.(*http.Transport).ProxyConnectHeader = http.Header{"Proxy-Authorization": {"Bearer t"}}
		get(t, c, "https://"+host+"/")
	}
	if len(left) != 2 || !left[0].IsZero() || !left[1].IsZero() {
		t.Errorf("deadlines left while answering: %v", left)
	}
}

// An idle intercepted connection costs one goroutine.
func TestGoroutinesPerIdleConnection(t *testing.T) {
	r := newRig(t, nil)
	const n = 40
	r.inside() // whatever is started once is started now
	settle := func(want int) int {
		deadline := time.Now().Add(limit)
		for runtime.NumGoroutine() > want && time.Now().Before(deadline) {
			runtime.Gosched()
		}
		return runtime.NumGoroutine()
	}
	before := runtime.NumGoroutine()
	for range n {
		r.inside()
	}
	if after := settle(before + n); after > before+n {
		t.Errorf("%d goroutines for %d idle connections", after-before, n)
	}
}

func TestPeerOfAnotherUser(t *testing.T) {
	// The lookup itself; other users are tried with the built binary.
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells whose a connection is")
	}
	if err := KnowsPeers(); err != nil {
		t.Fatal(err)
	}
}

func TestDrain(t *testing.T) {
	r := newRig(t, nil)
	started, finish := make(chan struct{}), make(chan struct{})
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		close(started)
		<-finish
		io.WriteString(w, "whole")
	})
	answer := make(chan string, 1)
	go func() {
		response, err := r.http1().Get("https://" + routedHost + "/")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		b, _ := io.ReadAll(response.Body)
		answer <- string(b)
	}()
	<-started
	tunnel := r.connect(otherHost + ":443")
	for r.Stats().Tunnels == 0 { // the 200 comes before the relay
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(context.Background())
	drained := make(chan error, 1)
	go func() { drained <- r.Shutdown(ctx) }()
	for {
		if c, err := net.Dial("tcp", r.addr); err != nil {
			break
		} else {
			c.Close()
		}
	}
	close(finish)
	if got := <-answer; got != "whole" {
		t.Errorf("the request in flight got %q", got)
	}
	cancel() // the deadline: what is left is cut
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown said %v with a tunnel open", err)
	}
	if _, err := tunnel.Read(make([]byte, 1)); err == nil {
		t.Error("the tunnel is still open")
	}
	if s := r.Stats(); s != (Stats{}) {
		t.Errorf("left open: %+v", s)
	}
}

func TestDropTunnels(t *testing.T) {
	r := newRig(t, nil)
	c := r.connect(otherHost + ":443")
	for r.Stats().Tunnels == 0 {
		runtime.Gosched()
	}
	r.DropTunnels(func(host string, port int) bool { return host == otherHost && port == 443 })
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the tunnel is still open")
	}
}

// A host may gain its route while a tunnel to it is being dialled.
func TestTunnelToAHostThatGainsARoute(t *testing.T) {
	var routes atomic.Pointer[routing.Table]
	routes.Store(&routing.Table{})
	dialling, gained := make(chan struct{}), make(chan struct{})
	far := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return &routing.Table{} } })
	r := newRig(t, func(r *rig) {
		r.Routes, r.ConnectTo = routes.Load, nil
		r.UpstreamProxy = func(*url.URL) (*url.URL, error) {
			close(dialling)
			<-gained
			return &url.URL{Scheme: "http", Host: far.addr}, nil
		}
	})
	closed := make(chan error, 1)
	go func() {
		c := r.raw()
		fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\n\r\n", otherHost)
		_, err := io.Copy(io.Discard, c)
		closed <- err
	}()
	<-dialling
	next := table(t, definition(t, otherHost), ready, routing.Options{})
	routes.Store(next)
	r.DropTunnels(func(host string, port int) bool { return next.Host(host, port) != routing.Tunnel })
	close(gained)
	if err := <-closed; err != nil {
		t.Errorf("the tunnel stays open: %v", err)
	}
}

// A tunnel passes an orderly end of one direction on and keeps the other.
func TestTunnelHalfClose(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		b, _ := io.ReadAll(c)
		c.Write(bytes.ToUpper(b))
	}()
	r := newRig(t, nil)
	c := r.connect(l.Addr().String())
	io.WriteString(c, "said before the end")
	c.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(c); err != nil || string(b) != "SAID BEFORE THE END" {
		t.Errorf("got %q, %v", b, err)
	}
	if x := r.next(); x.Kind != KindTunnel || x.Sent != 19 || x.Received != 19 {
		t.Errorf("recorded %+v", x)
	}
}

// A client may send a request, a CONNECT and what is for the tunnel at once.
func TestConnectBehindARequest(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	go func() {
		for {
			c, err := echo.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") }))
	defer plain.Close()
	r := newRig(t, func(r *rig) {
		r.ConnectTo = []ConnectTo{{From: Target{otherHost, 443}, To: Target{"127.0.0.1", echo.Addr().(*net.TCPAddr).Port}}}
	})
	c := r.raw()
	early := strings.Repeat("for the tunnel. ", 600)
	fmt.Fprintf(c, "GET %s/ HTTP/1.1\r\nHost: x\r\n\r\nCONNECT %s:443 HTTP/1.1\r\n\r\n%s", plain.URL, otherHost, early)
	answers := bufio.NewReader(c)
	response, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(response.Body); string(body) != "plain" || err != nil {
		t.Fatalf("the request got %q, %v", body, err)
	}
	if head := readRawHead(t, answers); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("the CONNECT got %q", head)
	}
	back := make([]byte, len(early))
	if n, err := io.ReadFull(answers, back); string(back) != early {
		t.Errorf("%d of %d bytes came back, %v", n, len(early), err)
	}
}
