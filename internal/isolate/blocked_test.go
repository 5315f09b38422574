package isolate

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Headers of packets between 10.0.0.1 and 192.0.2.7, and fd00::1 and fd00::7.
const (
	v4      = "4500 0028 0000 4000 40%s 0000 c0000207 0a000001 "
	v4Back  = "4500 0028 0000 4000 40%s 0000 0a000001 c0000207 "
	v4Long  = "4600 002c 0000 4000 40%s 0000 c0000207 0a000001 01010100 "
	v6      = "60000000 0014 %s 40 fd000000000000000000000000000007 fd000000000000000000000000000001 "
	v6Back  = "60000000 0014 %s 40 fd000000000000000000000000000001 fd000000000000000000000000000007 "
	refused = "1538 d431 00000000 2b5f0d21 50 14 0000 0000 0000 " // from port 5432
	udp     = "c350 007b 0008 0000"                               // to port 123
)

func bytesOf(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseRefusal(t *testing.T) {
	v4 := func(protocol string) string { return fmt.Sprintf(v4, protocol) }
	v6 := func(protocol string) string { return fmt.Sprintf(v6, protocol) }
	inner4, inner6 := fmt.Sprintf(v4Back, "11"), fmt.Sprintf(v6Back, "11")
	for name, test := range map[string]struct{ packet, want string }{
		"IPv4 reset":               {v4("06") + refused, "tcp 192.0.2.7:5432"},
		"IPv4 reset, with options": {fmt.Sprintf(v4Long, "06") + refused, "tcp 192.0.2.7:5432"},
		"IPv6 reset":               {v6("06") + refused, "tcp [fd00::7]:5432"},
		"IPv4 UDP":                 {v4("01") + "0303 0000 00000000 " + inner4 + udp, "udp 192.0.2.7:123"},
		"IPv6 UDP":                 {v6("3a") + "0104 0000 00000000 " + inner6 + udp, "udp [fd00::7]:123"},

		"reset with a sequence number": {v4("06") + strings.Replace(refused, "00000000", "00000001", 1), ""},
		"reset without ACK":            {v4("06") + strings.Replace(refused, "50 14", "50 04", 1), ""},
		"SYN":                          {v4("06") + strings.Replace(refused, "50 14", "50 02", 1), ""},
		"half a reset":                 {v4("06") + "1538 d431 00000000 2b5f0d21 50 14", ""},
		"host unreachable":             {v4("01") + "0301 0000 00000000 " + inner4 + udp, ""},
		"IPv6 no route":                {v6("3a") + "0100 0000 00000000 " + inner6 + udp, ""},
		"echo":                         {v4("01") + "0800 0000 00000000 " + inner4 + udp, ""},
		"refused TCP by ICMP":          {v4("01") + "0303 0000 00000000 " + fmt.Sprintf(v4Back, "06") + udp, ""},
		"half an ICMP header":          {v4("01") + "0303 0000", ""},
		"ICMP of nothing":              {v4("01") + "0303 0000 00000000", ""},
		"ICMP of half a UDP header":    {v4("01") + "0303 0000 00000000 " + inner4 + "c350", ""},
		"UDP":                          {v4("11") + "0303 0000 00000000 " + inner4 + udp, ""},
		"header longer than packet":    {"4f" + v4("06")[2:] + "1538 d431", ""},
		"header shorter than allowed":  {"44" + v4("06")[2:] + refused, ""},
		"version 5":                    {"55" + v4("06")[2:] + refused, ""},
		"half an IPv6 header":          {"60000000 0014 06 40 fd00", ""},
		"nothing":                      {"", ""},
	} {
		network, target, ok := parsePacket(bytesOf(t, test.packet))
		if got := network + " " + target.String(); ok != (test.want != "") || ok && got != test.want {
			t.Errorf("%s: %s, %t; want %q", name, got, ok, test.want)
		}
	}
}

// parsePacket parses a packet with its IP header.
func parsePacket(packet []byte) (network string, target netip.AddrPort, ok bool) {
	p, ok := parseIP(packet)
	if !ok {
		return "", target, false
	}
	return parseRefusal(p.protocol, p.source, p.payload)
}

func FuzzParseRefusal(f *testing.F) {
	for _, packet := range []string{fmt.Sprintf(v4, "06") + refused, fmt.Sprintf(v6, "3a") + "0104 0000 00000000 " + fmt.Sprintf(v6Back, "11") + udp} {
		b, err := hex.DecodeString(strings.ReplaceAll(packet, " ", ""))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		if network, target, ok := parsePacket(packet); ok != target.IsValid() || ok != (network != "") {
			t.Errorf("%q %v %t", network, target, ok)
		}
	})
}

func TestBlocked(t *testing.T) {
	names := new(Names)
	db, _ := names.Address("db.internal")
	b := &Blocked{hostListens: func(port int) bool { return port == 5432 }}
	add := func(network, target string, times int) {
		for range times {
			b.add(network, netip.MustParseAddrPort(target), names.Name)
		}
	}
	add("tcp", db.String()+":5432", 3)
	add("udp", db.String()+":5432", 1)
	add("udp", db.String()+":443", 9)
	add("tcp", "10.1.2.3:22", 5)
	add("tcp", "[fd00::7]:22", 1)
	add("tcp", "127.0.0.1:5432", 1)
	add("tcp", "[::1]:5432", 1)
	add("tcp", "0.0.0.0:5432", 1)
	add("tcp", "127.0.0.1:3000", 9)
	add("udp", "127.0.0.1:5432", 9)
	want := []BlockedTarget{
		{"tcp", "10.1.2.3", 22, 5},
		{"tcp", "db.internal", 5432, 3},
		{"tcp", "localhost", 5432, 3},
		{"udp", "db.internal", 5432, 1},
		{"tcp", "fd00::7", 22, 1},
	}
	got, others := b.Report()
	if diff := cmp.Diff(want, got); diff != "" || others != 0 {
		t.Errorf("%d others; report (-want +got):\n%s", others, diff)
	}
}

func TestBlockedTargetsAreLimited(t *testing.T) {
	b := new(Blocked)
	for i := range 100 {
		for range 2 {
			b.add("tcp", netip.AddrPortFrom(netip.MustParseAddr("10.1.2.3"), uint16(1000+i)), new(Names).Name)
		}
	}
	targets, others := b.Report()
	if len(targets) != 64 || others != 72 || targets[0].N != 2 {
		t.Errorf("%d targets, first %v, %d others", len(targets), targets[0], others)
	}
}

func TestParseListening(t *testing.T) {
	const list = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2001 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2002 1 0000000000000000 100 0 0 10 0
   2: 0A01A8C0:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2003 1 0000000000000000 100 0 0 10 0
   3: 0100007F:A5F2 0100007F:1538 01 00000000:00000000 00:00000000 00000000     0        0 2004 1 0000000000000000 20 4 30 10 -1
   4: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 2005 1 0 100 0 0 10 0
   5: 00000000000000000000000000000000:1F91 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 2006 1 0 100 0 0 10 0
   6: 0000000000000000FFFF00000100007F:1F92 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 2007 1 0 100 0 0 10 0
   7: 000080FE000000000000000001000000:1F93 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 2008 1 0 100 0 0 10 0
   8: 0100007F:XXXX 00000000:0000 0A
   9: 0100:0051 00000000:0000 0A
  10: 0100007F 00000000:0000 0A
  11: 0100007F:0052 00000000`
	if diff := cmp.Diff([]int{5432, 22, 8080, 8081, 8082}, parseListening([]byte(list))); diff != "" {
		t.Errorf("ports (-want +got):\n%s", diff)
	}
}
