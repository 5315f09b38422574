package e2e

import (
	"bufio"

	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	"golang.org/x/sys/unix"
)

// The addresses of a yard. Nobody answers at any other: packets to it leave by an interface
// that leads nowhere, and only the sniffer sees them.
const (
	ownAddress   = "203.0.113.1"
	ownAddress6  = "2001:db8::1"
	farAddress   = "198.51.100.7" // which the proxy passes through
	resolverText = "nameserver " + ownAddress + "\noptions timeout:1 attempts:1\n"
)

// addresses are those of the machine outside.
var addresses = []string{"127.0.0.1", "::1", ownAddress, ownAddress6}

// tcpPorts are those at which something listens outside, on every address.
var tcpPorts = []string{"22", "25", "53", "80", "443", "5432", "8080", "8081", "20022"}

// allowedTCP is what a flag of the isolated run opens.
const (
	allowedPort = "20099"
	allowedTCP  = "127.0.0.1:" + allowedPort
)

var udpPorts = []string{"53", "123", "443", "4000"}

// bringUp brings the network of the yard up.
func bringUp() error {
	for _, args := range []string{
		"link set lo up", "link add outside type veth peer name peer", "link set outside arp off up", "link set peer arp off up",
		"address add " + ownAddress + "/24 dev outside", "address add " + ownAddress6 + "/64 dev outside nodad",
		"route add default dev outside", "-6 route add default dev outside",
	} {
		if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", args, err, out)
		}
	}
	return os.WriteFile("/proc/sys/net/ipv4/ping_group_range", []byte("0 2147483647"), 0) // every user can ping
}

var networkScene = scene{arrange: arrangeNetwork, check: checkNetwork, control: controlNetwork, atOnce: 8, attacks: networkAttacks()}

func networkAttacks() []attack {
	var all []attack
	for _, address := range append(slices.Clone(addresses), "0.0.0.0", "::", "::ffff:"+ownAddress, "::ffff:127.0.0.1") {
		for _, port := range []string{"22", "443", "80", "5432", "20022"} {
			at := net.JoinHostPort(address, port)
			do := func(*yard) error { return greeted("tcp", at) }
			if port == "80" {
				do = func(*yard) error { return getFrom(at, ownAddress) }
			}
			all = append(all, attack{name: "TCP " + at, do: do})
		}
	}
	for _, address := range addresses {
		for _, port := range udpPorts {
			at := net.JoinHostPort(address, port)
			all = append(all, attack{name: "UDP " + at, do: func(*yard) error { return answered("udp", at) }})
		}
	}
	// A port that the proxy refuses in an isolated run; without a fence, it connects to any.
	for _, target := range []string{"127.0.0.1:8080", "localhost:22", "localhost.:5432", "LOCALHOST:8080", "[::1]:25", ownAddress + ":443", ownAddress + ":25", "[" + ownAddress6 + "]:443", "127.0.0.1:443",
		"rebind.test:443", "rebind.test:5432", "rebind6.test:443", "own.test:443", "own.test:22", "0.0.0.0:443", "[::]:443", "[::ffff:127.0.0.1]:443", "127.0.0.2:443"} {
		all = append(all, attack{name: "CONNECT " + target, do: func(y *yard) error { return connectThrough(target) }})
	}
	for _, target := range []string{"127.0.0.1:8081", "127.0.0.1:80", "localhost", "rebind.test", "own.test", ownAddress, "[::1]", "[" + ownAddress6 + "]"} {
		all = append(all, attack{name: "GET http://" + target, do: func(*yard) error { return getThrough("http://" + target + "/") }})
	}
	for _, name := range []string{"rebind.test", "rebind6.test", "own.test", "localhost", "127.0.0.1", ""} {
		for _, at := range []string{ownAddress, "127.0.0.1"} {
			all = append(all, attack{name: "TLS for " + name + " to " + at, do: func(*yard) error { return handshake(at, name) }})
		}
	}
	for _, host := range []string{"rebind.test", "localhost", ownAddress} {
		all = append(all, attack{name: "HTTP for " + host, do: func(*yard) error { return getFrom(ownAddress+":80", host) }})
	}
	return append(all, otherPackets...)
}

