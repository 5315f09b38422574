package isolate

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

const proxyName = "proxy.example.invalid"

// ask sends a question to the server's code, and returns the answer.
func ask(t *testing.T, n *Names, name string, kind dnsmessage.Type) dnsmessage.Message {
	t.Helper()
	return exchange(t, n, dnsmessage.Message{
		Header:    dnsmessage.Header{ID: 4711, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
	})
}

func exchange(t *testing.T, n *Names, query dnsmessage.Message) dnsmessage.Message {
	t.Helper()
	packed, err := query.Pack()
	if err != nil {
		t.Fatal(err)
	}
	var answer dnsmessage.Message
	if err := answer.Unpack(n.answer(packed)); err != nil {
		t.Fatalf("answer to %v: %v", query.Questions, err)
	}
	return answer
}

func TestAnswers(t *testing.T) {
	n := &Names{Proxy: proxyName}
	n.Address("first.example")  // 198.18.0.1
	n.Address("second.example") // 198.18.0.2
	long := strings.Repeat(strings.Repeat("a", 49)+".", 5) + "com."
	for _, test := range []struct {
		name string
		kind dnsmessage.Type
		want string // code and data
	}{
		{"first.example.", dnsmessage.TypeA, "0 198.18.0.1"},
		{"FIRST.Example.", dnsmessage.TypeA, "0 198.18.0.1"},
		{"third.example.", dnsmessage.TypeA, "0 198.18.0.3"},
		{"b\u00fccher.example.", dnsmessage.TypeA, "0 198.18.0.4"},
		{"xn--bcher-kva.example.", dnsmessage.TypeA, "0 198.18.0.4"},
		{"my_bucket.s3.example.", dnsmessage.TypeA, "0 198.18.0.5"},
		{"single.", dnsmessage.TypeA, "0 198.18.0.6"},
		{long, dnsmessage.TypeA, "0 198.18.0.7"},

		{"fourth.example.", dnsmessage.TypeAAAA, "0"},
		{"fourth.example.", dnsmessage.TypeHTTPS, "0"},
		{"_dns.resolver.arpa.", dnsmessage.TypeSVCB, "0"},
		{"fourth.example.", dnsmessage.TypeMX, "0"},
		{"_dmarc.fourth.example.", dnsmessage.TypeTXT, "0"},
		{"_xmpp._tcp.fourth.example.", dnsmessage.TypeSRV, "0"},
		{"fourth.example.", dnsmessage.TypeCNAME, "0"},
		{"fourth.example.", dnsmessage.TypeALL, "0 HINFO"},
		{".", dnsmessage.TypeNS, "0"},
		{".", dnsmessage.TypeA, "0"},

		{"localhost.", dnsmessage.TypeA, "0 127.0.0.1"},
		{"LocalHost.", dnsmessage.TypeAAAA, "0 ::1"},
		{"api.localhost.", dnsmessage.TypeA, "0 127.0.0.1"},
		{"api.localhost.", dnsmessage.TypeAAAA, "0 ::1"},
		{"localhost.", dnsmessage.TypeMX, "0"},

		{"invalid.", dnsmessage.TypeA, "3"},
		{"x.INVALID.", dnsmessage.TypeA, "3"},
		{"x.invalid.", dnsmessage.TypeMX, "3"},
		{"x." + proxyName + ".", dnsmessage.TypeA, "3"},
		{"Proxy.example.invalid.", dnsmessage.TypeA, "0 198.18.0.8"},
		{proxyName + ".", dnsmessage.TypeAAAA, "0"},

		{"-a.example.", dnsmessage.TypeA, "3"},
		{"*.example.", dnsmessage.TypeAAAA, "3"},
		{"a b.example.", dnsmessage.TypeA, "3"},
		{"a:b.example.", dnsmessage.TypeA, "3"},
		{"\xff\xfe.example.", dnsmessage.TypeA, "3"},
		{"1.2.3.", dnsmessage.TypeA, "3"},
		{"1.2.3.4.", dnsmessage.TypeA, "0"},
		{"1.2.3.4.", dnsmessage.TypeALL, "0"},
		{"2001:db8::1.", dnsmessage.TypeAAAA, "0"},

		{"1.0.18.198.in-addr.arpa.", dnsmessage.TypePTR, "0 first.example."},
		{"2.0.18.198.IN-ADDR.ARPA.", dnsmessage.TypePTR, "0 second.example."},
		{"1.0.18.198.in-addr.arpa.", dnsmessage.TypeA, "0"},
		{"0.0.18.198.in-addr.arpa.", dnsmessage.TypePTR, "3"},
		{"200.0.18.198.in-addr.arpa.", dnsmessage.TypePTR, "3"},
		{"1.1.1.1.in-addr.arpa.", dnsmessage.TypePTR, "3"},
		{"1.1.1.1.in-addr.arpa.", dnsmessage.TypeA, "3"},
		{"x.1.0.18.198.in-addr.arpa.", dnsmessage.TypePTR, "3"},
		{"1.0.0.0.ip6.arpa.", dnsmessage.TypePTR, "3"},
		{"router.home.arpa.", dnsmessage.TypeA, "0 198.18.0.9"},
	} {
		answer := ask(t, n, test.name, test.kind)
		if got := summary(answer); got != test.want {
			t.Errorf("%s %s: %s, want %s", test.name, test.kind, got, test.want)
		}
		q := dnsmessage.Question{Name: dnsmessage.MustNewName(test.name), Type: test.kind, Class: dnsmessage.ClassINET}
		if len(answer.Questions) != 1 || answer.Questions[0] != q {
			t.Errorf("%s %s: echoed %v", test.name, test.kind, answer.Questions)
		}
		want := dnsmessage.Header{ID: 4711, Response: true, RecursionDesired: true, RecursionAvailable: true, RCode: answer.RCode}
		if answer.Header != want {
			t.Errorf("%s %s: header %+v", test.name, test.kind, answer.Header)
		}
	}
}

// summary returns the code and the data of an answer.
func summary(m dnsmessage.Message) string {
	s := fmt.Sprint(uint16(m.RCode))
	for _, r := range m.Answers {
		if r.Header.TTL != 60 || r.Header.Name != m.Questions[0].Name || r.Header.Class != dnsmessage.ClassINET {
			s += " with header " + r.Header.GoString()
		}
		switch b := r.Body.(type) {
		case *dnsmessage.AResource:
			s += " " + netip.AddrFrom4(b.A).String()
		case *dnsmessage.AAAAResource:
			s += " " + netip.AddrFrom16(b.AAAA).String()
		case *dnsmessage.PTRResource:
			s += " " + b.PTR.String()
		case *dnsmessage.UnknownResource:
			s += " HINFO"
		}
	}
	return s
}

func TestMalformedQueries(t *testing.T) {
	q := dnsmessage.Question{Name: dnsmessage.MustNewName("a.example."), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	query := func(change func(*dnsmessage.Message)) []byte {
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: 99}, Questions: []dnsmessage.Question{q}}
		change(&m)
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	opt := func(version uint32) dnsmessage.Resource {
		r := dnsmessage.Resource{Body: &dnsmessage.OPTResource{}}
		r.Header.SetEDNS0(4096, 0, true)
		r.Header.TTL |= version << 16
		return r
	}
	plain := query(func(*dnsmessage.Message) {})
	for name, test := range map[string]struct {
		query []byte
		want  string // "" if there is no answer
	}{
		"a query":                {plain, "0 198.18.0.1"},
		"nothing":                {nil, ""},
		"half a header":          {plain[:11], ""},
		"a response":             {query(func(m *dnsmessage.Message) { m.Response = true }), ""},
		"no question":            {query(func(m *dnsmessage.Message) { m.Questions = nil }), "1"},
		"two questions":          {query(func(m *dnsmessage.Message) { m.Questions = append(m.Questions, q) }), "1"},
		"half a question":        {plain[:len(plain)-3], "1"},
		"a dot in a label":       {[]byte("\x00\x63\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03a.b\x00\x00\x01\x00\x01"), "1"},
		"a name that is a cycle": {[]byte("\x00\x63\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"), "1"},
		"an update":              {query(func(m *dnsmessage.Message) { m.OpCode = 5 }), "4"},
		"class CHAOS":            {query(func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS }), "5"},
		"class ANY":              {query(func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassANY }), "0 198.18.0.1"},
		"EDNS":                   {query(func(m *dnsmessage.Message) { m.Additionals = []dnsmessage.Resource{opt(0)} }), "0 198.18.0.1"},
		"EDNS version 1":         {query(func(m *dnsmessage.Message) { m.Additionals = []dnsmessage.Resource{opt(1)} }), "0"},
		"EDNS twice":             {query(func(m *dnsmessage.Message) { m.Additionals = []dnsmessage.Resource{opt(0), opt(0)} }), "1"},
	} {
		n := new(Names)
		b := n.answer(test.query)
		if test.want == "" || b == nil {
			if test.want != "" || b != nil {
				t.Errorf("%s: answer %x", name, b)
			}
			continue
		}
		var answer dnsmessage.Message
		if err := answer.Unpack(b); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := summary(answer); got != test.want || answer.ID != 99 || !answer.Response {
			t.Errorf("%s: %s, want %s; header %+v", name, got, test.want, answer.Header)
		}
		checkEDNS(t, name, answer)
	}
}

