package intercept

import (
	"net"
	"net/netip"
	"testing"
)

func TestGuard(t *testing.T) {
	tests := []struct {
		address                 string
		loopback, public, named bool // allowed if the proxy listens on loopback; if not; if not, for a named target
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
	onLoopback := newGuard(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}, nil, false)
	public := newGuard(&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, nil, false)
	allowed := newGuard(&net.TCPAddr{IP: net.IPv4zero, Port: 8080}, nil, true)
	for _, tt := range tests {
		a := netip.MustParseAddrPort(tt.address)
		for name, got := range map[string]bool{
			"on loopback": (onLoopback.check(a, false) == nil) == tt.loopback, "off loopback": (public.check(a, false) == nil) == tt.public,
			"named": (public.check(a, true) == nil) == tt.named, "allowed": (allowed.check(a, false) == nil) == tt.loopback,
		} {
			if !got {
				t.Errorf("%s, %s: wrong decision", tt.address, name)
			}
		}
	}
}

// A private address is refused at the moment of the connect, whatever name led to it.
func TestPrivateTargetIsRefusedOffLoopback(t *testing.T) {
	p := &Proxy{}
	p.start(&net.TCPAddr{IP: net.IPv4zero, Port: 1})
	_, err := p.upstream.dialTunnel(t.Context(), Target{"localhost", 443})
	if refused := dialRefusal(Target{"localhost", 443}, err); refused.Code != CodePrivateTarget {
		t.Errorf("localhost: %s, %v", refused.Code, err)
	}
}
