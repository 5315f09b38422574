package intercept

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authsome/authsome/routing"
)

// viaProxy returns a function that sends everything through the proxy at address. It calls
// chosen each time.
func viaProxy(address string, chosen func()) func(*url.URL) (*url.URL, error) {
	return func(*url.URL) (*url.URL, error) {
		chosen()
		return &url.URL{Scheme: "http", Host: address}, nil
	}
}

// local is a service on this machine, for a fence around it.
type local struct {
	*httptest.Server
	port    int
	reached atomic.Int32
}

func newLocal(t *testing.T) *local {
	t.Helper()
	l := new(local)
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	l.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { l.reached.Add(1) }))
	l.Listener = listener
	l.Start()
	t.Cleanup(l.Close)
	l.port = listener.Addr().(*net.TCPAddr).Port
	return l
}

// withPort are the routes for routedHost, on 443 and on another port.
func withPort(t *testing.T, port int) func() *routing.Table {
	t.Helper()
	bindings := make([]routing.Binding, 2)
	for i, host := range []string{routedHost, fmt.Sprint(routedHost, ":", port)} {
		bindings[i] = ready
		bindings[i].Definition = definition(t, host)
		bindings[i].Connection = fmt.Sprint("c", i)
		bindings[i].Default = i == 0
	}
	routes, err := routing.New(bindings, routing.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return func() *routing.Table { return routes }
}

// wantCode sends each request that names target to c, in each way, and checks the code of
// its record.
func (c *capture) wantCode(target string, code Code) {
	c.t.Helper()
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		c.t.Fatal(err)
	}
	check := func(way string) {
		c.t.Helper()
		if x := c.next(); x.Code != code {
			c.t.Errorf("%s: %s: recorded %+v, want %q", target, way, x, code)
		}
	}
	for _, head := range everyForm(target, "/x") {
		conn := c.raw()
		io.WriteString(conn, head)
		readRawHead(c.t, conn)
		check(head)
	}
	conn := c.dial(net.JoinHostPort(elsewhere, port))
	fmt.Fprintf(conn, "GET /x HTTP/1.1\r\nHost: %s\r\n\r\n", target)
	readRawHead(c.t, conn)
	check("captured, plain")
	secure := c.tls(net.JoinHostPort(elsewhere, port), host)
	secure.Handshake()
	secure.Close()
	check("captured, TLS")
}

// Behind a fence, clients reach no port that is not open, in no way.
func TestFencePorts(t *testing.T) {
	dialled := make(chan string, 64)
	c := newCapture(t, func(r *rig) {
		r.Routes, r.Fence = withPort(t, 8443), &Fence{}
		r.UpstreamProxy = func(u *url.URL) (*url.URL, error) {
			dialled <- u.Host
			return nil, errors.New("not dialled in this test")
		}
	})
	for _, target := range []string{"db.test:5432", "github.com:22", "203.0.113.4:8080", routedHost + ":9999"} {
		code := CodeNotAllowed
		for _, head := range everyForm(target, "/x") {
			if strings.Contains(head, " http://"+routedHost) {
				continue // https_required
			}
			response, body := exchange(t, c.raw(), head)
			if response.Header.Get(errorHeader) != string(code) || !strings.Contains(body, target+" may not be reached: only ports 443 and 80") {
				t.Errorf("%q was answered %d %s", head, response.StatusCode, body)
			}
			if x := c.next(); x.Code != code || net.JoinHostPort(x.Host, fmt.Sprint(x.Port)) != target {
				t.Errorf("%q: recorded %+v", head, x)
			}
		}
	}
	c.wantCode("db.test:5432", CodeNotAllowed)
	c.wantAlert(c.tls(elsewhere+":5432", "db.test"), alertAccessDenied, CodeNotAllowed, "db.test:5432")
	if len(dialled) > 0 {
		t.Errorf("the proxy was about to dial %s", <-dialled)
	}
	for _, target := range []string{"open.invalid:443", "open.invalid:80", "open.invalid:8443"} {
		c.wantCode(target, CodeUpstreamUnreachable)
	}
	get(t, c.rig.client(), "https://"+otherHost+"/x") // a tunnel
	get(t, c.client(), "https://"+routedHost+"/x")
	get(t, c.client(), "https://"+SelfHost+"/x")
}

