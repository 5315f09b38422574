package intercept

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// elsewhere is where clients connect in these tests. Nothing may ever dial it.
const elsewhere = "203.0.113.9"

// capture is a rig that also has a listener for captured connections. Its clients connect
// to it for every address, as in a network namespace where all addresses are local.
type capture struct {
	*rig
	listener *capturing
}

// newCapture starts a proxy with a captured listener. DNS gave routedHost the address
// 198.18.0.1 and otherHost 198.18.0.2.
func newCapture(t testing.TB, change func(*rig)) *capture {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &capture{listener: &capturing{Listener: l, meant: make(map[string]net.Addr)}}
	c.listener.known.L = &c.listener.mu
	names := map[netip.Addr]string{netip.MustParseAddr("198.18.0.1"): routedHost, netip.MustParseAddr("198.18.0.2"): otherHost}
	c.rig = newRig(t, func(r *rig) {
		r.Captured = []net.Listener{c.listener}
		r.Capture.Name = func(a netip.Addr) (string, bool) { name, ok := names[a]; return name, ok }
		if change != nil {
			change(r)
		}
	})
	return c
}

// capturing is a listener whose connections report as their local address what the client
// meant to connect to.
type capturing struct {
	net.Listener
	mu    sync.Mutex // guards meant
	known sync.Cond
	meant map[string]net.Addr // by the client's address
}

func (l *capturing) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &capturedConn{c.(*net.TCPConn), l}, nil
}

type capturedConn struct {
	*net.TCPConn
	listener *capturing
}

func (c *capturedConn) LocalAddr() net.Addr {
	l, from := c.listener, c.RemoteAddr().String()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.meant[from] == nil { // the client has not returned from connecting yet
		l.known.Wait()
	}
	return l.meant[from]
}

// dialContext connects to the captured listener in place of address, which is an IP
// address, or a host name that is replaced by elsewhere.
func (c *capture) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if net.ParseIP(host) == nil {
		address = net.JoinHostPort(elsewhere, port)
	}
	to, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, c.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	c.listener.mu.Lock()
	defer c.listener.mu.Unlock()
	c.listener.meant[conn.LocalAddr().String()] = to
	c.listener.known.Broadcast()
	return conn, nil
}

// dial returns a captured connection to address.
func (c *capture) dial(address string) net.Conn {
	c.t.Helper()
	conn, err := c.dialContext(c.t.Context(), "tcp", address)
	if err != nil {
		c.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(limit))
	c.t.Cleanup(func() { conn.Close() })
	return conn
}

// client returns a client that knows no proxy.
func (c *capture) client() *http.Client {
	client := c.rig.client()
	transport := client.Transport.(*http.Transport)
	transport.Proxy, transport.DialContext = nil, c.dialContext
	return client
}

func (c *capture) http1() *http.Client {
	client := c.client()
	client.Transport.(*http.Transport).ForceAttemptHTTP2 = false
	client.Transport.(*http.Transport).TLSClientConfig.NextProtos = []string{"http/1.1"}
	return client
}

// tls begins TLS on a captured connection to address, with serverName in the ClientHello
// unless it is empty.
func (c *capture) tls(address, serverName string) *tls.Conn {
	c.t.Helper()
	config := &tls.Config{ServerName: serverName, InsecureSkipVerify: true} // the tests look at the certificate themselves
	return tls.Client(c.dial(address), config)
}

// wantAlert checks that the proxy refuses a handshake with an alert, and records code for
// a target.
func (c *capture) wantAlert(conn *tls.Conn, alert tls.AlertError, code Code, target string) {
	c.t.Helper()
	err := conn.Handshake()
	if err == nil || !strings.Contains(err.Error(), alert.Error()) {
		c.t.Errorf("the handshake ended with %v, want %v", err, alert)
	}
	x := c.next()
	if x.Kind != KindRefused || x.Code != code || x.Status != 0 || net.JoinHostPort(x.Host, fmt.Sprint(x.Port)) != target {
		c.t.Errorf("recorded %+v, want %s for %s", x, code, target)
	}
}

