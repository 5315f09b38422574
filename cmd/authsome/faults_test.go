package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// faultyService is an HTTPS service that fails as networks and services do.
type faultyService struct {
	*service
	t       *testing.T
	config  *tls.Config
	handler http.Handler

	listener net.Listener
	server   *http.Server

	mu    sync.Mutex // guards all below
	fault string     // of the next connection or request, or ""
	held  []net.Conn // connections that get no answer
}

// startFaultyService starts a service. If handler is nil, it answers itself.
func startFaultyService(t *testing.T, handler http.Handler) *faultyService {
	t.Helper()
	authority, err := ca.New(ca.Options{CommonName: "service authority"})
	if err != nil {
		t.Fatal(err)
	}
	f := &faultyService{t: t, service: &service{host: "api.resend.com", addr: "127.0.0.1:0", ca: filepath.Join(t.TempDir(), "ca.pem")}}
	f.config = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) }}
	if err := os.WriteFile(f.ca, authority.CertificatePEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	f.handler = handler
	if handler == nil {
		f.handler = f
	}
	f.up()
	t.Cleanup(f.down)
	return f
}

// up starts the service, always on the same port.
func (f *faultyService) up() {
	f.t.Helper()
	l, err := net.Listen("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr, f.listener = l.Addr().String(), l
	f.server = &http.Server{Handler: f.handler, TLSConfig: f.config.Clone()}
	go f.server.ServeTLS(faultyListener{l, f}, "", "")
}

// down closes the service's port and all its connections.
func (f *faultyService) down() {
	f.listener.Close() // the server may not know it yet
	f.server.Close()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.held {
		c.Close()
	}
	f.held = nil
}

func (f *faultyService) current() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

// set chooses the fault and closes the connections of the service, so that the fault
// also meets those that the proxy keeps.
func (f *faultyService) set(fault string) {
	f.t.Helper()
	f.mu.Lock()
	f.fault = fault
	f.mu.Unlock()
	f.down()
	if fault != "refused" {
		f.up()
	}
}

type faultyListener struct {
	net.Listener
	f *faultyService
}

func (l faultyListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		switch l.f.current() {
		case "reset":
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		case "silent":
			l.f.mu.Lock()
			l.f.held = append(l.f.held, c)
			l.f.mu.Unlock()
		default:
			return c, nil
		}
	}
}

func (f *faultyService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch f.current() {
	case "no answer":
		<-r.Context().Done()
	case "broken request":
		panic(http.ErrAbortHandler)
	case "broken body":
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, "the beginning")
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
		io.WriteString(w, "fine")
	}
}

// open is what a proxy has open, by its own metrics.
type open struct{ goroutines, descriptors, connections, tunnels int }

func openNow(t *testing.T, admin string) (o open) {
	t.Helper()
	_, text := fetch(t, http.DefaultClient, "http://"+admin+"/metrics")
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, _ := strconv.Atoi(value)
		switch name {
		case "go_goroutines":
			o.goroutines = n
		case "process_open_fds":
			o.descriptors = n
		case "authsome_active_connections":
			o.connections = n
		case "authsome_active_tunnels":
			o.tunnels = n
		}
	}
	return o
}

// settles waits until a proxy without clients has no more open than before. The Go
// runtime starts a goroutine or two when it first needs them.
func settles(t *testing.T, admin string, before open) {
	t.Helper()
	var now open
	for deadline := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		now = openNow(t, admin)
		if now.goroutines <= before.goroutines+2 && now.descriptors <= before.descriptors && now.connections <= before.connections && now.tunnels <= before.tunnels {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("left open: %+v; before: %+v", now, before)
			return
		}
	}
}