// checkEDNS checks that the queries with one OPT record, and only they, get one.
func checkEDNS(t *testing.T, name string, answer dnsmessage.Message) {
	t.Helper()
	var codes []dnsmessage.RCode
	for _, r := range answer.Additionals {
		if r.Header.Type != dnsmessage.TypeOPT || r.Header.Class != 1232 || r.Header.DNSSECAllowed() != (name == "EDNS") {
			t.Errorf("%s: additional record %s", name, r.Header.GoString())
		}
		codes = append(codes, r.Header.ExtendedRCode(answer.RCode))
	}
	want := map[string][]dnsmessage.RCode{"EDNS": {0}, "EDNS version 1": {16}}[name]
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("%s: extended codes (-want +got):\n%s", name, diff)
	}
}

func TestNames(t *testing.T) {
	n := &Names{Proxy: proxyName}
	for _, test := range []struct{ name, address string }{
		{"a.example", "198.18.0.1"},
		{"A.EXAMPLE.", "198.18.0.1"},
		{"b.example", "198.18.0.2"},
		{"localhost", "127.0.0.1"},
		{"x.invalid", ""},
		{"1.2.3.4", ""},
		{"::1", ""},
		{"", ""},
		{"a..example", ""},
		{"https://a.example", ""},
		{proxyName, "198.18.0.3"},
	} {
		a, ok := n.Address(test.name)
		if got := a.String(); ok != (test.address != "") || ok && got != test.address {
			t.Errorf("Address(%q) = %s, %t; want %q", test.name, got, ok, test.address)
		}
	}
	for address, want := range map[string]string{
		"198.18.0.1": "a.example", "::ffff:198.18.0.2": "b.example", "198.18.0.3": proxyName,
		"198.18.0.0": "", "198.18.0.4": "", "127.0.0.1": "", "::1": "", "255.255.255.255": "", "0.0.0.0": "",
	} {
		if got, ok := n.Name(netip.MustParseAddr(address)); got != want || ok != (want != "") {
			t.Errorf("Name(%s) = %q, %t; want %q", address, got, ok, want)
		}
	}
	if name, ok := n.Name(netip.Addr{}); ok {
		t.Errorf("the zero address has the name %q", name)
	}
}

