package intercept

import "testing"

func TestParseTarget(t *testing.T) {
	for in, want := range map[string]string{
		"api.github.com:443": "api.github.com:443", "API.github.com.:8443": "api.github.com:8443", "127.0.0.1:80": "127.0.0.1:80", "[::1]:443": "[::1]:443",
		"[::ffff:127.0.0.1]:443": "127.0.0.1:443",
	} {
		if got, err := parseTarget(in); err != nil || got.String() != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", ":", ":443", "a", "a:", "a:0", "a:+1", "a:-1", "a:1 ", "a: 1", "a:99999", "a:0443", "a:https", "[a]:443", "::1:443", "[::1]", "a:1:2", "u@a:1", "a/b:1", "[fe80::1%25eth0]:443"} {
		if got, err := parseTarget(bad); err == nil {
			t.Errorf("%q was parsed as %v", bad, got)
		}
	}
}

func TestTargetMatches(t *testing.T) {
	secure, other, six := Target{"api.example.com", 443}, Target{"api.example.com", 8443}, Target{"::1", 443}
	for _, tt := range []struct {
		target    Target
		authority string
		want      bool
	}{
		{secure, "api.example.com", true}, {secure, "api.example.com:443", true}, {secure, "API.EXAMPLE.COM", true}, {secure, "api.example.com.", true},
		{secure, "api.example.com:444", false}, {secure, "api.example.com:", false}, {secure, "", false}, {secure, "evil.test", false},
		{secure, "api.example.com:443:443", false}, {secure, "x@api.example.com", false}, {secure, "api.example.com/", false},
		{other, "api.example.com:8443", true}, {other, "api.example.com", false}, {other, "api.example.com:443", false},
		{six, "[::1]", true}, {six, "[::1]:443", true}, {six, "[::1]:444", false}, {six, "[::2]", false},
	} {
		if got := tt.target.matches(tt.authority); got != tt.want {
			t.Errorf("%v matches %q: %v", tt.target, tt.authority, got)
		}
	}
}

func FuzzTarget(f *testing.F) {
	for _, seed := range []string{"a.test:443", "[::1]:443", "A.:1", "u@a:1", "0x7f.1:443"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := parseTarget(s)
		if err != nil {
			return
		}
		if same, err := parseTarget(target.String()); err != nil || same != target {
			t.Errorf("%q was parsed as %v, and that as %v, %v", s, target, same, err)
		}
		if !target.matches(target.String()) || !target.matches(target.authority()) {
			t.Errorf("%v does not match itself", target)
		}
	})
}
