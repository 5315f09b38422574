package providers

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authsome/authsome/secret"
)

func patternsOf(t testing.TB, d *Definition) []Pattern {
	t.Helper()
	patterns, err := d.Patterns(nil)
	if err != nil {
		t.Fatal(err)
	}
	return patterns
}

const sample = `{"schema_version":1,"name":"sample","display_name":"Sample","auth_type":"api_key","flow":"api_key","host_url":"api.sample.com"%s}`

func TestParseErrorsNameTheField(t *testing.T) {
	for _, tt := range []struct{ json, field, reason string }{
		{`{`, "", "not JSON"},
		{`[]`, "", "does not belong"},
		{fmt.Sprintf(sample, `,"name":"again"`), "name", "twice"},
		{fmt.Sprintf(sample, `,"oauth":{"scopes":["a",1]}`), "oauth.scopes[1]", "number"},
		{fmt.Sprintf(sample, `,"oauth":{"pkce":"yes"}`), "oauth.pkce", "text"},
		{fmt.Sprintf(sample, `,"api_key":{"header_name":"A B"}`), "api_key.header_name", "not a header name"},
		{fmt.Sprintf(sample, `,"api_key":{"header_name":"Host"}`), "api_key.header_name", "belongs to the connection"},
		{fmt.Sprintf(sample, `,"api_key":{"header_prefix":"A\r\nB: "}`), "api_key.header_prefix", "not a header value"},
		{fmt.Sprintf(sample, `,"api_key":{"key_pattern":"("}`), "api_key.key_pattern", "not a regular expression"},
		{fmt.Sprintf(sample, `,"api_key":{"env_var":"A=B"}`), "export", "variable"},
		{fmt.Sprintf(sample, `,"export":{"env":{"api_key":"A B"}}`), "export", "variable"},
		{fmt.Sprintf(sample, `,"oauth":{"token_url":"http://sample.com/token"}`), "oauth.token_url", "https only"},
		{fmt.Sprintf(sample, `,"oauth":{"token_url":"https://u:p@sample.com/token"}`), "oauth.token_url", "user name"},
		{fmt.Sprintf(sample, `,"docs":"javascript:alert(1)"`), "docs", "https link"},
		{fmt.Sprintf(sample, `,"api_url":"b.sample.com"`), "api_url", "host_url is there too"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"schema_version":1`, `"schema_version":9`, 1), "schema_version", "9"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"sample"`, `"../x"`, 1), "name", "not a name"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"flow":"api_key"`, `"flow":"magic"`, 1), "flow", "magic"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"auth_type":"api_key"`, `"auth_type":"magic"`, 1), "auth_type", "magic"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"api.sample.com"`, `["ok.sample.com","*"]`, 1), "host_url[1]", "wildcard"},
	} {
		_, err := Parse([]byte(tt.json))
		var field *FieldError
		if !errors.As(err, &field) || field.Field != tt.field || !strings.Contains(field.Reason, tt.reason) {
			t.Errorf("%s\n  got %v, want %s: …%s…", tt.json, err, tt.field, tt.reason)
		}
	}
	if _, err := Parse([]byte(fmt.Sprintf(sample, `,"oauth":{"token_url":"http://127.0.0.1:9/token"}`))); err != nil {
		t.Errorf("http on loopback, for development: %v", err)
	}
}

// Files of both spellings are read, and what is not known is kept.
func TestSpellingsAndUnknownMembers(t *testing.T) {
	d, err := Parse([]byte(`{"schema_version":1,"name":"later","display_name":"Later","auth_type":"api_key","flow":"api_key","api_url":["a.later.com","b.later.com"],
		"logo":"x","api_key":{"header_prefix":null,"more":1},"export":{"LATER_KEY":"API_TOKEN","LATER_REFRESH":"REFRESH_TOKEN"},"docs_url":"https://later.com/"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(patternsOf(t, d)) != 2 || d.Docs != "https://later.com/" {
		t.Errorf("read as %+v", d)
	}
	if v := d.Variables(); len(v) != 1 || v[0].Name != "LATER_KEY" {
		t.Errorf("variables %v", v)
	}
	out, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{`"logo": "x"`, `"more": 1`, `"LATER_REFRESH"`} {
		if !strings.Contains(string(out), kept) {
			t.Errorf("%s is lost in\n%s", kept, out)
		}
	}
}

func TestNormalizeHost(t *testing.T) {
	for in, want := range map[string]string{
		"api.github.com": "api.github.com", "API.GitHub.COM": "api.github.com", "api.github.com.": "api.github.com",
		"bücher.example": "xn--bcher-kva.example", "xn--bcher-kva.example": "xn--bcher-kva.example", "ＡＰＩ.example.com": "api.example.com",
		"127.0.0.1": "127.0.0.1", "::1": "::1", "[::1]": "::1", "::ffff:127.0.0.1": "127.0.0.1", "2001:DB8::1": "2001:db8::1", "_dmarc.example.com": "_dmarc.example.com",
	} {
		if got, err := NormalizeHost(in); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"", ".", "a..b", "..", "a.b..", "-a.com", "a-.com", "a b", "a/b", "a%2eb", "u@h", "h:443", "[::1", "fe80::1%eth0", "[fe80::1%25eth0]",
		"2130706433", "0x7f.1", "127.1", "0x7f000001", "1.2.3", "a.1", "h\x00", "h\n", strings.Repeat("a", 64) + ".com", strings.Repeat("a.", 127) + "aa"} {
		if got, err := NormalizeHost(bad); err == nil {
			t.Errorf("%q was taken for %q", bad, got)
		}
	}
	// a Cyrillic а makes another host
	if got, _ := NormalizeHost("аpi.github.com"); got == "api.github.com" {
		t.Error("a look-alike became the host")
	}
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
		p, err := ParsePattern(tt.pattern)
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
		if p, err := ParsePattern(bad); err == nil {
			t.Errorf("%q was accepted: %+v", bad, p)
		}
	}
}