// otherPackets have no server that answers: a packet that leaves is seen by the sniffer.
var otherPackets = []attack{
	{name: "DNS over UDP", do: func(*yard) error { return askName("udp", ownAddress+":53") }},
	{name: "DNS over TCP", do: func(*yard) error { return greeted("tcp", ownAddress+":53") }},
	{name: "DNS to another resolver", do: func(*yard) error { return askName("udp", "127.0.0.1:53") }},
	{name: "TCP fast open", do: func(*yard) error { return sendFast() }},
	{name: "multipath TCP", do: func(*yard) error { return greetedBy(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP) }},
	{name: "a bound device", only: root, do: bindDevice},
	{name: "a new address", only: root, do: func(*yard) error { return run("ip", "address", "add", "203.0.113.77/32", "dev", "lo") }},
	{name: "a pair of interfaces", only: root, do: func(y *yard) error {
		return run("ip", "link", "add", "inner", "type", "veth", "peer", "name", "outer", "netns", fmt.Sprint(y.Neighbor.PID))
	}},
	{name: "a pair of interfaces in a nested namespace", nested: network, guarded: true, do: func(y *yard) error {
		return run("ip", "link", "add", "inner", "type", "veth", "peer", "name", "outer", "netns", fmt.Sprint(y.Neighbor.PID))
	}},
	{name: "TCP in a nested namespace", nested: network, guarded: true, do: func(*yard) error { return greeted("tcp", ownAddress+":8080") }},
	{name: "TCP in a nested user namespace", nested: mounts, do: func(*yard) error { return greeted("tcp", ownAddress+":8080") }},
	{name: "ping", guarded: true, do: func(*yard) error { return errors.Join(ping(farAddress), errors.New("sent")) }},
	{name: "UDP far away", guarded: true, do: func(*yard) error { return answered("udp", farAddress+":4000") }},
	{name: "TCP far away", guarded: true, do: func(*yard) error { return greeted("tcp", farAddress+":25") }},
	{name: "broadcast", guarded: true, do: func(*yard) error { return broadcast("203.0.113.255:4000") }},
	{name: "multicast", guarded: true, do: func(*yard) error { return broadcast("224.0.0.251:5353") }},
	{name: "UDP-Lite", do: func(*yard) error { return socketSends(unix.IPPROTO_UDPLITE) }, guarded: true},
	{name: "CONNECT to a metadata service", guarded: true, do: func(*yard) error { return connectThrough("169.254.169.254:80") }},
	{name: "CONNECT to the proxy itself", guarded: true, do: func(*yard) error { return connectThrough(proxyAddress()) }},
	{name: "TCP that is allowed", open: true, do: func(*yard) error { return greeted("tcp", allowedTCP) }},
	{name: "the proxy dials", guarded: true, do: func(*yard) error { return connectThrough(farAddress + ":443") }},
}

// answerTime limits the wait for a server, which is on the same machine.
const answerTime = time.Second

// answered sends a datagram and waits for the greeting.
func answered(network, address string) error {
	c, err := net.Dial(network, address)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte("anybody there?")); err != nil {
		return err
	}
	return expectGreeting(c)
}

// askName asks a name server of the machine, whose answer has ownAddress.
func askName(network, at string) error {
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: 1, RecursionDesired: true}, Questions: []dnsmessage.Question{{
		Name: dnsmessage.MustNewName("exfiltrated.by.dns.test."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET,
	}}}
	query, err := m.Pack()
	if err != nil {
		return err
	}
	c, err := net.Dial(network, at)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(attackTime / 3))
	if _, err := c.Write(query); err != nil {
		return err
	}
	b := make([]byte, 1500)
	n, err := c.Read(b)
	if err != nil {
		return err
	}
	if string(b[:n]) != greeting {
		return fmt.Errorf("another server answered")
	}
	return nil
}

