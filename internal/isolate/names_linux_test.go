package isolate

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// serveUDP serves n at address until the test ends.
func serveUDP(t *testing.T, n *Names, network, address string) (port string) {
	t.Helper()
	c, err := net.ListenPacket(network, address)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- n.ServeUDP(c) }()
	t.Cleanup(func() {
		c.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	_, port, err = net.SplitHostPort(c.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// resolver returns a resolver, of Go's own code, that asks the server at an address.
func resolver(server string) *net.Resolver {
	return &net.Resolver{PreferGo: true, StrictErrors: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server)
	}}
}

// A client connects its socket, so it gets an answer only from the address that it asked.
func TestAnswersComeFromTheAskedAddress(t *testing.T) {
	for network, test := range map[string]struct {
		listen string
		ask    []string
	}{
		"udp":  {":0", []string{"127.0.0.1", "127.0.0.53", "127.255.1.2", "::1"}},
		"udp4": {"0.0.0.0:0", []string{"127.0.0.1", "127.0.0.53"}},
		"udp6": {"[::]:0", []string{"::1"}},
	} {
		port := serveUDP(t, new(Names), network, test.listen)
		for _, address := range test.ask {
			checkUDP(t, net.JoinHostPort(address, port))
		}
	}
}

// In a namespace where every address is local, no interface has the address asked.
func TestAnswersComeFromAnyAddress(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		n := new(Names)
		port := serveUDP(t, n, "udp", "[::]:53")
		for _, address := range []string{"1.1.1.1", "8.8.8.8", "127.0.0.53", "::1", "2606:4700:4700::1111", "198.18.0.1", "10.0.0.1", "fd00::53"} {
			checkUDP(t, net.JoinHostPort(address, port))
		}
	})
}

func checkUDP(t *testing.T, server string) {
	t.Helper()
	c, err := net.Dial("udp", server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := c.Write(framedQuery(t, "a.example.", 7)[2:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 512)
	size, err := c.Read(b)
	if err != nil {
		t.Errorf("no answer from %s: %v", server, err)
		return
	}
	var m dnsmessage.Message
	if err := m.Unpack(b[:size]); err != nil || m.ID != 7 || summary(m) != "0 198.18.0.1" {
		t.Errorf("answer from %s: %v, %s", server, err, summary(m))
	}
}

func TestGarbageDoesNotEndServeUDP(t *testing.T) {
	port := serveUDP(t, new(Names), "udp4", "0.0.0.0:0")
	c, err := net.Dial("udp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	for _, packet := range []string{"", "x", strings.Repeat("\x00", 12), strings.Repeat("\xff", 3000)} {
		if _, err := c.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
	}
	c.Close() // the answers find nobody
	checkUDP(t, "127.0.0.1:"+port)
}

func TestServeUDPWithAnotherSocket(t *testing.T) {
	c, err := net.ListenPacket("unixgram", t.TempDir()+"/socket")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := new(Names).ServeUDP(c); err == nil {
		t.Error("a Unix socket is served")
	}
}

func TestGoResolver(t *testing.T) {
	n := &Names{Proxy: proxyName}
	udp := resolver("127.0.0.53:" + serveUDP(t, n, "udp", ":0"))
	server := serveTCP(t, n)
	tcp := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server)
	}}
	for network, r := range map[string]*net.Resolver{"udp": udp, "tcp": tcp} {
		addresses, err := r.LookupNetIP(t.Context(), "ip", "a.example.")
		if want := []netip.Addr{netip.MustParseAddr("198.18.0.1")}; err != nil || !slices.Equal(addresses, want) {
			t.Errorf("%s: %v, %v", network, addresses, err)
		}
		names, err := r.LookupAddr(t.Context(), "198.18.0.1")
		if err != nil || !slices.Equal(names, []string{"a.example."}) {
			t.Errorf("%s: %v, %v", network, names, err)
		}
		for _, name := range []string{"x.invalid.", "-a.example."} {
			var notFound *net.DNSError
			if _, err := r.LookupHost(t.Context(), name); !errors.As(err, &notFound) || !notFound.IsNotFound {
				t.Errorf("%s: %s: %v", network, name, err)
			}
		}
		if records, err := r.LookupMX(t.Context(), "a.example."); len(records) > 0 || err == nil {
			t.Errorf("%s: MX %v, %v", network, records, err)
		}
	}
}

// dig is a client that shows all of an answer, where it is installed.
func TestDig(t *testing.T) {
	path, err := exec.LookPath("dig")
	if err != nil {
		return
	}
	port := serveUDP(t, new(Names), "udp", ":0")
	output, err := exec.Command(path, "@127.0.0.53", "-p", port, "Mixed.Example", "A").CombinedOutput()
	for _, want := range []string{"status: NOERROR", "qr rd ra;", "EDNS: version: 0", "Mixed.Example.\t\t60\tIN\tA\t198.18.0.1"} {
		if err != nil || !strings.Contains(string(output), want) {
			t.Errorf("without %q: %v\n%s", want, err, output)
		}
	}
}