// A service that cannot be reached, or that breaks off, gives the proxy's own answer or
// a broken response, never a complete one. The proxy goes on, uses the service again as
// soon as that works, and keeps nothing open.
func TestFaultsOfServices(t *testing.T) {
	t.Parallel()
	b, f := newBench(t), startFaultyService(t, nil)
	b.run("re_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	cmd, proxy, admin := b.proxy(append(f.flags(), "--response-timeout", "500ms")...)
	c, u := client(t, proxy, admin), "https://"+f.host+"/emails"
	rest := func() { c.CloseIdleConnections() }
	if status, body := fetch(t, c, u); status != 200 || body != "fine" {
		t.Fatalf("%d %s", status, body)
	}
	rest()
	eventually(t, "the connection is closed", func() bool { return openNow(t, admin).connections == 0 })
	before := openNow(t, admin) // with one connection to the service
	for _, tt := range []struct {
		fault  string
		status int // 0: the response breaks off
		code   string
	}{
		{"refused", 502, "upstream_unreachable"}, {"reset", 502, "upstream_unreachable"}, {"no answer", 504, "upstream_timeout"},
		{"broken request", 502, "upstream_unreachable"}, {"broken body", 0, ""},
	} {
		f.set(tt.fault)
		for range 3 {
			response, err := c.Get(u)
			if err != nil {
				t.Errorf("%s: %v", tt.fault, err)
				continue
			}
			body, err := io.ReadAll(response.Body)
			response.Body.Close()
			switch {
			case tt.status == 0 && err == nil:
				t.Errorf("%s: the client got %q as a whole", tt.fault, body)
			case tt.status != 0 && (err != nil || response.StatusCode != tt.status || response.Header.Get("X-Authsome-Error") != tt.code):
				t.Errorf("%s: %s %s, %v: %s", tt.fault, response.Status, response.Header.Get("X-Authsome-Error"), err, body)
			}
		}
		f.set("")
		// The first request may meet a connection that is just being closed.
		eventually(t, "the service is used again", func() bool { status, body := fetch(t, c, u); return status == 200 && body == "fine" })
		rest()
		settles(t, admin, before)
	}

	// Clients give up before a silent service does.
	f.set("silent")
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := c.Do(request); err == nil {
			t.Errorf("a silent service: %s", response.Status)
		}
		cancel()
	}
	f.set("")
	eventually(t, "the service is used again", func() bool { status, _ := fetch(t, c, u); return status == 200 })
	rest()
	settles(t, admin, before)

	// A tunnel to a closed port.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if got := connect(proxy, l.Addr().String(), ""); got != "502 upstream_unreachable (authsome) upstream_unreachable" {
		t.Errorf("a tunnel to a closed port: %s", got)
	}
	settles(t, admin, before)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A proxy whose vault is lost while it runs, with the generation unchanged or not, says
// so in its answers, and serves again once the vault is back. The master key is read at
// the start, so its file may disappear.
func TestVaultIsLostAndFound(t *testing.T) {
	t.Parallel()
	b, s := newBench(t), startService(t)
	b.run("re_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	cmd, proxy, admin := b.proxy(s.flags()...)
	c, u := client(t, proxy, admin), "https://"+s.host+"/emails"
	status := func(want int) func() bool {
		return func() bool { got, _ := fetch(t, c, u); return got == want }
	}
	eventually(t, "requests are served", status(200))
	c.CloseIdleConnections()
	eventually(t, "the connection is closed", func() bool { return openNow(t, admin).connections == 0 })
	before := openNow(t, admin)
	away := filepath.Join(t.TempDir(), "away")
	for _, lost := range []string{"profiles/default/vault", "profiles/default/generation", "profiles/default", "profiles", "."} {
		path := filepath.Join(b.home, lost)
		if err := os.Rename(path, away); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the loss of "+lost+" is noticed", status(503))
		if _, body := fetch(t, c, u); !strings.Contains(body, "vault_unavailable") {
			t.Errorf("without %s: %s", lost, body)
		}
		if response, err := http.Get("http://" + admin + "/readyz"); err != nil || response.StatusCode != 503 {
			t.Errorf("without %s it is ready: %v", lost, err)
		} else {
			response.Body.Close()
		}
		// Something may have made the directory again, such as the log.
		if err := errors.Join(os.RemoveAll(path), os.Rename(away, path)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the return of "+lost+" is noticed", status(200))
	}
	key := filepath.Join(b.home, "master.key")
	if err := os.Rename(key, away); err != nil {
		t.Fatal(err)
	}
	loads := regexp.MustCompile(`authsome_reloads_total\{outcome="ok"\} \d+`)
	loaded := func() string {
		_, text := fetch(t, http.DefaultClient, "http://"+admin+"/metrics")
		return loads.FindString(text)
	}
	first := loaded()
	cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, "the vault is read without the master key", func() bool { return loaded() != first })
	if got, body := fetch(t, c, u); got != 200 {
		t.Errorf("without the master key: %d %s", got, body)
	}
	if err := b.command("list").Run(); err == nil {
		t.Error("a new process read the vault without the master key")
	}
	if err := os.Rename(away, key); err != nil {
		t.Fatal(err)
	}
	c.CloseIdleConnections()
	settles(t, admin, before)
}

// A token endpoint that refuses connections costs only the requests whose token has
// expired; they say when to try again.
func TestTokenEndpointIsUnreachable(t *testing.T) {
	t.Parallel()
	b, p := newBench(t), startProvider(t)
	b.run("", "init")
	p.logIn(b, time.Now().Add(-time.Second))
	address := p.endpoint.Listener.Addr().String()
	p.endpoint.Close()
	_, proxy, admin := b.proxy(p.flags()...)
	api := &apiClient{t: t, client: client(t, proxy, admin), url: "https://" + p.host + "/x"}
	for range 3 {
		if api.get() != 503 || api.header.Get("X-Authsome-Error") != "refresh_unavailable" || api.header.Get("Retry-After") == "" {
			t.Errorf("%d %v %s", api.status, api.header, api.said)
		}
	}
	api.client.CloseIdleConnections()
	eventually(t, "the connection is closed", func() bool { return openNow(t, admin).connections == 0 })
	before := openNow(t, admin)
	before.goroutines, before.descriptors = before.goroutines+6, before.descriptors+2 // idle connections to the service and the endpoint
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(p.serveToken)}}
	endpoint.Start()
	t.Cleanup(endpoint.Close)
	api.untilStatus(200, "the token endpoint is used again")
	api.client.CloseIdleConnections()
	settles(t, admin, before)
}