// Behind a fence, clients reach no address of this machine, on no port and in no spelling.
func TestFenceKeepsThisMachine(t *testing.T) {
	service := newLocal(t)
	c := newCapture(t, func(r *rig) { r.Routes, r.Fence = withPort(t, service.port), &Fence{} })
	for _, target := range ownAddresses(t, service.port) {
		for _, head := range everyForm(target, "/x") {
			response, body := exchange(t, c.raw(), head)
			if response.StatusCode != http.StatusForbidden || response.Header.Get(errorHeader) != string(CodeNotAllowed) {
				t.Errorf("%q was answered %d %s", head, response.StatusCode, body)
			}
			if x := c.next(); x.Code != CodeNotAllowed {
				t.Errorf("%q: recorded %+v", head, x)
			}
		}
	}
	c.wantCode(fmt.Sprint("localhost:", service.port), CodeNotAllowed)
	_, body := exchange(t, c.raw(), fmt.Sprintf("GET http://localhost:%d/ HTTP/1.1\r\nHost: x\r\n\r\n", service.port))
	if !strings.Contains(body, "localhost is the run itself") {
		t.Errorf("localhost was answered %s", body)
	}
	if n := service.reached.Load(); n != 0 {
		t.Errorf("the service was reached %d times", n)
	}
}

// What the user allowed is reached in every way, on this machine too, except for metadata
// services and the proxy's own ports.
func TestFenceAllows(t *testing.T) {
	service, admin := newLocal(t), newLocal(t)
	allowed := Target{"localhost", service.port}
	c := newCapture(t, func(r *rig) {
		r.Own = []net.Addr{admin.Listener.Addr()}
		r.Fence = &Fence{Allowed: func(t Target) bool {
			return t == allowed || t.Port == admin.port || t.Host == "169.254.169.254" || t.Host == "metadata.test"
		}}
	})
	tunnel := c.connect(fmt.Sprint("localhost:", service.port))
	if response, body := exchange(t, tunnel, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"); response.StatusCode != http.StatusOK {
		t.Errorf("tunnel: %d %s", response.StatusCode, body)
	}
	for name, client := range map[string]*http.Client{"captured": c.client(), "plain": c.rig.client()} {
		if response, body := get(t, client, fmt.Sprintf("http://localhost:%d/x", service.port)); response.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", name, response.StatusCode, body)
		}
	}
	if n := service.reached.Load(); n != 3 {
		t.Errorf("the service was reached %d times", n)
	}
	for _, target := range []string{fmt.Sprint("127.0.0.1:", service.port), fmt.Sprint("localhost:", service.port-1)} {
		response, body := exchange(t, c.raw(), "CONNECT "+target+" HTTP/1.1\r\n\r\n")
		if response.Header.Get(errorHeader) != string(CodeNotAllowed) {
			t.Errorf("%s: %d %s", target, response.StatusCode, body)
		}
	}
	for _, target := range []string{fmt.Sprint("127.0.0.1:", admin.port), fmt.Sprint("localhost:", admin.port), "169.254.169.254:80", "169.254.169.254:9999"} {
		for _, head := range everyForm(target, "/x") {
			response, body := exchange(t, c.raw(), head)
			if response.Header.Get(errorHeader) != string(CodePrivateTarget) {
				t.Errorf("%q: %d %s", head, response.StatusCode, body)
			}
		}
	}
	if n := admin.reached.Load(); n != 0 {
		t.Errorf("the proxy's own port was reached %d times", n)
	}
}

// Nothing denies what the user allowed.
func TestFenceAllowsWhatOthersAreDenied(t *testing.T) {
	service := newLocal(t)
	deny := table(t, definition(t, routedHost), ready, routing.Options{DenyUnmatched: true})
	c := newCapture(t, func(r *rig) {
		r.Routes = func() *routing.Table { return deny }
		r.Fence = &Fence{Allowed: func(t Target) bool { return t == Target{"localhost", service.port} }}
	})
	c.connect(fmt.Sprint("localhost:", service.port))
	if response, body := get(t, c.client(), fmt.Sprintf("http://localhost:%d/x", service.port)); response.StatusCode != http.StatusOK {
		t.Errorf("allowed: %d %s", response.StatusCode, body)
	}
	c.next()
	c.wantCode("other.test:80", CodeHostDenied)
}

