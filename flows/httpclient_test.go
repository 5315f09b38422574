package flows

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// A public name can have a private address, so the address is checked when it is dialled.
func TestDiscoveredHostIsCheckedWhenDialled(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		host    string
		trusted []string
		good    bool
	}{
		{"localhost", nil, false},
		{"127.0.0.1", nil, false},
		{"localhost", []string{"example.com", "localhost"}, true},
		{"LOCALHOST", []string{"localhost"}, true},
		{"localhost", []string{"127.0.0.1"}, false},
	} {
		tr := guardedTransport(test.trusted)
		tr.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
		resp, err := (&http.Client{Transport: tr}).Get("https://" + net.JoinHostPort(test.host, port))
		if err == nil {
			resp.Body.Close()
		}
		if _, refused := errors.AsType[*notPublicError](err); refused == test.good || (err == nil) != test.good {
			t.Errorf("%s, trusted %q: %v", test.host, test.trusted, err)
		}
		if err != nil && !strings.Contains(transportError(err).Error(), "not a public address") {
			t.Errorf("the reason is lost: %v", transportError(err))
		}
	}
}

// The user chose the proxy, so it may have a private address. It resolves the names of the
// hosts.
func TestGuardAllowsProxy(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	g := &guard{}
	if _, err := g.dial(t.Context(), "tcp", server.Listener.Addr().String()); err == nil {
		t.Error("a connection to this machine was allowed")
	}
	g.proxies.Store(server.Listener.Addr().String(), true)
	c, err := g.dial(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestCheckPublic(t *testing.T) {
	for s, want := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "2606:4700::1111": true, "172.32.0.1": true, "100.128.0.1": true,
		"127.0.0.1": false, "127.8.8.8": false, "10.0.0.1": false, "172.16.0.1": false, "192.168.0.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "224.0.0.1": false, "255.255.255.255": false, "198.18.0.1": false, "192.0.2.1": false,
		"::1": false, "::": false, "fe80::1": false, "fd00:ec2::254": false, "ff02::1": false, "fec0::1": false,
		"::ffff:127.0.0.1": false, "::ffff:100.64.0.1": false, "::ffff:8.8.8.8": true, "fe80::1%eth0": false, "::ffff:10.0.0.1": false, "::127.0.0.1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::": false, "2001:db8::1": false,
	} {
		if got := checkPublic(netip.MustParseAddr(s)) == nil; got != want {
			t.Errorf("%s: %t", s, got)
		}
	}
}

func TestParseEndpoint(t *testing.T) {
	for s, want := range map[string]bool{
		"https://acme.example/t": true, "https://acme.example:8443/t?x=1": true, "https://10.0.0.1/t": true,
		"http://127.0.0.1:1/t": true, "http://[::1]/t": true, "http://localhost/t": true,
		"http://acme.example/t": false, "http://127.0.0.1.evil.example/t": false, "http://localhost.evil.example": false,
		"https:///t": false, "https:t": false, "//acme.example": false, "acme.example": false, "": false, "https://u:p@acme.example": false, "https://u@acme.example": false,
		"https://acme.example/#f": false, "javascript:alert(1)": false, "https://acme.example\x00/": false, "https://acme.example:port/": false,
	} {
		if _, err := parseEndpoint(s); (err == nil) != want {
			t.Errorf("%q: %v", s, err)
		}
	}
}