// The name in TLS is the target, whatever address the client connected to, over HTTP/1.1
// and HTTP/2.
func TestCapturedRequestsAreServed(t *testing.T) {
	c := newCapture(t, nil)
	for name, client := range map[string]*http.Client{"HTTP/2.0": c.client(), "HTTP/1.1": c.http1()} {
		response, body := get(t, client, "https://"+routedHost+"/x")
		if want := "GET /x host=" + routedHost + " auth=Bearer " + realKey; body != want || response.Proto != name {
			t.Errorf("%s: got %q over %s", name, body, response.Proto)
		}
		if got := response.TLS.PeerCertificates[0].Issuer.CommonName; got != "proxy test authority" {
			t.Errorf("%s: certificate by %q", name, got)
		}
		if x := c.next(); x.Kind != KindRequest || x.Host != routedHost || x.Port != 443 || !x.Injected {
			t.Errorf("%s: recorded %+v", name, x)
		}
	}
	other := c.http1()
	response, body := get(t, other, "https://"+otherHost+"/x")
	if got := response.TLS.PeerCertificates[0].Issuer.CommonName; got != "upstream test authority" || body != "GET /x host="+otherHost+" auth=" {
		t.Errorf("passed through: %q, certificate by %q", body, got)
	}
	other.CloseIdleConnections()
	if x := c.next(); x.Kind != KindTunnel || x.Host != otherHost || x.Method != http.MethodConnect || x.Sent == 0 || x.Received == 0 {
		t.Errorf("recorded %+v", x)
	}
}

// The name in TLS wins over that of the address, and without both nothing is reached.
func TestCapturedNames(t *testing.T) {
	c := newCapture(t, nil)
	for _, tt := range []struct{ address, serverName, host string }{
		{elsewhere + ":443", routedHost, routedHost},
		{elsewhere + ":443", strings.ToUpper(routedHost), routedHost},
		{"198.18.0.2:443", routedHost, routedHost},
		{"198.18.0.1:443", "", routedHost},
		{"[::ffff:198.18.0.1]:443", "", routedHost},
		{"[2001:db8::1]:443", routedHost, routedHost},
	} {
		conn := c.tls(tt.address, tt.serverName)
		response, body := exchange(t, conn, "GET / HTTP/1.1\r\nHost: "+tt.host+"\r\nConnection: close\r\n\r\n")
		if response.StatusCode != http.StatusOK || !strings.HasSuffix(body, "auth=Bearer "+realKey) {
			t.Errorf("%+v: %d %s", tt, response.StatusCode, body)
		}
		if err := conn.ConnectionState().PeerCertificates[0].VerifyHostname(tt.host); err != nil {
			t.Errorf("%+v: %v", tt, err)
		}
		if x := c.next(); x.Host != tt.host || x.Port != 443 || !x.Injected {
			t.Errorf("%+v: recorded %+v", tt, x)
		}
	}
	c.wantAlert(c.tls(elsewhere+":443", ""), alertUnrecognizedName, CodeTargetUnknown, elsewhere+":443")
	c.wantAlert(c.tls("[2001:db8::1]:8443", ""), alertUnrecognizedName, CodeTargetUnknown, "[2001:db8::1]:8443")
	c.wantAlert(c.tls(elsewhere+":443", "a..b"), alertInternalError, CodeBadRequest, elsewhere+":443")
	c.wantAlert(c.tls("198.18.0.1:443", "a_b%41"), alertInternalError, CodeBadRequest, routedHost+":443")
	if seen := len(c.requests()); seen != 6 {
		t.Errorf("the upstream saw %d requests", seen)
	}
}

// A request names the target of its connection, or it is refused.
func TestCapturedAuthority(t *testing.T) {
	c := newCapture(t, nil)
	response, _ := exchange(t, c.tls(elsewhere+":443", routedHost), "GET / HTTP/1.1\r\nHost: "+otherHost+"\r\n\r\n")
	if response.StatusCode != http.StatusMisdirectedRequest || response.Header.Get(errorHeader) != string(CodeAuthorityMismatch) {
		t.Errorf("another Host was answered %d", response.StatusCode)
	}
	if x := c.next(); x.Host != routedHost || x.Code != CodeAuthorityMismatch || x.Injected {
		t.Errorf("recorded %+v", x)
	}
}