// Another proxy is not asked for this machine or for closed ports. What the user allowed on
// this machine is reached directly.
func TestFenceWithAnUpstreamProxy(t *testing.T) {
	service := newLocal(t)
	asked := newLocal(t) // answers every request as a proxy would
	allowed := Target{"localhost", service.port}
	c := newCapture(t, func(r *rig) {
		r.Routes, r.ConnectTo = withPort(t, 8443), nil
		r.Fence = &Fence{Allowed: func(t Target) bool { return t == allowed || t == Target{"db.test", 5432} }}
		r.UpstreamProxy = viaProxy(asked.Listener.Addr().String(), func() {})
	})
	for _, target := range []string{"localhost:443", "x.localhost:80", "127.0.0.1:8443", "[::1]:443", "0.0.0.0:80", "[::ffff:127.0.0.1]:443", "other.test:5432"} {
		for _, head := range everyForm(target, "/x") {
			response, body := exchange(t, c.raw(), head)
			if response.Header.Get(errorHeader) != string(CodeNotAllowed) {
				t.Errorf("%q: %d %s", head, response.StatusCode, body)
			}
		}
	}
	if n := asked.reached.Load(); n != 0 {
		t.Errorf("the upstream proxy was asked %d times", n)
	}
	for _, target := range []string{"db.test:5432", "other.test:80"} {
		exchange(t, c.raw(), "GET http://"+target+"/x HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	if n := asked.reached.Load(); n != 2 {
		t.Errorf("the upstream proxy was asked %d times, want 2", n)
	}
	get(t, c.client(), fmt.Sprintf("http://localhost:%d/x", service.port))
	if service.reached.Load() != 1 || asked.reached.Load() != 2 {
		t.Error("this machine was not reached directly")
	}
}

// Behind a fence, intercepted hosts are served in every way, wherever they are.
func TestFenceLeavesRoutes(t *testing.T) {
	c := newCapture(t, func(r *rig) { r.Fence = &Fence{} })
	for name, client := range map[string]*http.Client{"proxy": c.rig.client(), "captured": c.client(), "absolute": c.absolute()} {
		if _, body := get(t, client, "https://"+routedHost+"/x"); !strings.HasSuffix(body, "auth=Bearer "+realKey) {
			t.Errorf("%s: got %q", name, body)
		}
	}
}

// The guard's fence holds for every address of this machine, and for those that lead to it.
func TestGuardFence(t *testing.T) {
	g := newGuard(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}, nil, true)
	g.fenced = true
	for _, a := range ownAddresses(t, 443) {
		ap, err := netip.ParseAddrPort(a)
		if err != nil {
			continue // a name
		}
		if err := g.check(ap, false); err != errLocal {
			t.Errorf("%s: %v", a, err)
		}
		if err := g.check(ap, true); err != nil {
			t.Errorf("%s, named: %v", a, err)
		}
	}
	for _, a := range []string{"[64:ff9b::7f00:1]:443", "[2002:7f00:1::]:443", "[::127.0.0.1]:443"} {
		if err := g.check(netip.MustParseAddrPort(a), false); err != errLocal {
			t.Errorf("%s: %v", a, err)
		}
	}
	for _, a := range []string{"10.255.255.1:443", "93.184.216.34:443"} {
		if err := g.check(netip.MustParseAddrPort(a), false); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	same := ended{addressed{from: "203.0.113.5:443"}, addressed{from: "203.0.113.5:40000"}.RemoteAddr()}
	if err := g.checkConnected(same, false); err != errLocal {
		t.Errorf("a connection to itself: %v", err)
	}
	if err := g.checkConnected(same, true); err != nil {
		t.Errorf("a named one: %v", err)
	}
}
