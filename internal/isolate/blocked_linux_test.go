package isolate

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
)

// TestRefusedConnectionsAreSeen connects to ports where nothing listens.
func TestRefusedConnectionsAreSeen(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		names := new(Names)
		db, _ := names.Address("db.internal")
		last, _ := names.Address("last.internal")
		b, end := watch(t, names, last)
		for _, target := range []string{db.String() + ":5432", db.String() + ":5432", "10.1.2.3:22", "[2001:db8::1]:5432"} {
			refuse(t, "tcp", target)
		}
		for _, target := range []string{db.String() + ":123", "[2001:db8::1]:123"} {
			refuse(t, "udp", target)
		}
		// Not counted.
		for _, target := range []string{"127.0.0.1:7", "[::1]:7", "0.0.0.0:7"} {
			refuse(t, "tcp", target)
			refuse(t, "udp", target)
		}
		for _, target := range []string{db.String() + ":443", "[2001:db8::1]:443"} {
			refuse(t, "udp", target)
		}
		resetConnection(t)

		refuse(t, "tcp", last.String()+":1")
		end()
		want := []BlockedTarget{
			{"tcp", "db.internal", 5432, 2},
			{"tcp", "10.1.2.3", 22, 1},
			{"udp", "2001:db8::1", 123, 1},
			{"tcp", "2001:db8::1", 5432, 1},
			{"udp", "db.internal", 123, 1},
			{"tcp", "last.internal", 1, 1},
		}
		got, others := b.Report()
		if diff := cmp.Diff(want, got); diff != "" || others != 0 {
			t.Errorf("%d others; report (-want +got):\n%s", others, diff)
		}
	})
}

// TestPendingRefusalsAreCounted ends the watch before it has begun: the command of a run
// ends right after its last connections.
func TestPendingRefusalsAreCounted(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		fd, err := packetSocket()
		if err != nil {
			t.Fatal(err)
		}
		socket := os.NewFile(uintptr(fd), "packets")
		defer socket.Close()
		for range 20 {
			refuse(t, "tcp", "10.1.2.3:22")
		}
		if err := socket.SetReadDeadline(time.Now()); err != nil {
			t.Fatal(err)
		}
		b := new(Blocked)
		if err := b.Watch(socket, new(Names).Name); err != nil {
			t.Fatal(err)
		}
		got, _ := b.Report()
		if diff := cmp.Diff([]BlockedTarget{{"tcp", "10.1.2.3", 22, 20}}, got); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
}

func TestOtherPacketsDoNotArrive(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		fd, err := packetSocket()
		if err != nil {
			t.Fatal(err)
		}
		socket := os.NewFile(uintptr(fd), "packets")
		defer socket.Close()
		resetConnection(t)
		refuse(t, "tcp", "10.1.2.3:22")
		packet := make([]byte, packetSize)
		n, err := socket.Read(packet)
		if err != nil {
			t.Fatal(err)
		}
		if _, target, ok := parseRefusal(packet[:n]); !ok || target.String() != "10.1.2.3:22" {
			t.Errorf("the first packet is %x", packet[:n])
		}
	})
}

// watch counts the connections that are refused until end is called, which waits for one
// to an address.
func watch(t *testing.T, names *Names, last netip.Addr) (b *Blocked, end func()) {
	t.Helper()
	fd, err := packetSocket()
	if err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(fd), "packets")
	b, seen, ended := NewBlocked(), make(chan bool, 1), make(chan error)
	go func() {
		ended <- b.Watch(socket, func(a netip.Addr) (string, bool) {
			if a == last {
				seen <- true
			}
			return names.Name(a)
		})
	}()
	return b, func() {
		<-seen
		socket.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// refuse connects to a target, and waits until it is refused.
func refuse(t *testing.T, network, target string) {
	t.Helper()
	c, err := net.Dial(network, target)
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err = c.Write([]byte("x")); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("%s %s is not refused: %v", network, target, err)
	}
}

// resetConnection makes a connection to a listener, and resets it.
func resetConnection(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "10.1.2.3:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	server.(*net.TCPConn).SetLinger(0)
	server.Close()
	if _, err := io.ReadAll(client); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("the connection is not reset: %v", err)
	}
}

func TestServersOfThisMachineAreKnown(t *testing.T) {
	for _, address := range []string{"127.0.0.1:0", "0.0.0.0:0", "[::1]:0", "[::]:0"} {
		l, err := net.Listen("tcp", address)
		if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
			continue // this machine has no IPv6
		}
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if !new(listeningPorts).has(port) {
			t.Errorf("the server at %s is not known", l.Addr())
		}
		l.Close()
		if new(listeningPorts).has(port) {
			t.Errorf("the server at %s is known after it has ended", l.Addr())
		}
	}
}

// All traffic of the namespace goes through the filter, so it must not pass much else.
func TestFilterOfRefusals(t *testing.T) {
	vm, err := bpf.NewVM(refusals[2:]) // the VM does not know the direction of packets
	if err != nil {
		t.Fatal(err)
	}
	tcp4, tcp6 := fmt.Sprintf(v4, "06"), fmt.Sprintf(v6, "06")
	udp4, udp6 := fmt.Sprintf(v4Back, "11")+udp, fmt.Sprintf(v6Back, "11")+udp
	icmp4, icmp6 := fmt.Sprintf(v4, "01"), fmt.Sprintf(v6, "3a")
	for packet, passes := range map[string]bool{
		tcp4 + refused:                            true,
		fmt.Sprintf(v4Long, "06") + refused:       true,
		tcp6 + refused:                            true,
		icmp4 + "0303 0000 00000000 " + udp4:      true,
		icmp6 + "0104 0000 00000000 " + udp6:      true,
		tcp4 + "1538 d431 00000000 00000000 5002": false, // SYN
		tcp6 + "1538 d431 00000000 00000000 5002": false,
		tcp4 + "1538 d431 00000001 00000000 5014": false, // the reset of a connection
		tcp4 + "1538 d431 00000001 00000000 5018": false, // data
		tcp6 + "1538 d431 00000001 00000000 5018": false,
		icmp4 + "0800 0000 00000000 " + udp4:      false,
		icmp6 + "8700 0000 00000000 " + udp6:      false,
		fmt.Sprintf(v4, "11") + "0303 0104 0008":  false,
		fmt.Sprintf(v6, "11") + "0104 0303 0008":  false,
		"":                                        false,
	} {
		if n, err := vm.Run(bytesOf(t, packet)); err != nil || (n > 0) != passes {
			t.Errorf("%s: %d bytes pass, %v", packet, n, err)
		}
	}
}
