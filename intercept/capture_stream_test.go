package intercept

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/authsome/authsome/routing"
)

// Both sides of a captured HTTP/2 request can stream at the same time, and trailers come
// through, as gRPC needs.
func TestCapturedStreams(t *testing.T) {
	c := newCapture(t, nil)
	c.handle(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		control := http.NewResponseController(w)
		control.Flush()
		for lines := bufio.NewScanner(q.Body); lines.Scan(); control.Flush() {
			fmt.Fprintln(w, "echo", lines.Text())
		}
		w.Header().Set("Grpc-Status", "0")
	})
	body, send := io.Pipe()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+routedHost+"/x", body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := bufio.NewReader(response.Body)
	for _, word := range []string{"one", "two"} {
		fmt.Fprintln(send, word)
		if line, err := answer.ReadString('\n'); line != "echo "+word+"\n" {
			t.Fatalf("got %q, %v", line, err)
		}
	}
	send.Close()
	if _, err := answer.ReadByte(); err != io.EOF || response.ProtoMajor != 2 || response.Trailer.Get("Grpc-Status") != "0" {
		t.Errorf("%v, %s, trailers %v", err, response.Proto, response.Trailer)
	}
}

func TestCapturedWebSocket(t *testing.T) {
	c := newCapture(t, nil)
	c.handle(func(w http.ResponseWriter, q *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Injected: %t\r\n\r\n", q.Header.Get("Authorization") == "Bearer "+realKey)
		io.CopyN(conn, buffered, 5)
	})
	conn := c.tls(elsewhere+":443", routedHost)
	conn.SetDeadline(time.Now().Add(limit))
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", routedHost)
	if head := readRawHead(t, conn); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("answered %q", head)
	}
	io.WriteString(conn, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
}

