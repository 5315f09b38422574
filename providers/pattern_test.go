package providers

import (
	"fmt"
	"strings"
	"testing"
)

func patternsOf(t testing.TB, d *Definition) []Pattern {
	t.Helper()
	patterns, err := d.Patterns(nil)
	if err != nil {
		t.Fatal(err)
	}
	return patterns
}

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		yes, no []string
		port    int
		prefix  string
		kind    Kind
	}{
		{"api.example.com", []string{"api.example.com"}, []string{"xapi.example.com", "api.example.com.evil.net", "example.com"}, 443, "[]", Exact},
		{"API.Example.com.", []string{"api.example.com"}, nil, 443, "[]", Exact},
		{"*.example.com", []string{"a.example.com", "a.b.example.com"}, []string{"example.com", "evilexample.com", "a.example.com.evil.net"}, 443, "[]", Wildcard},
		{"*.googleapis.com", []string{"gmail.googleapis.com"}, []string{"googleapis.com", "evil-googleapis.com", "x.googleapis.com.evil.net"}, 443, "[]", Wildcard},
		{"https://api.example.com:8443/v1/", []string{"api.example.com"}, nil, 8443, "[/v1/]", Exact},
		{"https://*.example.com/api", []string{"a.example.com"}, []string{"example.com"}, 443, "[/api]", Wildcard},
		{"api.example.com:8443", []string{"api.example.com"}, nil, 8443, "[]", Exact},
		{`regex:api-[0-9]+\.example\.com`, []string{"api-1.example.com"}, []string{"api-x.example.com", "xapi-1.example.com", "api-1.example.com.evil.net"}, 443, "[]", Regex},
		{`regex:^(eu|us)\.example\.com$`, []string{"eu.example.com"}, []string{"de.example.com"}, 443, "[]", Regex},
		{`regex:.*evil.*|.*\.example\.com`, []string{"a.example.com"}, []string{"evil.net", "evil"}, 443, "[]", Regex},
	} {
		p, err := parsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: %v", tt.pattern, err)
			continue
		}
		if p.Port() != tt.port || fmt.Sprint(p.Paths()) != tt.prefix || p.Kind() != tt.kind {
			t.Errorf("%s: port %d, prefix %s, kind %d", tt.pattern, p.Port(), fmt.Sprint(p.Paths()), p.Kind())
		}
		for _, host := range tt.yes {
			if !p.MatchHost(host) {
				t.Errorf("%s does not match %s", tt.pattern, host)
			}
		}
		for _, host := range tt.no {
			if p.MatchHost(host) {
				t.Errorf("%s matches %s", tt.pattern, host)
			}
		}
	}
	for _, bad := range []string{"", "*", "*.com", "*.co.uk", "*.github.io", "*example.com", "a.*.com", "a*.example.com", "http://example.com", "https://u@example.com", "https://example.com/?q",
		"https://example.com/a/../b", "https://example.com//a", "example.com/path", "localhost", "x.localhost", "127.0.0.1", "::1", "https://[::1]/", "0.0.0.0",
		`regex:.*googleapis.*`, `regex:.*`, `regex:(`, `regex:.*\.com`, `regex:.*example\.com.*`, `regex:.*\.co\.uk`, "example.com:0", "example.com:99999", "ftp://example.com"} {
		if p, err := parsePattern(bad); err == nil {
			t.Errorf("%q was accepted: %+v", bad, p)
		}
	}
}

// FuzzPattern checks that a pattern matches only its host or hosts in its domain.
func FuzzPattern(f *testing.F) {
	f.Add("*.example.com", "a.example.com")
	f.Add(`regex:.*\.example\.com`, "x.example.com")
	f.Add(`regex:a|.*\.example\.com`, "a")
	f.Add("https://api.example.com/v1", "api.example.com")
	f.Fuzz(func(t *testing.T, pattern, host string) {
		p, err := parsePattern(pattern)
		if err != nil || !p.MatchHost(host) {
			return
		}
		switch p.Kind() {
		case Exact:
			if host != p.Host() {
				t.Errorf("%q matches %q", pattern, host)
			}
		default:
			if !strings.HasSuffix("."+host, p.Host()) || strings.Count(p.Host(), ".") < 2 {
				t.Errorf("%q matches %q", pattern, host)
			}
		}
	})
}