func TestOAuthEndpoint(t *testing.T) {
	d, err := bundledSet(t).Lookup("github")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/login/oauth/access_token", "//login/oauth/access_token", "/x/../login/oauth/access_token", "/login/oauth/access_token/", `/login\oauth\access_token`} {
		if !d.OAuthEndpoint("github.com", path) {
			t.Errorf("%s is not recognised", path)
		}
	}
	for _, path := range []string{"/login/oauth/access_tokens", "/login", "/"} {
		if d.OAuthEndpoint("github.com", path) {
			t.Errorf("%s is taken for an endpoint", path)
		}
	}
}

func TestInjectionReplacesTheClientsOwn(t *testing.T) {
	d, err := Parse([]byte(fmt.Sprintf(sample, `,"api_key":{"header_name":"x-api-key","header_prefix":""}`)))
	if err != nil {
		t.Fatal(err)
	}
	i, err := d.Injection(Credential{Values: Values{"api_key": secret.New("real")}})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("GET", "https://host/", nil)
	r.Header = http.Header{"X-Api-Key": {"a", "b"}, "x-api-key": {"c"}, "X-API-KEY": {"d"}, "X-Api-Keys": {"kept"}}
	if err := i.Apply(r); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(r.Header); got != "map[X-Api-Key:[real] X-Api-Keys:[kept]]" {
		t.Errorf("headers: %s", got)
	}
	if s := fmt.Sprintf("%v %+v %#v", i, *i, *i); strings.Contains(s, "real") {
		t.Error("an injection prints its secret")
	}
	for _, bad := range []Credential{{}, {Values: Values{"api_key": secret.New("a\r\nb")}}, {Values: Values{"api_key": secret.New("a\x00")}}, {Values: Values{"access_token": secret.New("t")}}} {
		if _, err := d.Injection(bad); err == nil {
			t.Error("an unusable credential was compiled")
		}
	}
}

func TestInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	custom := fmt.Sprintf(sample, "")
	if _, err := Install(dir, []byte(custom), false); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(dir, []byte(custom), false); !errors.Is(err, ErrInstalled) {
		t.Errorf("again: %v", err)
	}
	override := strings.Replace(custom, `"name":"sample"`, `"name":"openai"`, 1)
	if _, err := Install(dir, []byte(override), true); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other-name.json"), []byte(custom), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.Lookup("openai"); err != nil || d.Source != Custom || d.DisplayName != "Sample" {
		t.Errorf("the override: %+v, %v", d, err)
	}
	if len(s.Problems) != 2 {
		t.Errorf("problems: %v", s.Problems)
	}
	if info, err := os.Stat(filepath.Join(dir, "sample.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("installed as %v, %v", info.Mode(), err)
	}
	if err := Uninstall(dir, "openai"); err != nil {
		t.Fatal(err)
	}
	if err := Uninstall(dir, "../../etc/passwd"); err == nil {
		t.Error("a path was taken for a name")
	}
	if s, _ = Load(dir); s.byName["openai"].Source != Bundled {
		t.Error("the bundled definition is not back")
	}
}

func TestNear(t *testing.T) {
	s := bundledSet(t)
	for typed, want := range map[string]string{"opnai": "openai", "githb": "github", "GitHub": "github", "zzzzzz": ""} {
		_, err := s.Lookup(typed)
		var missing *NotFoundError
		if !errors.As(err, &missing) || missing.Near != want {
			t.Errorf("%s: %+v", typed, missing)
		}
	}
}

func TestCheckKey(t *testing.T) {
	d, err := bundledSet(t).Lookup("openai")
	if err != nil {
		t.Fatal(err)
	}
	if err := d.CheckValue("api_key", "sk-proj-"+strings.Repeat("a", 40)); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "pk-" + strings.Repeat("a", 40), "sk-short", "sk-" + strings.Repeat("a", 40) + "\n", "x sk-" + strings.Repeat("a", 40)} {
		err := d.CheckValue("api_key", bad)
		if err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

var plainHost = regexp.MustCompile(`^[a-z0-9._-]+$`)

func FuzzNormalizeHost(f *testing.F) {
	for _, seed := range []string{"api.github.com", "API.", "bücher.example", "::1", "127.0.0.1", "0x7f.1", "a..b", "xn--a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		host, err := NormalizeHost(s)
		if err != nil {
			return
		}
		if ip, err := netip.ParseAddr(host); err == nil {
			if ip.Zone() != "" || ip.Is4In6() {
				t.Errorf("%q became %q", s, host)
			}
		} else if !plainHost.MatchString(host) {
			t.Errorf("%q became %q", s, host)
		}
		if again, err := NormalizeHost(host); again != host || err != nil {
			t.Errorf("%q became %q became %q, %v", s, host, again, err)
		}
	})
}

// A host that a pattern matches is its host, or lies under its domain.
func FuzzPattern(f *testing.F) {
	f.Add("*.example.com", "a.example.com")
	f.Add(`regex:.*\.example\.com`, "x.example.com")
	f.Add(`regex:a|.*\.example\.com`, "a")
	f.Add("https://api.example.com/v1", "api.example.com")
	f.Fuzz(func(t *testing.T, pattern, host string) {
		p, err := ParsePattern(pattern)
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

// What Parse accepts is written as something that Parse reads as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(sample, "")))
	f.Add([]byte(fmt.Sprintf(sample, `,"oauth":{"token_url":"https://a.b/c","x":1},"api_key":{"header_prefix":null},"export":{"A":"API_KEY"}`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			return
		}
		first, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first)
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		second, err := again.Marshal()
		if err != nil || string(first) != string(second) {
			t.Errorf("%v\n%s\n%s", err, first, second)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if _, err := Load(dir); err != nil {
			b.Fatal(err)
		}
	}
}