// rawCapture is a capture that passes connections to 198.18.0.9 on to serve, as the user
// allowed for target.
func rawCapture(t *testing.T, target Target, change func(*rig), serve func(net.Conn)) *capture {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	to, err := parseTarget(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return newCapture(t, func(r *rig) {
		r.ConnectTo = append(r.ConnectTo, ConnectTo{From: target, To: to})
		r.Fence = &Fence{Allowed: func(t Target) bool { return t == target }}
		r.Capture.Raw = func(a netip.AddrPort) (Target, bool) {
			return target, a == netip.AddrPortFrom(netip.MustParseAddr("198.18.0.9"), uint16(target.Port))
		}
		if change != nil {
			change(r)
		}
	})
}

// The server may speak first on a connection that is passed on without being read, and each
// side can end its stream before the other does.
func TestCapturedRaw(t *testing.T) {
	db := Target{"db.internal", 5432}
	c := rawCapture(t, db, nil, func(conn net.Conn) {
		io.WriteString(conn, "220 ready\r\n")
		sent, _ := io.ReadAll(conn)
		fmt.Fprintf(conn, "got %s", sent)
	})
	conn := c.dial("198.18.0.9:5432")
	greeting := make([]byte, len("220 ready\r\n"))
	if _, err := io.ReadFull(conn, greeting); err != nil || string(greeting) != "220 ready\r\n" {
		t.Fatalf("the server's greeting: %q, %v", greeting, err)
	}
	io.WriteString(conn, "\x16\x03\x01 not TLS")
	closeWrite(conn)
	if got := readAll(t, conn); got != "got \x16\x03\x01 not TLS" {
		t.Errorf("got %q", got)
	}
	if x := c.next(); x.Kind != KindTunnel || x.Host != db.Host || x.Port != db.Port || x.Sent != 11 || x.Received != 26 {
		t.Errorf("recorded %+v", x)
	}
}

// What the user opened is decided as a CONNECT to it: nothing denies it, an unreachable
// target closes the connection, and a host with a route is intercepted.
func TestCapturedRawIsDecided(t *testing.T) {
	t.Run("others are denied", func(t *testing.T) {
		deny := table(t, definition(t, routedHost), ready, routing.Options{DenyUnmatched: true})
		c := rawCapture(t, Target{"db.internal", 5432}, func(r *rig) { r.Routes = func() *routing.Table { return deny } }, func(conn net.Conn) { io.WriteString(conn, "hi") })
		if got := readAll(t, c.dial("198.18.0.9:5432")); got != "hi" {
			t.Errorf("got %q", got)
		}
		c.wantAlert(c.tls(elsewhere+":443", otherHost), alertAccessDenied, CodeHostDenied, otherHost+":443")
	})
	t.Run("a reload keeps it", func(t *testing.T) {
		deny := table(t, definition(t, routedHost), ready, routing.Options{DenyUnmatched: true})
		c := rawCapture(t, Target{"db.internal", 5432}, func(r *rig) { r.Routes = func() *routing.Table { return deny } }, func(conn net.Conn) { io.Copy(conn, conn) })
		conn := c.dial("198.18.0.9:5432")
		for c.Stats().Tunnels == 0 {
			runtime.Gosched()
		}
		c.DropTunnels()
		io.WriteString(conn, "x")
		if _, err := conn.Read(make([]byte, 1)); err != nil {
			t.Errorf("the tunnel was closed: %v", err)
		}
	})
	t.Run("not reached", func(t *testing.T) {
		target := Target{"nothing.invalid", 5432}
		c := rawCapture(t, target, func(r *rig) { r.ConnectTo, r.UpstreamProxy = nil, unreachable }, nil)
		if got := wantClosed(t, c.dial("198.18.0.9:5432")); got != "" {
			t.Errorf("got %q", got)
		}
		if x := c.next(); x.Kind != KindRefused || x.Code != CodeUpstreamUnreachable || x.Host != target.Host || x.Port != target.Port {
			t.Errorf("recorded %+v", x)
		}
	})
	t.Run("not allowed", func(t *testing.T) {
		c := rawCapture(t, Target{"db.internal", 5432}, func(r *rig) { r.Fence = &Fence{} }, func(net.Conn) { t.Error("reached") })
		wantClosed(t, c.dial("198.18.0.9:5432"))
		if x := c.next(); x.Code != CodeNotAllowed {
			t.Errorf("recorded %+v", x)
		}
	})
	t.Run("host with a route", func(t *testing.T) {
		c := rawCapture(t, Target{routedHost, 443}, nil, func(net.Conn) { t.Error("passed on") })
		if err := c.tls("198.18.0.9:443", routedHost).Handshake(); err != nil {
			t.Error(err)
		}
	})
}

// A client of a tunnel may end its stream first.
func TestCapturedTunnelHalfClose(t *testing.T) {
	c := newCapture(t, nil)
	conn := c.tls(elsewhere+":443", otherHost)
	fmt.Fprintf(conn, "GET /x HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", otherHost)
	closeWrite(conn.NetConn())
	if got := readAll(t, conn); !strings.HasSuffix(got, "auth=") {
		t.Errorf("got %q", got)
	}
}

// Many clients at once get each their own answer.
func TestCapturedInParallel(t *testing.T) {
	c := newCapture(t, nil)
	var clients sync.WaitGroup
	for i := range 200 {
		clients.Go(func() {
			host, auth := routedHost, "Bearer "+realKey
			if i%2 == 0 {
				host, auth = otherHost, ""
			}
			response, err := c.client().Get(fmt.Sprintf("https://%s/%d", host, i))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if want := fmt.Sprintf("GET /%d host=%s auth=%s", i, host, auth); err != nil || string(body) != want {
				t.Errorf("got %q, %v, want %q", body, err, want)
			}
		})
	}
	clients.Wait()
}

// A shutdown closes the captured listeners and what has not sent anything yet, and waits
// for a request in flight.
func TestCapturedShutdown(t *testing.T) {
	c := newCapture(t, nil)
	finish, answer := c.inFlight(c.http1())
	silent, half := c.dial(elsewhere+":443"), c.dial(elsewhere+":443")
	half.Write(clientHello(t, routedHost)[:30])
	for c.Stats().Connections != 3 {
		runtime.Gosched()
	}
	ctx, cancel := context.WithCancel(context.Background())
	drained := make(chan error, 1)
	go func() { drained <- c.Shutdown(ctx) }()
	for {
		conn, err := net.Dial("tcp", c.listener.Addr().String())
		if err != nil {
			break
		}
		conn.Close()
	}
	finish()
	if got := <-answer; got != "whole" {
		t.Errorf("the request in flight got %q", got)
	}
	cancel()
	if err := <-drained; !errors.Is(err, context.Canceled) {
		t.Errorf("Shutdown with silent clients returned %v", err)
	}
	for _, conn := range []net.Conn{silent, half} {
		wantClosed(t, conn)
	}
	if s := c.Stats(); s != (Stats{}) {
		t.Errorf("still open: %+v", s)
	}
}

// A shutdown ends a dial for a captured connection.
func TestCapturedShutdownEndsADial(t *testing.T) {
	dialling := make(chan struct{})
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and never speaks TLS
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c := newCapture(t, func(r *rig) {
		r.ConnectTo = nil
		r.UpstreamProxy = viaProxy(silent.Addr().String(), func() { close(dialling) })
	})
	go c.tls(elsewhere+":443", otherHost).Handshake()
	<-dialling
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	c.Shutdown(ended)
	if x := c.next(); x.Code != CodeUpstreamUnreachable || x.Host != otherHost {
		t.Errorf("recorded %+v", x)
	}
}

// A listener that breaks ends Serve with its error, also a captured one.
func TestCapturedListenerBreaks(t *testing.T) {
	r := sibling(newRig(t, nil), &Proxy{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.Captured = []net.Listener{&failingListener{Listener: l, errs: []error{syscall.EBADF}}}
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Serve(own); !errors.Is(err, syscall.EBADF) {
		t.Errorf("Serve returned %v", err)
	}
	r.Shutdown(t.Context())
}

// A panic while a connection is decided ends that connection only.
func TestCapturedPanic(t *testing.T) {
	c := newCapture(t, func(r *rig) {
		r.Fence = &Fence{Allowed: func(t Target) bool {
			if t.Host == "panic.test" {
				panic("for the test")
			}
			return false
		}}
	})
	c.wantAlert(c.tls(elsewhere+":8443", "panic.test"), alertInternalError, CodeInternal, "panic.test:8443")
	get(t, c.client(), "https://"+routedHost+"/x")
}