// unreachable is an UpstreamProxy that makes every dial fail, without asking DNS.
func unreachable(*url.URL) (*url.URL, error) { return nil, errors.New("not dialled in this test") }

// The address that a client connects to is never dialled, also if something listens there.
func TestCapturedAddressIsNotDialled(t *testing.T) {
	there, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	reached := make(chan struct{}, 16)
	go func() {
		for {
			conn, err := there.Accept()
			if err != nil {
				return
			}
			reached <- struct{}{}
			conn.Close()
		}
	}()
	c := newCapture(t, func(r *rig) { r.UpstreamProxy = unreachable })
	address := there.Addr().String()
	c.tls(address, "").Handshake()
	if x := c.next(); x.Code != CodeTargetUnknown {
		t.Errorf("recorded %+v", x)
	}
	c.tls(address, "name.invalid").Handshake()
	if x := c.next(); x.Code != CodeUpstreamUnreachable || x.Host != "name.invalid" {
		t.Errorf("recorded %+v", x)
	}
	for _, sent := range []string{"GET / HTTP/1.0\r\n\r\n", "\x00\x01", "\x16\x03\x01", "\x16garbage", "SSH-2.0-x\r\n"} {
		conn := c.dial(address)
		io.WriteString(conn, sent)
		closeWrite(conn)
		wantClosed(t, conn)
	}
	select {
	case <-reached:
		t.Error("the address was dialled")
	default:
	}
}

// A ClientHello is read in any parts: bytes, and TLS records.
func TestCapturedHelloInParts(t *testing.T) {
	c := newCapture(t, nil)
	hello := clientHello(t, routedHost)
	var records []byte // of one byte each
	for _, b := range hello[5:] {
		records = append(records, 0x16, 3, 1, 0, 1, b)
	}
	for _, sent := range [][]byte{hello, records} {
		conn := c.dial(elsewhere + ":443")
		conn.(*net.TCPConn).SetNoDelay(true)
		for i := range sent {
			conn.Write(sent[i : i+1])
		}
		answer := make([]byte, 6)
		if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != recordHandshake || answer[5] != 2 {
			t.Errorf("%d bytes were answered %x, %v; want a ServerHello", len(sent), answer, err)
		}
	}
}

// clientHello returns what crypto/tls sends first.
func clientHello(t testing.TB, serverName string) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		tls.Client(client, &tls.Config{ServerName: serverName, InsecureSkipVerify: true}).Handshake()
		client.Close()
	}()
	b := make([]byte, 16<<10)
	n, err := bufio.NewReader(server).Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// What is not a ClientHello is refused with an alert, and nothing is dialled for it.
func TestCapturedHelloIsMalformed(t *testing.T) {
	c := newCapture(t, nil)
	hello := clientHello(t, routedHost)
	endless := []byte{0x16, 3, 1, 0, 4, 1, 0, 0xff, 0xff} // the head of a ClientHello of 64 KiB, and its bytes in one record each
	for len(endless) < 2*maxHello {
		endless = append(endless, 0x16, 3, 1, 0, 1, 0)
	}
	for name, sent := range map[string][]byte{
		"garbage": []byte("\x16garbage that is not TLS at all"), "ServerHello": append([]byte{0x16, 3, 3, 0, 4, 2, 0, 0, 0}, hello...),
		"record too long": {0x16, 3, 1, 0xff, 0xff, 1, 2, 3}, "message too long": {0x16, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff}, "too large": endless,
	} {
		conn := c.dial("198.18.0.1:443")
		go conn.Write(sent)
		answer := make([]byte, 7)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "\x15\x03\x03\x00\x02\x02\x50" {
			t.Errorf("%s: answered %x, %v", name, answer, err)
		}
		if x := c.next(); x.Code != CodeBadRequest || x.Host != routedHost || x.Port != 443 {
			t.Errorf("%s: recorded %+v", name, x)
		}
	}
	// A client that leaves is not an event.
	conn := c.dial("198.18.0.1:443")
	conn.Write(hello[:20])
	closeWrite(conn)
	wantClosed(t, conn)
	if len(c.recorded) > 0 {
		t.Errorf("recorded %+v", c.next())
	}
}
