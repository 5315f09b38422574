package intercept

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]string{
		"api.github.com:443": "api.github.com:443", "API.github.com.:8443": "api.github.com:8443", "127.0.0.1:80": "127.0.0.1:80", "[::1]:443": "[::1]:443",
		"[::ffff:127.0.0.1]:443": "127.0.0.1:443",
	} {
		if got, err := ParseTarget(in); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", ":", ":443", "a", "a:", "a:0", "a:+1", "a:-1", "a:1 ", "a: 1", "a:99999", "a:0443", "a:https", "[a]:443", "::1:443", "[::1]", "a:1:2", "u@a:1", "a/b:1", "[fe80::1%25eth0]:443"} {
		if got, err := ParseTarget(bad); err == nil {
			t.Errorf("%q was taken for %v", bad, got)
		}
	}
}

func TestAgrees(t *testing.T) {
	secure, other, six := Target{"api.example.com", 443}, Target{"api.example.com", 8443}, Target{"::1", 443}
	for _, tt := range []struct {
		target    Target
		authority string
		want      bool
	}{
		{secure, "api.example.com", true}, {secure, "api.example.com:443", true}, {secure, "API.EXAMPLE.COM", true}, {secure, "api.example.com.", true},
		{secure, "api.example.com:444", false}, {secure, "api.example.com:", false}, {secure, "", false}, {secure, "evil.test", false},
		{secure, "api.example.com:443:443", false}, {secure, "x@api.example.com", false}, {secure, "api.example.com/", false},
		{other, "api.example.com:8443", true}, {other, "api.example.com", false}, {other, "api.example.com:443", false},
		{six, "[::1]", true}, {six, "[::1]:443", true}, {six, "[::1]:444", false}, {six, "[::2]", false},
	} {
		if got := tt.target.matches(tt.authority); got != tt.want {
			t.Errorf("%v agrees with %q: %v", tt.target, tt.authority, got)
		}
	}
}

func TestParseConnectTo(t *testing.T) {
	for in, want := range map[string][2]string{
		"api.example.com:443:127.0.0.1:8443": {"api.example.com:443", "127.0.0.1:8443"},
		"[::1]:443:[::2]:8443":               {"[::1]:443", "[::2]:8443"},
		"a.test:443:[::1]:1":                 {"a.test:443", "[::1]:1"},
	} {
		c, err := ParseConnectTo(in)
		if err != nil || c.From.String() != want[0] || c.To.String() != want[1] {
			t.Errorf("%s: %v, %v", in, c, err)
		}
	}
	for _, bad := range []string{"", "a:443", "a:443:b", "a:443:b:0", "a::b:1", ":443:b:1"} {
		if c, err := ParseConnectTo(bad); err == nil {
			t.Errorf("%q was taken for %v", bad, c)
		}
	}
}

func TestGuard(t *testing.T) {
	tests := []struct {
		address                 string
		loopback, public, named bool // allowed when listening there; off loopback, when named
	}{
		{"93.184.216.34:443", true, true, true},
		{"[2606:2800:220:1::1]:443", true, true, true},
		{"127.0.0.1:443", true, false, true},
		{"[::1]:443", true, false, true},
		{"10.1.2.3:443", true, false, true},
		{"192.168.1.1:443", true, false, true},
		{"169.254.1.1:443", true, false, true},
		{"100.64.0.1:443", true, false, true},
		{"0.0.0.0:443", true, false, true},
		{"[fe80::1]:443", true, false, true},
		{"[fd00::1]:443", true, false, true},
		{"[64:ff9b::7f00:1]:443", true, false, true},
		{"[2002:7f00:1::]:443", true, false, true},
		{"[::ffff:10.0.0.1]:443", true, false, true},
		{"224.0.0.1:443", true, false, true},
		{"169.254.169.254:80", false, false, false},
		{"[::ffff:169.254.169.254]:80", false, false, false},
		{"[fd00:ec2::254]:80", false, false, false},
		{"127.0.0.1:8080", false, false, false}, // the proxy's own port
	}
	onLoopback := newGuard(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, false)
	public := newGuard(&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, false)
	allowed := newGuard(&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, true)
	for _, tt := range tests {
		a := netip.MustParseAddrPort(tt.address)
		for name, got := range map[string]bool{
			"on loopback": (onLoopback.check(a, false) == nil) == tt.loopback, "off loopback": (public.check(a, false) == nil) == tt.public,
			"named": (public.check(a, true) == nil) == tt.named, "allowed": (allowed.check(a, false) == nil) == tt.loopback,
		} {
			if !got {
				t.Errorf("%s, %s: wrong", tt.address, name)
			}
		}
	}
}