// proxyAddress is the one that variables name.
func proxyAddress() string {
	_, rest, _ := strings.Cut(os.Getenv("HTTPS_PROXY"), "://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	return strings.TrimSuffix(rest, "/")
}

// connectThrough opens a tunnel, and expects the greeting.
func connectThrough(target string) error {
	c, err := net.DialTimeout("tcp", proxyAddress(), answerTime)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(attackTime / 3))
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
	r := bufio.NewReader(c)
	response, err := http.ReadResponse(r, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	line, err := r.ReadString('\n')
	if err != nil || line != greeting {
		return fmt.Errorf("a tunnel to %q, %v", line, err)
	}
	return nil
}

// getThrough makes a request in absolute form. What listens outside closes the connection
// after a greeting, which a proxy that reached it reports.
func getThrough(url string) error { return get(proxyAddress(), url, "") }

func getFrom(address, host string) error { return get(address, "/", host) }

func get(address, target, host string) error {
	c, err := net.DialTimeout("tcp", address, answerTime)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(attackTime / 3))
	if host == "" {
		_, host, _ = strings.Cut(strings.TrimSuffix(target, "/"), "://")
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", target, host)
	answer, err := io.ReadAll(c)
	if !strings.Contains(string(answer), webGreeting) {
		return fmt.Errorf("%.60q, %v", answer, err)
	}
	return nil
}

// webGreeting is in the answers of the web servers outside.
const webGreeting = "a page outside"

// handshake connects with a name in the ClientHello, or with none.
func handshake(address, name string) error {
	c, err := net.DialTimeout("tcp", address+":443", answerTime)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(attackTime / 3))
	// The server says something else than TLS, which only shows that it was reached.
	if err := tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake(); err != nil {
		if header, ok := errors.AsType[tls.RecordHeaderError](err); ok && strings.HasPrefix(greeting, string(header.RecordHeader[:])) {
			return nil
		}
		return err
	}
	return errors.New("a handshake with another server")
}

func sendFast() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, []byte("x"), unix.MSG_FASTOPEN, inet(ownAddress, 8080)); err != nil {
		return err
	}
	return readFrom(fd)
}

func inet(address string, port int) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Addr: netip.MustParseAddr(address).As4(), Port: port}
}

func greetedBy(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind, protocol)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, inet(ownAddress, 8080)); err != nil {
		return err
	}
	return readFrom(fd)
}

func bindDevice(*yard) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.BindToDevice(fd, "outside")
}

func ping(address string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Sendto(fd, []byte{8, 0, 0, 0, 0, 0, 0, 1}, 0, inet(address, 0))
}

func broadcast(address string) error {
	at := netip.MustParseAddrPort(address)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BROADCAST, 1); err != nil {
		return err
	}
	return errors.Join(unix.Sendto(fd, []byte("x"), 0, inet(at.Addr().String(), int(at.Port()))), errors.New("sent"))
}

func socketSends(protocol int) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, protocol)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return errors.Join(unix.Sendto(fd, []byte("x"), 0, inet(farAddress, 4000)), errors.New("sent"))
}

// watch is what happens outside.
type watch struct {
	mu   sync.Mutex // guards seen
	seen []string
}

func (w *watch) note(format string, a ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, fmt.Sprintf(format, a...))
}

// take returns what was seen since the last call.
func (w *watch) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return seen
}

func arrangeNetwork(k *yardkeeper) {
	names := filepath.Join(k.spec.Dir, "hosts")
	check(os.WriteFile(names, []byte("127.0.0.1 localhost rebind.test\n::1 localhost rebind6.test\n"+ownAddress+" own.test\n"), 0o644))
	resolver := filepath.Join(k.spec.Dir, "resolv.conf")
	check(os.WriteFile(resolver, []byte(resolverText), 0o644))
	for from, to := range map[string]string{names: "/etc/hosts", resolver: "/etc/resolv.conf"} {
		target, err := filepath.EvalSymlinks(to)
		check(err)
		check(unix.Mount(from, target, "", unix.MS_BIND, ""))
	}
	k.env = append(k.env, "E2E_OUTSIDE=1")
	k.watch = &watch{}
	l, err := net.Listen("tcp", allowedTCP)
	check(err)
	go greetAll(l, nil)
	k.flags = append(k.flags, "--allow-tcp", "localhost:"+allowedPort)
	for _, address := range append(slices.Clone(addresses), "127.0.0.2") {
		for _, port := range tcpPorts {
			l, err := net.Listen("tcp", net.JoinHostPort(address, port))
			check(err)
			note := func(c net.Conn) { k.watch.note("connection to %s", c.LocalAddr()) }
			if port == "80" || port == "8081" {
				go serveWeb(l, note)
			} else {
				go greetAll(l, note)
			}
		}
	}
	for _, address := range addresses {
		for _, port := range udpPorts {
			l, err := net.ListenPacket("udp", net.JoinHostPort(address, port))
			check(err)
			go greetDatagrams(l, func(from net.Addr) { k.watch.note("datagram to %s", l.LocalAddr()) })
		}
	}
	k.sniff()
}