func TestAddressesAreLimited(t *testing.T) {
	n := new(Names)
	for i := range 1 << 16 {
		if _, ok := n.Address(fmt.Sprintf("n%d.example", i)); !ok {
			t.Fatalf("no address for name %d", i)
		}
	}
	if a, ok := n.Address("more.example"); ok {
		t.Errorf("one more name has the address %s", a)
	}
	for name, want := range map[string]string{"n0.example.": "0 198.18.0.1", "n65535.example.": "0 198.19.0.0", "more.example.": "2"} {
		if got := summary(ask(t, n, name, dnsmessage.TypeA)); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

func TestNamesAreAssignedOnce(t *testing.T) {
	n := new(Names)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for i := range 200 {
				name := fmt.Sprintf("n%d.example", i)
				a, _ := n.Address(name)
				if got, _ := n.Name(a); got != name {
					t.Errorf("%s has the address of %q", name, got)
				}
			}
		})
	}
	group.Wait()
	if len(n.assigned) != 200 {
		t.Errorf("%d addresses were used for 200 names", len(n.assigned))
	}
}

// serveTCP serves n on loopback until the test ends.
func serveTCP(t *testing.T, n *Names) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- n.ServeTCP(l) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func dialTCP(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func framedQuery(t *testing.T, name string, id uint16) []byte {
	t.Helper()
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id},
		Questions: []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}},
	}
	b, err := m.AppendPack([]byte{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	binary.BigEndian.PutUint16(b, uint16(len(b)-2))
	return b
}

func readFramed(t *testing.T, c net.Conn) dnsmessage.Message {
	t.Helper()
	var length [2]byte
	if _, err := io.ReadFull(c, length[:]); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(length[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSeveralQueriesOnOneConnection(t *testing.T) {
	c := dialTCP(t, serveTCP(t, new(Names)))
	both := append(framedQuery(t, "a.example.", 1), framedQuery(t, "b.example.", 2)...)
	// The second query arrives in two parts, the first with the first query.
	if _, err := c.Write(both[:len(both)-5]); err != nil {
		t.Fatal(err)
	}
	if m := readFramed(t, c); m.ID != 1 || summary(m) != "0 198.18.0.1" {
		t.Errorf("first answer: %d, %s", m.ID, summary(m))
	}
	if _, err := c.Write(both[len(both)-5:]); err != nil {
		t.Fatal(err)
	}
	if m := readFramed(t, c); m.ID != 2 || summary(m) != "0 198.18.0.2" {
		t.Errorf("second answer: %d, %s", m.ID, summary(m))
	}
}

func TestConnectionsWithoutAQueryAreClosed(t *testing.T) {
	address := serveTCP(t, new(Names))
	response := framedQuery(t, "a.example.", 1)
	response[4] |= 0x80
	for name, message := range map[string][]byte{"no message": {0, 0}, "half a header": {0, 3, 1, 2, 3}, "a response": response} {
		c := dialTCP(t, address)
		if _, err := c.Write(message); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("%s was answered", name)
		}
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	address := serveTCP(t, new(Names))
	open := make([]net.Conn, maxStreams)
	for i := range open {
		open[i] = dialTCP(t, address)
		open[i].Write(framedQuery(t, "a.example.", 1))
		readFramed(t, open[i])
	}
	more := dialTCP(t, address)
	more.Write(framedQuery(t, "a.example.", 1)) // fails if the server has closed the connection already
	if _, err := more.Read(make([]byte, 1)); err == nil {
		t.Fatal("one more connection is served")
	}
	open[0].Write([]byte{0, 0}) // which ends this connection
	if _, err := open[0].Read(make([]byte, 1)); err == nil {
		t.Fatal("a connection without a query is not closed")
	}
	for { // until the server has seen that there is room
		c := dialTCP(t, address)
		c.Write(framedQuery(t, "a.example.", 1))
		if _, err := c.Read(make([]byte, 1)); err == nil {
			return
		}
	}
}

func TestServeTCPClosesConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- new(Names).ServeTCP(l) }()
	c := dialTCP(t, l.Addr().String())
	c.Write(framedQuery(t, "a.example.", 1))
	readFramed(t, c)
	l.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
}

// brokenListener fails a few times before it is closed.
type brokenListener struct {
	net.Listener
	errors []error
}

func (l *brokenListener) Accept() (net.Conn, error) {
	err := l.errors[0]
	l.errors = l.errors[1:]
	return nil, &net.OpError{Op: "accept", Err: err}
}

func TestServeTCPAfterErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := &brokenListener{errors: []error{syscall.EMFILE, syscall.ECONNABORTED, net.ErrClosed}}
		if err := new(Names).ServeTCP(l); err != nil || len(l.errors) != 0 {
			t.Errorf("temporary errors: %v, %d errors left", err, len(l.errors))
		}
		lost := errors.New("the listener is lost")
		if err := new(Names).ServeTCP(&brokenListener{errors: []error{lost}}); !errors.Is(err, lost) {
			t.Errorf("another error: %v", err)
		}
	})
}

