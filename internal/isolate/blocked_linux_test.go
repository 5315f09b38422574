package isolate

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
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
		sockets := openRefusals(t)
		for range 20 {
			refuse(t, "tcp", "10.1.2.3:22")
		}
		refuse(t, "tcp", "[2001:db8::1]:22")
		refuse(t, "udp", "10.1.2.3:22")
		refuse(t, "udp", "[2001:db8::1]:22")
		b := new(Blocked)
		for _, r := range sockets {
			if err := r.SetReadDeadline(time.Now()); err != nil {
				t.Fatal(err)
			}
			if err := b.Watch(r, new(Names).Name); err != nil {
				t.Fatal(err)
			}
		}
		want := []BlockedTarget{{"tcp", "10.1.2.3", 22, 20}, {"udp", "10.1.2.3", 22, 1}, {"tcp", "2001:db8::1", 22, 1}, {"udp", "2001:db8::1", 22, 1}}
		got, _ := b.Report()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	})
}

func TestOtherPacketsDoNotArrive(t *testing.T) {
	inNamespace(t, func(t *testing.T) {
		for i, r := range openRefusals(t) {
			resetConnection(t)
			network, target := "tcp", "10.1.2.3:22"
			if refusalProtocols[i].address == "::" {
				target = "[2001:db8::1]:22"
			}
			if refusalProtocols[i].protocol != protocolTCP {
				network = "udp"
			}
			refuse(t, network, target)
			packet := make([]byte, packetSize)
			n, from, err := r.ReadFrom(packet)
			if err != nil {
				t.Fatal(err)
			}
			source, _ := netip.AddrFromSlice(from.(*net.IPAddr).IP)
			if gotNetwork, got, ok := parseRefusal(r.protocol, source.Unmap(), packet[:n]); !ok || gotNetwork != network || got.String() != target {
				t.Errorf("%s %s: the first packet is %x from %v", network, target, packet[:n], from)
			}
		}
	})
}

// openRefusals opens the sockets for refusals.
func openRefusals(t *testing.T) []*Refusals {
	t.Helper()
	files, err := refusalSockets()
	if err != nil {
		t.Fatal(err)
	}
	var all []*Refusals
	for i, f := range files {
		c, err := net.FilePacketConn(f)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		t.Cleanup(func() { c.Close() })
		all = append(all, &Refusals{c.(*net.IPConn), refusalProtocols[i].protocol})
	}
	return all
}

// watch counts the connections that are refused until end is called, which waits for one
// to an address.
func watch(t *testing.T, names *Names, last netip.Addr) (b *Blocked, end func()) {
	t.Helper()
	sockets := openRefusals(t)
	b, seen, ended := NewBlocked(), make(chan bool, 1), make(chan error)
	for _, r := range sockets {
		go func() {
			ended <- b.Watch(r, func(a netip.Addr) (string, bool) {
				if a == last {
					seen <- true
				}
				return names.Name(a)
			})
		}()
	}
	return b, func() {
		<-seen
		for _, r := range sockets {
			r.Close()
			if err := <-ended; err != nil {
				t.Error(err)
			}
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

// All traffic of the namespace goes through the filters, so they must not pass much else.
func TestFiltersOfRefusals(t *testing.T) {
	udp4, udp6 := fmt.Sprintf(v4Back, "11")+udp, fmt.Sprintf(v6Back, "11")+udp
	for _, tt := range []struct {
		protocol byte
		v6       bool
		payload  string
		passes   bool
	}{
		{protocolTCP, false, refused, true},
		{protocolTCP, true, refused, true},
		{protocolICMP, false, "0303 0000 00000000 " + udp4, true},
		{protocolICMPv6, true, "0104 0000 00000000 " + udp6, true},
		{protocolTCP, false, "1538 d431 00000000 00000000 5002", false}, // SYN
		{protocolTCP, true, "1538 d431 00000000 00000000 5002", false},
		{protocolTCP, false, "1538 d431 00000001 00000000 5014", false}, // the reset of a connection
		{protocolTCP, true, "1538 d431 00000001 00000000 5014", false},
		{protocolTCP, false, "1538 d431 00000001 00000000 5018", false}, // data
		{protocolICMP, false, "0800 0000 00000000 " + udp4, false},
		{protocolICMPv6, true, "8700 0000 00000000 " + udp6, false},
		{protocolICMP, false, "0104 0000 00000000 " + udp4, false},
		{protocolTCP, false, "", false},
		{protocolICMPv6, true, "", false},
	} {
		vm, err := bpf.NewVM(refusalFilter(tt.protocol, tt.v6))
		if err != nil {
			t.Fatal(err)
		}
		for _, header := range []string{v4, v4Long} {
			packet := fmt.Sprintf(header, "06") + tt.payload
			if tt.v6 {
				packet = tt.payload
			}
			if n, err := vm.Run(bytesOf(t, packet)); err != nil || (n > 0) != tt.passes {
				t.Errorf("%+v: %d bytes pass, %v", tt, n, err)
			}
		}
	}
}
