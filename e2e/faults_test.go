package e2e

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// ask requests a URL, and returns the status with the code of the proxy's own answers.
func ask(t *testing.T, c *http.Client, url string) string {
	t.Helper()
	response, err := c.Get(url)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	return strings.TrimSpace(fmt.Sprint(response.StatusCode, " ", response.Header.Get("X-Authsome-Error")))
}

// connectKey connects a provider of a host with the rig's key.
func (r *rig) connectKey(name, host string) {
	r.t.Helper()
	r.authsome(fmt.Sprintf(`{"schema_version":2,"name":%q,"flows":["api_key"],"hosts":[%q]}`, name, host), "register", "-", "--yes")
	r.authsome(r.key, "login", name, "--key-stdin", "--no-verify")
}

// rest closes the client's connections, and returns what the proxy has open then.
func rest(t *testing.T, p *proxyProcess, c *http.Client) usage {
	t.Helper()
	c.CloseIdleConnections()
	waitFor(t, "the proxy has no client", func() bool { return p.usage().connections == 0 })
	return p.usage()
}

// blackHole returns an address that never answers a SYN.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
	for range 10 { // until the queue of connections to accept is full
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("the queue of a listener is never full")
	return ""
}

// TestSilence connects to addresses that never answer: a service that drops packets, one
// that accepts and is silent, and a token endpoint that is silent. Each request is
// answered after the limit for it; meanwhile others are served, and nothing stays open.
func TestSilence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	tokens := startTokenService(t, r)
	r.connectKey("hole", "api.hole.test")
	r.connectKey("silent", "api.silent.test")
	p := r.startProxy(append(tokens.flags, "--connect-to", "api.hole.test:443:"+blackHole(t), "--connect-to", "api.silent.test:443:"+silent.Addr().String())...)
	c := p.client()
	for _, host := range []string{routeHost, tokenHost} {
		if got := ask(t, c, "https://"+host+"/x"); got != "200" {
			t.Fatalf("%s: %s", host, got)
		}
	}
	before := rest(t, p, c)
	tokens.silent.Store(true)
	var all sync.WaitGroup
	for _, tt := range []struct {
		host, want     string
		least, longest time.Duration
	}{
		{"api.hole.test", "502 upstream_unreachable", 25 * time.Second, limit * 3 / 4},
		{"api.silent.test", "504 upstream_timeout", 8 * time.Second, limit / 2},
		{tokenHost, "503 refresh_unavailable", 0, limit * 3 / 4},
	} {
		all.Go(func() {
			start, got := time.Now(), ""
			for got = "200"; got == "200"; { // a token may still be valid
				start = time.Now()
				got = ask(t, c, "https://"+tt.host+"/x")
			}
			if took := time.Since(start); got != tt.want || took < tt.least || took > tt.longest {
				t.Errorf("%s: %s after %v", tt.host, got, took)
			}
			for range 20 { // clients that do not wait
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+tt.host+"/x", nil)
				if err != nil {
					t.Error(err)
				}
				if response, err := c.Do(request); err == nil {
					response.Body.Close()
				}
				cancel()
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	for served := 0; ; served++ {
		if got := ask(t, c, "https://"+routeHost+"/x"); got != "200" {
			t.Errorf("another service, meanwhile: %s", got)
		}
		select {
		case <-done:
			t.Logf("served %d requests to another service meanwhile", served)
			tokens.silent.Store(false)
			waitFor(t, "the token endpoint is used again", func() bool { return ask(t, c, "https://"+tokenHost+"/x") == "200" })
			c.CloseIdleConnections()
			before.goroutines, before.descriptors = before.goroutines+2, before.descriptors+1 // an idle connection to the endpoint
			p.settles(t, before)
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// nameServer answers queries for addresses with 127.0.0.1, or with its fault.
type nameServer struct {
	net.PacketConn
	fault atomic.Int32 // a response code of DNS, or -1 for silence
}

func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	c, err := net.ListenPacket("udp", fmt.Sprintf("127.%d.%d.%d:53", rand.N(200)+10, rand.N(250), rand.N(200)+10))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s := &nameServer{PacketConn: c}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if code := s.fault.Load(); code >= 0 && n > 12 {
				c.WriteTo(nameAnswer(b[:n], byte(code)), from)
			}
		}
	}()
	return s
}

// nameAnswer makes the answer to a query with one question (RFC 1035 section 4.1).
func nameAnswer(query []byte, code byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	end += 5
	answer := append([]byte{query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	if kind := int(query[end-4])<<8 | int(query[end-3]); code == 0 && kind == 1 {
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1)
	}
	return answer
}

// TestNamesFail lets the name of a service not exist, the name server fail, and the name
// server be silent. Intercepted and passed through, the proxy answers 502, and connects
// again as soon as the name resolves.
func TestNamesFail(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	names := startNameServer(t)
	file := filepath.Join(t.TempDir(), "resolv.conf")
	address, _, _ := net.SplitHostPort(names.LocalAddr().String())
	if err := os.WriteFile(file, []byte("nameserver "+address+"\noptions timeout:1 attempts:1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(file, "/etc/resolv.conf", "", syscall.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount("/etc/resolv.conf", syscall.MNT_DETACH) })
	r := newRig(t)
	_, port, _ := net.SplitHostPort(r.tls)
	r.connectKey("named", "named.upstream.test")
	p := r.startProxy("--connect-to", "named.upstream.test:443:service.upstream.test:"+port, "--connect-to", "passed.upstream.test:443:service.upstream.test:"+port)
	c := p.client()
	tunnel := func() string { return connectStatus(t, p.address, "passed.upstream.test:443") }
	const u = "https://named.upstream.test/x"
	fine := "502 upstream_tls" // the certificate has other names: the proxy has connected
	if got := ask(t, c, u); got != fine {
		t.Fatalf("the control: %s", got)
	}
	before := rest(t, p, c)
	for fault, code := range map[string]int32{"no such name": 3, "server failure": 2, "silence": -1} {
		names.fault.Store(code)
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if got := ask(t, c, u); got != "502 upstream_unreachable" {
					t.Errorf("%s: %s", fault, got)
				}
				if got := tunnel(); got != "502 upstream_unreachable" {
					t.Errorf("%s: passed through: %s", fault, got)
				}
			})
		}
		all.Wait()
		names.fault.Store(0)
		if got := ask(t, c, u); got != fine {
			t.Errorf("after %s: %s", fault, got)
		}
		if got := tunnel(); got != "200" {
			t.Errorf("after %s: passed through: %s", fault, got)
		}
		c.CloseIdleConnections()
		p.settles(t, before)
	}
}

// connectStatus requests a tunnel and closes it. It returns what ask returns.
func connectStatus(t *testing.T, proxy, target string) string {
	t.Helper()
	var got string
	transport := &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}),
		OnProxyConnectResponse: func(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
			got = strings.TrimSpace(fmt.Sprint(response.StatusCode, " ", response.Header.Get("X-Authsome-Error")))
			return errors.New("seen")
		},
	}
	defer transport.CloseIdleConnections()
	if _, err := (&http.Client{Transport: transport, Timeout: limit}).Get("https://" + target); err == nil {
		t.Error("the tunnel was not closed")
	}
	return got
}

