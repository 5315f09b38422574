package intercept

import (
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// A failing Accept must not end the proxy.
func TestServeSurvivesAcceptErrors(t *testing.T) {
	r := newRig(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	failing := &failingListener{Listener: l, errs: []error{syscall.EMFILE, syscall.ENFILE, syscall.ECONNABORTED}}
	second := sibling(r, &Proxy{})
	second.serve(failing)
	if _, body := get(t, second.client(), "https://"+routedHost+"/"); !strings.Contains(body, realKey) {
		t.Errorf("upstream saw %q", body)
	}
	if len(failing.errs) > 0 {
		t.Errorf("%d errors of Accept did not occur", len(failing.errs))
	}
}

// A broken listener ends Serve with its error, so that nobody waits for a proxy that
// accepts no connection any more.
func TestServeEndsWithABrokenListener(t *testing.T) {
	r := newRig(t, nil)
	for _, cause := range []error{syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p := &Proxy{Routes: r.Routes, Authority: r.authority, Credentials: r.Credentials}
		served := make(chan error, 1)
		go func() { served <- p.Serve(&failingListener{Listener: l, errs: []error{syscall.EMFILE, cause}}) }()
		select {
		case err := <-served:
			if !errors.Is(err, cause) {
				t.Errorf("Serve returned %v, want %v", err, cause)
			}
		case <-time.After(limit):
			t.Fatalf("Serve did not return after %v", cause)
		}
		if err := p.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
			c.Close()
			t.Error("the listener is still open after Shutdown")
		}
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

// A panic in a hook ends one connection and not the proxy.
func TestPanicInAHookEndsOneConnection(t *testing.T) {
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
	if response, _ := exchange(t, r.raw(), "CONNECT "+routedHost+":443 HTTP/1.1\r\n\r\n"); response.StatusCode != http.StatusInternalServerError || response.Header.Get(errorHeader) != string(CodeInternal) {
		t.Errorf("answer %d", response.StatusCode)
	}
	if _, body := get(t, r.client(), "https://"+routedHost+"/"); !strings.Contains(body, realKey) {
		t.Errorf("upstream saw %q", body)
	}
}

// deadlines records the last deadline that was set on an accepted connection.
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

// gomitmproxy sets a five-minute deadline on every connection. None may be in force
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
	second := sibling(r, &Proxy{Token: secret.New("t")})
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
	r.inside() // so that goroutines that are started only once run already
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

// Connections of another user are tested with the built binary, in e2e.
func TestOwnPeerIsKnown(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux identifies the user of a connection")
	}
	if err := KnowsPeers(); err != nil {
		t.Fatal(err)
	}
}

// A change of the vault may call ForgetConnections while the proxy starts.
func TestForgetConnectionsWhileStarting(t *testing.T) {
	r := newRig(t, nil)
	for range 20 {
		r.ForgetConnections()
	}
	get(t, r.client(), "https://"+routedHost+"/")
}
