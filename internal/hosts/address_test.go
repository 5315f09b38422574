package hosts

import (
	"net/netip"
	"testing"
)

func TestKindOf(t *testing.T) {
	for kind, addresses := range map[Kind][]string{
		Public:   {"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:8.8.8.8"},
		Loopback: {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"},
		Metadata: {
			"169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
			"192.0.0.192", "169.254.0.23", "169.254.42.42", "169.254.169.252", "100.96.0.96", "100.80.80.80", "fd00:42::42", "fd00:c1::a9fe:a9fe", "fd00:a9fe:a9fe::1",
			"::ffff:168.63.129.16", "64:ff9b::c000:c0", "2002:a83f:8110::", "::100.100.100.200", "::ffff:0:192.0.0.192", "fd00:ec2::254%eth0",
			// Local NAT64 after 48, 56, 64 and 96 bits.
			"64:ff9b:1:a9fe:a9:fe00::", "64:ff9b:1:a9fe:a9:fe00:1:2", "64:ff9b:1:12a9:fe:a9fe::", "64:ff9b:1:1234:a9:fea9:fe00::", "64:ff9b:1:2:3:4:a9fe:a9fe",
			"::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254", "::ffff:0:169.254.169.254",
		},
		Special: {
			"0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.1.1", "100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1",
			"198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
			"::", "fe80::1", "fe80::1%eth0", "fd00::1", "ff02::1", "fec0::1", "100::1", "2001::1", "2001:db8::1", "3fff::1", "5f00::1",
			"::ffff:10.0.0.1", "::ffff:100.64.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "2002:7f00:1::",
			"64:ff9b:1:808:8:800::", "64:ff9b:1::808:808",
		},
	} {
		for _, a := range addresses {
			if got := KindOf(netip.MustParseAddr(a)); got != kind {
				t.Errorf("%s: kind %d, want %d", a, got, kind)
			}
		}
	}
	if got := KindOf(netip.Addr{}); got != Special {
		t.Errorf("the zero address: kind %d, want Special", got)
	}
}

func TestIsMetadataName(t *testing.T) {
	for host, want := range map[string]bool{
		"metadata.google.internal": true, "metadata": true, "metadata.tencentyun.com": true,
		"": false, "metadata.example.com": false, "x.metadata.google.internal": false, "google.internal": false,
	} {
		if got := IsMetadataName(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST": true, "localhost.": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "[::1]": true, "::ffff:127.0.0.1": true,
		"": false, "api.localhost": false, "localhost.example": false, "127.0.0.1.example": false, "10.0.0.1": false, "0.0.0.0": false, "127.1": false,
	} {
		if got := IsLoopback(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}

func TestKindOfHost(t *testing.T) {
	for host, want := range map[string]Kind{"1.1.1.1": Public, "10.0.0.1": Special, "fe80::1%eth0": Special, "169.254.169.254": Metadata, "::1": Loopback} {
		if kind, isAddress := KindOfHost(host); kind != want || !isAddress {
			t.Errorf("%s: kind %d, address %t; want kind %d", host, kind, isAddress, want)
		}
	}
	for _, name := range []string{"", "localhost", "api.example.com", "2130706433", "[::1]"} {
		if _, isAddress := KindOfHost(name); isAddress {
			t.Errorf("%q counts as an address", name)
		}
	}
}

func TestMayBeLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "api.localhost": true, "a.b.LocalHost.": true, "127.0.0.1": true, "::1": true, "[::1]": true, "0.0.0.0": true, "::": true,
		"::ffff:0.0.0.0": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.example": false, "mylocalhost": false, "10.0.0.1": false, "0.0.0.1": false, "1.1.1.1": false,
	} {
		if got := MayBeLoopback(host); got != want {
			t.Errorf("%q: %t", host, got)
		}
	}
}