// TestProxyOnAFullDisk fills the disk with the home while tokens expire every few
// seconds. Requests whose credential is in memory are served; others get an answer of
// the proxy. When there is space again, everything is served again, without a login: no
// token that the service issued was lost.
func TestProxyOnAFullDisk(t *testing.T) {
	t.Parallel()
	if !inNamespace(t) {
		return
	}
	s := newSmallStage(t)
	r := newRig(t)
	tokens := startTokenService(t, r)
	home := filepath.Join(s.dir, "rig")
	if out, err := exec.Command("cp", "-a", r.home, home).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r.home = home
	p := r.startProxy(tokens.flags...)
	c := p.client()
	answers := make(map[string]int)
	pace := time.NewTicker(100 * time.Millisecond) // every request writes to the disk
	defer pace.Stop()
	get := func() string {
		<-pace.C
		if got := ask(t, c, "https://"+routeHost+"/x"); got != "200" {
			t.Errorf("with the credential in memory: %s", got)
		}
		got := ask(t, c, "https://"+tokenHost+"/x")
		answers[got]++
		return got
	}
	if got := get(); got != "200" {
		t.Fatal(got)
	}
	before := rest(t, p, c)
	s.fill(t, 0)
	until := tokens.count() + 2 // refreshes, if the proxy asks for any
	for start := time.Now(); time.Since(start) < (tokenLife+2)*time.Second && tokens.count() < until; {
		if got := get(); got != "200" && got != "503 refresh_unavailable" {
			t.Fatalf("on a full disk: %s", got)
		}
	}
	s.drain()
	waitFor(t, "tokens are refreshed again", func() bool { return get() == "200" })
	t.Logf("answers: %v, %d refreshes", answers, tokens.count())
	if answers["503 refresh_unavailable"] == 0 {
		t.Error("the full disk was not noticed")
	}
	before.goroutines, before.descriptors = before.goroutines+2, before.descriptors+1 // an idle connection to the token endpoint
	c.CloseIdleConnections()
	p.settles(t, before)
	if out := r.authsome("", "vault", "check"); out == "" {
		t.Error("vault check printed nothing")
	}
}