// streamed is a response in progress.
type streamed struct {
	lines *bufio.Reader
	body  io.Closer
}

// stream begins a response whose lines the test sends.
func stream(t *testing.T, c *http.Client, u string) streamed {
	t.Helper()
	response, err := c.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return streamed{bufio.NewReader(response.Body), response.Body}
}

// On SIGTERM, a stream in progress may end: its client gets the whole of it, and the
// proxy exits with 0. One that does not end is cut off after shutdownTime, or at once
// by a second signal; its client does not take it for complete.
func TestSIGTERMDuringStreams(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		ends, again    bool
		least, longest time.Duration
	}{
		{"the stream ends", true, false, 0, shutdownTime / 2},
		{"the stream goes on", false, false, shutdownTime - time.Second, shutdownTime * 2},
		{"a second signal", false, true, 0, shutdownTime / 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			next, gone := make(chan string), make(chan struct{})
			b, f := newBench(t), startFaultyService(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for line := range next {
					io.WriteString(w, line)
					http.NewResponseController(w).Flush()
				}
				<-gone
			}))
			b.run("re_0123456789", "login", "resend", "--key-stdin", "--no-verify")
			cmd, proxy, admin := b.proxy(f.flags()...)
			go func() { next <- "first\n" }()
			s := stream(t, client(t, proxy, admin), "https://"+f.host+"/events")
			if line, err := s.lines.ReadString('\n'); line != "first\n" {
				t.Fatalf("%q, %v", line, err)
			}
			start := time.Now()
			cmd.Process.Signal(syscall.SIGTERM)
			eventually(t, "the proxy accepts no more connections", func() bool {
				c, err := net.Dial("tcp", proxy)
				if err == nil {
					c.Close()
				}
				return err != nil
			})
			next <- "second\n"
			if tt.ends {
				close(next)
				close(gone)
			} else {
				t.Cleanup(func() { close(next); close(gone) })
			}
			if line, err := s.lines.ReadString('\n'); line != "second\n" {
				t.Errorf("%q, %v", line, err)
			}
			if tt.again {
				cmd.Process.Signal(syscall.SIGTERM)
			}
			if rest, err := io.ReadAll(s.lines); (err == nil) != tt.ends || len(rest) > 0 {
				t.Errorf("the rest of the stream: %q, %v", rest, err)
			}
			cmd.Wait()
			if took := time.Since(start); took < tt.least || took > tt.longest {
				t.Errorf("the proxy ended after %v", took)
			}
			if code := cmd.ProcessState.ExitCode(); (code == 0) == tt.again {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// If one of the two ports is in use, the proxy says which, ends, and leaves the other
// port free.
func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	for flag, other := range map[string]string{"--listen": "--admin", "--admin": "--listen"} {
		cmd := b.command("proxy", flag, taken.Addr().String(), other, free.Addr().String())
		err := cmd.Run()
		if failed, ok := errors.AsType[*exec.ExitError](err); !ok || failed.ExitCode() != exit.Error {
			t.Errorf("%s in use: %v", flag, err)
		}
		contains(t, "the error for "+flag, b.out.String(), fmt.Sprintf("listen on %s: ", taken.Addr()), "address already in use", "hint: authsome proxy "+flag+" HOST:PORT")
		if l, err := net.Listen("tcp", free.Addr().String()); err != nil {
			t.Errorf("%s in use: %v", flag, err)
		} else {
			l.Close()
		}
		b.out.Reset()
	}
}