// A private address is refused at the connect itself, whatever its name was.
func TestPrivateTargetOffLoopback(t *testing.T) {
	p := &Proxy{}
	p.start(&net.TCPAddr{IP: net.IPv4zero, Port: 1})
	_, err := p.upstream.dialTunnel(t.Context(), Target{"localhost", 443})
	if refused := dialRefusal(Target{"localhost", 443}, err); refused.Code != CodePrivateTarget {
		t.Errorf("localhost: %s, %v", refused.Code, err)
	}
}

// feed gives its bytes in pieces of n.
func feed(b []byte, n int) net.Conn {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		for len(b) > 0 {
			piece := b[:min(n, len(b))]
			if _, err := theirs.Write(piece); err != nil {
				return
			}
			b = b[len(piece):]
		}
	}()
	return ours
}

func TestReadHead(t *testing.T) {
	const request = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
	for _, n := range []int{1, 2, 7, 1000} {
		h, err := readHead(feed([]byte(request+"behind"), n), nil, time.Minute)
		if err != nil || string(h.raw) != request || !strings.HasPrefix("behind", string(h.rest)) || h.request.Method != http.MethodConnect {
			t.Errorf("in pieces of %d: %+v, %v", n, h, err)
		}
	}
	if _, err := readHead(feed([]byte(request[:20]), 5), nil, time.Minute); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
	if _, err := readHead(feed(bytes.Repeat([]byte("a"), maxHeadBytes+1), 4096), nil, time.Minute); !errors.Is(err, errHeadTooLarge) {
		t.Errorf("too large: %v", err)
	}
	silent, _ := net.Pipe()
	if _, err := readHead(silent, nil, time.Millisecond); err == nil {
		t.Error("an idle connection may wait for ever")
	}
}

// Whatever a head says, gomitmproxy is shown one clean CONNECT for the same
// target, or nothing.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"CONNECT a.test:443 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
		"CONNECT a.test:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "CONNECT [::1]:443 HTTP/1.0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i := bytes.Index(b, []byte("\r\n\r\n"))
		if i < 0 {
			return
		}
		h, err := parseHead(b[:i+4], b[i+4:])
		if err != nil || h.request.Method != http.MethodConnect {
			return
		}
		target, err := h.connectTarget()
		if err != nil {
			return
		}
		clean := cleanHead(target, 7, h.request.Header.Get("Proxy-Authorization"))
		again, err := parseHead(clean, nil)
		if err != nil {
			t.Fatalf("clean head %q: %v", clean, err)
		}
		same, err := again.connectTarget()
		if err != nil || same != target {
			t.Fatalf("%q became %v, %v; was %v", b, same, err, target)
		}
		for name := range again.request.Header {
			if name != connIDHeader && name != "Proxy-Authorization" {
				t.Errorf("%s got through", name)
			}
		}
		if strings.Count(string(clean), "\r\n\r\n") != 1 {
			t.Errorf("two heads in %q", clean)
		}
	})
}

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"a.test:443", "[::1]:443", "A.:1", "u@a:1", "0x7f.1:443"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseTarget(s)
		if err != nil {
			return
		}
		if again, err := ParseTarget(target.String()); err != nil || again != target {
			t.Errorf("%q is %v is %v, %v", s, target, again, err)
		}
		if !target.matches(target.String()) || !target.matches(target.authority()) {
			t.Errorf("%v does not agree with itself", target)
		}
	})
}