// TestTenThousandIdleConnections opens that many intercepted connections and leaves them
// idle. The proxy still serves others, with a bounded memory for each idle one, and
// nothing is left when they are closed.
func TestTenThousandIdleConnections(t *testing.T) {
	t.Parallel()
	const n, most = 10000, 100 // kB for each
	var files syscall.Rlimit   // of this process, and of the proxy
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		t.Fatal(err)
	}
	if enough := uint64(n + 1000); files.Max < enough {
		files.Cur, files.Max = enough, enough
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
			t.Fatalf("this test needs %d descriptors: %v", enough, err)
		}
	}
	r := newRig(t)
	p := r.startProxy()
	c := p.client()
	if got := ask(t, c, "https://"+routeHost+"/x"); got != "200" {
		t.Fatal(got)
	}
	before := rest(t, p, c)
	config := c.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName, config.ClientSessionCache = routeHost, tls.NewLRUClientSessionCache(64)
	idle := make([]*tls.Conn, n)
	var opening sync.WaitGroup
	for worker := range 8 {
		opening.Go(func() {
			for i := worker; i < n && !t.Failed(); i += 8 {
				var err error
				if idle[i], err = intercepted(p.address, config); err != nil {
					t.Errorf("connection %d: %v", i, err)
				}
			}
		})
	}
	opening.Wait()
	open := p.usage()
	t.Logf("idle: %v; before: %v", open, before)
	if open.connections < n || open.memory > before.memory+n*most {
		t.Errorf("with %d idle connections: %v; before: %v", n, open, before)
	}
	if got := ask(t, c, "https://"+routeHost+"/x"); got != "200" {
		t.Errorf("meanwhile: %s", got)
	}
	c.CloseIdleConnections()
	for _, conn := range idle {
		if conn != nil {
			conn.NetConn().Close()
		}
	}
	p.settles(t, before)
}

// intercepted opens a connection to the routed host through a proxy, and makes one request
// on it.
func intercepted(proxy string, config *tls.Config) (*tls.Conn, error) {
	raw, err := net.DialTimeout("tcp", proxy, limit)
	if err != nil {
		return nil, err
	}
	raw.SetDeadline(time.Now().Add(limit))
	fmt.Fprintf(raw, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", routeHost)
	answer := make([]byte, 512)
	for got := 0; ; { // to the end of the head; the service sends nothing before the client
		n, err := raw.Read(answer[got:])
		if got += n; err != nil || got > 3 && !strings.HasPrefix(string(answer), "HTTP/1.1 200"[:min(got, 12)]) {
			return nil, fmt.Errorf("%q, %w", answer[:got], err)
		}
		if strings.HasSuffix(string(answer[:got]), "\r\n\r\n") {
			break
		}
	}
	c := tls.Client(raw, config)
	fmt.Fprintf(c, "GET /x HTTP/1.1\r\nHost: %s\r\n\r\n", routeHost)
	n, err := c.Read(answer)
	if err != nil || !strings.HasPrefix(string(answer[:n]), "HTTP/1.1 200") {
		return nil, fmt.Errorf("%q, %w", answer[:n], err)
	}
	return c, raw.SetDeadline(time.Time{})
}
