package intercept

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// What reaches a port of the proxy is its own in every spelling, and nothing else is.
func TestGuardKnowsItsOwnPorts(t *testing.T) {
	addr := func(s string) net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)) }
	for _, tt := range []struct {
		listening, admin string
		own, other       []string
	}{
		{
			"127.0.0.1:8080", "127.0.0.1:9464",
			[]string{
				"127.0.0.1:8080", "127.0.0.1:9464", "0.0.0.0:8080", "[::]:8080", "[::ffff:127.0.0.1]:8080", "[::ffff:0.0.0.0]:9464",
				"[::127.0.0.1]:8080", "[64:ff9b::7f00:1]:8080", "[2002:7f00:1::]:9464", "[64:ff9b:1:7f00:0:100::]:8080",
			},
			[]string{"127.0.0.2:8080", "127.0.0.1:8081", "[::1]:8080", "93.184.216.34:8080"},
		},
		{
			"0.0.0.0:8080", "[::]:9464",
			[]string{"127.0.0.1:8080", "127.9.9.9:8080", "0.0.0.0:8080", "[::1]:9464", "127.0.0.2:9464", "[::]:9464", "[::ffff:127.0.0.2]:8080"},
			[]string{"93.184.216.34:8080", "127.0.0.1:8081"},
		},
		{"[fe80::1%eth0]:8080", "10.0.0.1:9464", []string{"[fe80::1]:8080", "[fe80::1%eth1]:8080", "10.0.0.1:9464"}, []string{"127.0.0.1:8080", "0.0.0.0:9464"}},
	} {
		g := newGuard(addr(tt.listening), []net.Addr{addr(tt.admin)}, true)
		for _, named := range []bool{false, true} {
			for _, a := range tt.own {
				if err := g.check(netip.MustParseAddrPort(a), named); err != errOwnPort {
					t.Errorf("listening on %s and %s: %s: %v", tt.listening, tt.admin, a, err)
				}
			}
			for _, a := range tt.other {
				if err := g.check(netip.MustParseAddrPort(a), named); err == errOwnPort {
					t.Errorf("listening on %s and %s: %s counts as own", tt.listening, tt.admin, a)
				}
			}
		}
	}
}

// A connection with the same address at both ends stays on this machine.
func TestGuardKnowsConnectionsToItself(t *testing.T) {
	g := newGuard(&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, nil, true)
	for ends, own := range map[[2]string]bool{
		{"203.0.113.5:40000", "203.0.113.5:8080"}: true, {"203.0.113.5:40000", "203.0.113.6:8080"}: false, {"203.0.113.5:40000", "203.0.113.5:8081"}: false,
	} {
		err := g.checkConnected(ended{addressed{from: ends[1]}, addressed{from: ends[0]}.RemoteAddr()}, true)
		if (err != nil) != own {
			t.Errorf("%v: %v", ends, err)
		}
	}
}

// ended is a connection with a local address.
type ended struct {
	addressed
	local net.Addr
}

func (c ended) LocalAddr() net.Addr { return c.local }

// ownAddresses are the spellings of this machine's addresses with a port, for a proxy
// that listens on all of them.
func ownAddresses(t *testing.T, port int) []string {
	t.Helper()
	var all []string
	for _, host := range []string{"localhost", "LOCALHOST.", "127.0.0.1", "127.0.0.2", "0.0.0.0", "[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:2]"} {
		all = append(all, fmt.Sprint(host, ":", port))
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLinkLocalUnicast() {
			all = append(all, net.JoinHostPort(n.IP.String(), fmt.Sprint(port)))
		}
	}
	return all
}

// everyForm returns the requests with which a client can name target to a proxy.
func everyForm(target, path string) []string {
	return []string{
		"CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://" + target + path + " HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET https://" + target + path + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n",
	}
}

// Neither tunnels nor plain requests reach the proxy or its admin port, however they
// are spelled, with and without an upstream proxy.
func TestOwnPortsAreRefused(t *testing.T) {
	var reached atomic.Int32
	count := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/control" && r.Host != otherHost+":443" {
			t.Errorf("%s %s %s was reached", r.Method, r.Host, r.URL)
		}
		reached.Add(1)
	})
	admin := httptest.NewUnstartedServer(count)
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	admin.Listener = l
	admin.Start()
	defer admin.Close()
	other := httptest.NewServer(count) // an upstream proxy, which refuses tunnels, and a service
	defer other.Close()
	first := newRig(t, nil)
	for _, upstream := range []func(*url.URL) (*url.URL, error){nil, func(*url.URL) (*url.URL, error) { return url.Parse(other.URL) }} {
		r := sibling(first, &Proxy{Token: secret.New("t"), AllowPrivate: true, Own: []net.Addr{l.Addr()}, UpstreamProxy: upstream})
		r.ConnectTo = nil
		r.Proxy.Routes = func() *routing.Table { return &routing.Table{} }
		listener, err := net.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		r.serve(listener)
		r.addr = net.JoinHostPort("127.0.0.1", fmt.Sprint(listener.Addr().(*net.TCPAddr).Port))
		for _, port := range []int{listener.Addr().(*net.TCPAddr).Port, l.Addr().(*net.TCPAddr).Port} {
			for _, target := range ownAddresses(t, port) {
				for _, head := range everyForm(target, "/ca.pem") {
					response, body := exchange(t, r.raw(), head)
					if response.StatusCode != http.StatusForbidden || response.Header.Get(errorHeader) != string(CodePrivateTarget) {
						t.Errorf("upstream proxy %v: %s: %d %s", upstream != nil, head, response.StatusCode, body)
					}
				}
			}
		}
		if n := reached.Load(); n != 0 {
			t.Errorf("%d requests reached the proxy's own ports", n)
		}
		// Another port of this machine is not the proxy's.
		response, _ := exchange(t, r.raw(), "GET "+other.URL+"/control HTTP/1.1\r\nHost: x\r\n\r\n")
		if response.StatusCode != http.StatusOK || reached.Load() != 1 {
			t.Errorf("upstream proxy %v: another port was answered %d", upstream != nil, response.StatusCode)
		}
		reached.Store(0)
	}
}

// Another proxy is not asked for metadata services either, by address or by name.
func TestMetadataIsRefusedThroughAnUpstreamProxy(t *testing.T) {
	asked := make(chan string, 16)
	via, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer via.Close()
	go func() {
		for {
			c, err := via.Accept()
			if err != nil {
				return
			}
			if q, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				asked <- q.Host
			}
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			c.Close()
		}
	}()
	r := newRig(t, func(r *rig) {
		r.ConnectTo = nil
		r.UpstreamProxy = func(*url.URL) (*url.URL, error) {
			return &url.URL{Scheme: "http", Host: via.Addr().String()}, nil
		}
	})
	for _, host := range []string{"169.254.169.254", "[::ffff:169.254.169.254]", "[64:ff9b:1:a9fe:a9:fe00::]", "192.0.0.192", "[fd00:ec2::254]", "metadata.google.internal", "Metadata.Google.Internal."} {
		for _, head := range everyForm(host+":80", "/latest") {
			response, body := exchange(t, r.raw(), head)
			if response.StatusCode != http.StatusForbidden || !strings.Contains(body, "metadata") {
				t.Errorf("%s: %d %s", head, response.StatusCode, body)
			}
		}
	}
	exchange(t, r.raw(), "GET http://service.test/ HTTP/1.1\r\nHost: x\r\n\r\n")
	if host := <-asked; host != "service.test" || len(asked) > 0 {
		t.Errorf("the upstream proxy was asked for %s, and %d more", host, len(asked))
	}
}