// A client must not keep a place by sending a query byte by byte, or by not reading.
func TestSlowConnectionsAreClosed(t *testing.T) {
	for name, send := range map[string]func(net.Conn){
		"silent": func(net.Conn) {},
		"slow": func(c net.Conn) {
			for {
				time.Sleep(streamTimeout * 2 / 5)
				if _, err := c.Write([]byte{1}); err != nil {
					return
				}
			}
		},
		"not reading": func(c net.Conn) { c.Write(framedQuery(t, "a.example.", 1)) },
	} {
		synctest.Test(t, func(t *testing.T) {
			client, server := net.Pipe()
			var sending sync.WaitGroup
			sending.Go(func() { send(client) })
			defer sending.Wait()
			defer client.Close()
			start := time.Now()
			new(Names).serveStream(t.Context(), server)
			if took := time.Since(start); took != streamTimeout {
				t.Errorf("%s: closed after %s", name, took)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	for _, name := range []string{"a.example.", "1.0.18.198.in-addr.arpa.", "localhost.", "x.invalid."} {
		for _, kind := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypePTR, dnsmessage.TypeALL} {
			r := dnsmessage.Resource{Body: &dnsmessage.OPTResource{}}
			r.Header.SetEDNS0(512, 0, false)
			m := dnsmessage.Message{
				Questions:   []dnsmessage.Question{{Name: dnsmessage.MustNewName(name), Type: kind, Class: dnsmessage.ClassINET}},
				Additionals: []dnsmessage.Resource{r},
			}
			b, err := m.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	n := new(Names)
	n.Address("a.example")
	f.Fuzz(func(t *testing.T, query []byte) {
		answer := n.answer(query)
		if isQuery := len(query) >= 12 && query[2]&0x80 == 0; isQuery != (answer != nil) {
			t.Fatalf("answer %x", answer)
		}
		if answer == nil {
			return
		}
		if len(answer) > 512 || answer[0] != query[0] || answer[1] != query[1] || answer[2]&0x80 == 0 {
			t.Fatalf("answer %x", answer)
		}
		var m dnsmessage.Message
		if err := m.Unpack(answer); err != nil {
			t.Fatal(err)
		}
	})
}