// serveWeb greets at once, for those that expect no HTTP, and then answers a request.
func serveWeb(l net.Listener, note func(net.Conn)) {
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, webGreeting) }),
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateNew {
				note(c)
			}
		},
	}
	server.Serve(l)
}

func greetDatagrams(l net.PacketConn, note func(net.Addr)) {
	b := make([]byte, 1500)
	for {
		_, from, err := l.ReadFrom(b)
		if err != nil {
			return
		}
		note(from)
		l.WriteTo([]byte(greeting), from)
	}
}

// sniff notes each packet on every interface of the machine.
func (k *yardkeeper) sniff() {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM, unix.ETH_P_ALL<<8)
	check(err)
	go func() {
		b := make([]byte, 1500)
		for {
			n, _, err := unix.Recvfrom(fd, b, 0)
			if err != nil {
				return
			}
			if text := describe(b[:n]); text != "" {
				k.watch.note("%s", text)
			}
		}
	}()
}

// describe says what an IP packet is, or "" for those of the kernel itself: it looks for
// neighbors of its interfaces.
func describe(b []byte) string {
	var from, to netip.Addr
	var protocol byte
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		from, to, protocol = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20])), b[9]
		b = b[int(b[0]&15)*4:]
	case len(b) >= 40 && b[0]>>4 == 6:
		from, to, protocol = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40])), b[6]
		b = b[40:]
	}
	switch {
	case protocol == 0 || protocol == unix.IPPROTO_ICMPV6:
		return ""
	case (protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_UDP) && len(b) >= 4:
		port := func(b []byte) uint16 { return uint16(b[0])<<8 | uint16(b[1]) }
		return fmt.Sprintf("packet of protocol %d from %s to %s", protocol, netip.AddrPortFrom(from, port(b)), netip.AddrPortFrom(to, port(b[2:])))
	}
	return fmt.Sprintf("packet of protocol %d from %s to %s", protocol, from, to)
}

// checkNetwork checks that nothing arrived, and nothing left but what the proxy dials.
func checkNetwork(k *yardkeeper) string {
	const dialed, end = " to " + farAddress + ":443", " to 192.0.2.99:9"
	k.watch.wait("the sniffer sees what the proxy dials", dialed)
	// A packet of the yardkeeper marks the end of what the run can have sent.
	c, err := net.Dial("udp", "192.0.2.99:9")
	check(err)
	_, err = c.Write([]byte("end"))
	check(err)
	k.watch.wait("the sniffer sees the last packet", end)
	seen := slices.DeleteFunc(k.watch.take(), func(s string) bool {
		return strings.HasSuffix(s, dialed) || strings.HasSuffix(s, end) || strings.Contains(s, "[::1]:"+allowedPort) || strings.Contains(s, allowedTCP)
	})
	if len(seen) == 0 {
		return ""
	}
	slices.Sort(seen)
	return "the run reached the machine outside: " + strings.Join(slices.Compact(seen), "; ")
}

// controlNetwork checks that the sniffer sees what leaves without a fence, also what gets no
// answer.
func controlNetwork(k *yardkeeper) string {
	all := k.watch.take()
	var missing []string
	for _, to := range []string{farAddress, farAddress + ":4000", farAddress + ":25", "203.0.113.255:4000", "224.0.0.251:5353", ownAddress + ":53", "127.0.0.1:443", "[" + ownAddress6 + "]:22"} {
		if !slices.ContainsFunc(all, func(s string) bool { return strings.HasSuffix(s, " to "+to) }) {
			missing = append(missing, to)
		}
	}
	if len(missing) > 0 {
		return "without a fence, the sniffer saw no packet to " + strings.Join(missing, ", ")
	}
	return ""
}

// wait waits until something was seen.
func (w *watch) wait(what, suffix string) {
	until(what, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return slices.ContainsFunc(w.seen, func(s string) bool { return strings.HasSuffix(s, suffix) })
	})
}
