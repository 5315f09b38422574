package intercept

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The owner of a client is found for every kind of socket: Java's use both
// protocols, and connect to 127.0.0.1 as ::ffff:127.0.0.1.
func TestPeerUID(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	mapped := unix.SockaddrInet6{Port: port, Addr: [16]byte{10: 0xff, 0xff, 127, 0, 0, 1}}
	for name, to := range map[string]unix.Sockaddr{"IPv4": &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}, "both": &mapped} {
		family := unix.AF_INET
		if name == "both" {
			family = unix.AF_INET6
		}
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, to); err != nil {
			t.Fatal(err)
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if own, err := ownPeer(c); !own || err != nil {
			t.Errorf("%s: own %v, %v", name, own, err)
		}
		if uid, err := peerUID(c); uid != os.Geteuid() || err != nil {
			t.Errorf("%s: uid %d, %v", name, uid, err)
		}
	}
}
