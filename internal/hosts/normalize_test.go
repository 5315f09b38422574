package hosts

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"api.github.com": "api.github.com", "API.GitHub.COM": "api.github.com", "api.github.com.": "api.github.com",
		"bücher.example": "xn--bcher-kva.example", "xn--bcher-kva.example": "xn--bcher-kva.example", "ＡＰＩ.example.com": "api.example.com",
		"127.0.0.1": "127.0.0.1", "::1": "::1", "[::1]": "::1", "::ffff:127.0.0.1": "127.0.0.1", "2001:DB8::1": "2001:db8::1", "_dmarc.example.com": "_dmarc.example.com",
	} {
		if got, err := Normalize(in); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", ".", "a..b", "..", "a.b..", "-a.com", "a-.com", "a b", "a/b", "a%2eb", "u@h", "h:443", "[::1", "fe80::1%eth0", "[fe80::1%25eth0]",
		"2130706433", "0x7f.1", "127.1", "0x7f000001", "1.2.3", "a.1", "h\x00", "h\n", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "aa"} {
		if got, err := Normalize(bad); err == nil {
			t.Errorf("%q was accepted as %q", bad, got)
		}
	}
	// The first letter is a Cyrillic а, so this is a different host.
	if got, _ := Normalize("аpi.github.com"); got == "api.github.com" {
		t.Error("a look-alike was normalised to the real host")
	}
}

var plainHost = regexp.MustCompile(`^[a-z0-9._-]+$`)

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"api.github.com", "API.", "bücher.example", "::1", "127.0.0.1", "0x7f.1", "a..b", "xn--a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, err := Normalize(s)
		if err != nil {
			return
		}
		if ip, err := netip.ParseAddr(host); err == nil {
			if ip.Zone() != "" || ip.Is4In6() {
				t.Errorf("%q became %q, which has a zone or is mapped", s, host)
			}
		} else if !plainHost.MatchString(host) {
			t.Errorf("%q became %q, which is not a plain name", s, host)
		}
		if twice, err := Normalize(host); twice != host || err != nil {
			t.Errorf("%q became %q and then %q, %v", s, host, twice, err)
		}
	})
}
