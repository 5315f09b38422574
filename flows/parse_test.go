package flows

import (
	"cmp"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
)

// parserConfig returns a Config whose definition has several paths for each member.
func parserConfig(tb testing.TB) *Config {
	tb.Helper()
	d, err := providers.Parse([]byte(`{"schema_version":2,"name":"acme","flows":["pkce"],"hosts":["api.acme.example"],
		"params":[{"name":"extra","from":"token","path":"a.extra","optional":true}],
		"oauth":{"authorization_url":"https://acme.example/a","token_url":"https://acme.example/t","lifetime":"1h","response":{
			"access_token":["a.access_token","access_token","list.0.token"],"refresh_token":["a.refresh_token","refresh_token"],
			"expires_in":["a.expires_in","expires_in"],"expires_at":["expires_at"],"account_id":["id"],"error_when":{"ok":false}}}}`))
	if err != nil {
		tb.Fatal(err)
	}
	return &Config{Definition: d}
}

// FuzzTokenAnswer checks that no answer causes a panic, and that a token in the result is
// exactly a string at one of the paths.
func FuzzTokenAnswer(f *testing.F) {
	for _, s := range []string{
		`{"access_token":"t","token_type":"bearer","expires_in":3600.0,"refresh_token":"r","scope":"a b"}`,
		`{"a":{"access_token":"t","refresh_token":"r"},"refresh_token":"other"}`,
		`{"list":[{"token":"t"}],"expires_at":1795525200000}`,
		`{"ok":false,"error":"x"}`, `{"error":{"code":"x"}}`, `[]`, `null`, `{"access_token":"a","access_token":"b"}`,
		`{"access_token":"t","expires_in":1e999}`, "access_token=t&expires_in=5", `{"access_token":" \u0000"}`,
		"\xef\xbb\xbf" + `{"access_token":"t","expires_in":"-1"}`, "\xff\xfe{\x00}\x00",
	} {
		f.Add("application/json", s, 200)
		f.Add("application/x-www-form-urlencoded", s, 400)
	}
	c := parserConfig(f)
	f.Fuzz(func(t *testing.T, contentType, body string, status int) {
		r := &reply{status: status, header: map[string][]string{"Content-Type": {contentType}}, body: []byte(body)}
		a, err := c.answer(r, []string{"hush"})
		if err != nil {
			if e, ok := err.(*TokenError); !ok || strings.Contains(e.Description+e.Code, "hush") {
				t.Fatalf("%#v", err)
			}
			return
		}
		token, err := c.readToken(a)
		if err != nil {
			return
		}
		object, err := parseObject(contentType, []byte(body))
		if err != nil {
			t.Fatalf("a token from an answer that is not an object: %v", err)
		}
		wantAt := func(got string, paths ...string) {
			for _, p := range paths {
				if v, ok := lookup(object, p); ok && v == got {
					return
				}
			}
			t.Fatalf("%q is not at %q in %s", got, paths, body)
		}
		wantAt(token.AccessToken.Reveal(), "a.access_token", "access_token", "list.0.token")
		if !token.RefreshToken.IsZero() {
			wantAt(token.RefreshToken.Reveal(), "a.refresh_token", "refresh_token")
		}
		for _, s := range []string{token.AccessToken.Reveal(), token.RefreshToken.Reveal()} {
			if s != "" && !validToken(s) {
				t.Fatalf("%q is not a valid token", s)
			}
		}
	})
}

func TestParseChallenges(t *testing.T) {
	for _, test := range []struct {
		values []string
		want   []authChallenge
	}{
		{nil, nil},
		{[]string{""}, nil},
		{[]string{"Bearer"}, []authChallenge{{"bearer", map[string]string{}}}},
		{[]string{`Bearer resource_metadata="https://h/.well-known/x", scope="a b"`},
			[]authChallenge{{"bearer", map[string]string{"resource_metadata": "https://h/.well-known/x", "scope": "a b"}}}},
		{[]string{`Basic realm="a, b", BEARER Error=invalid_token,Scope="a\"b"`},
			[]authChallenge{{"basic", map[string]string{"realm": "a, b"}}, {"bearer", map[string]string{"error": "invalid_token", "scope": `a"b`}}}},
		{[]string{"Negotiate YWJj==, Bearer x=1", "Basic"}, []authChallenge{{"negotiate", map[string]string{}}, {"bearer", map[string]string{"x": "1"}}, {"basic", map[string]string{}}}},
		{[]string{"Bearer resource_metadata=https://h/x,scope=a"}, []authChallenge{{"bearer", map[string]string{"resource_metadata": "https://h/x", "scope": "a"}}}},
		{[]string{`Bearer scope = "a" , scope="b"`}, []authChallenge{{"bearer", map[string]string{"scope": "a"}}}},
		{[]string{`Bearer scope="never closed, x=`}, []authChallenge{{"bearer", map[string]string{}}}},
		{[]string{`="x"`, `"Bearer"`, "Bearer\x00", ", ,"}, nil},
	} {
		got := parseChallenges(test.values)
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q: %q, want %q", test.values, got, test.want)
		}
	}
}

// FuzzChallenges checks that no header causes a panic, and that the challenges are the same
// after they are written and read again.
func FuzzChallenges(f *testing.F) {
	for _, s := range []string{`Bearer realm="x", error="invalid_token"`, "Negotiate abc==", `Basic realm=x, Bearer scope="a\\b"`, `Bearer a=b c="d"e=f`, `a="`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		all := parseChallenges([]string{value})
		if len(all) > maxChallenges {
			t.Fatalf("%d challenges", len(all))
		}
		var written []string
		for _, c := range all {
			var params []string
			for name, v := range c.params {
				params = append(params, name+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v)+`"`)
			}
			written = append(written, c.scheme+" "+strings.Join(params, ", "))
		}
		if again := parseChallenges(written); !reflect.DeepEqual(again, all) {
			t.Fatalf("%q: %q, then %q", value, all, again)
		}
	})
}

// FuzzSameIssuer checks that two issuers are the same only on one host and port, and with
// one path.
func FuzzSameIssuer(f *testing.F) {
	for _, s := range []string{"https://as.example", "https://as.example/", "HTTPS://AS.example:443", "https://as.example/a/", "https://as.example:", "https://[::1]:443/", "https://as.example?x", "", "%"} {
		f.Add("https://as.example", s)
		f.Add(s, s+"/")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if SameIssuer(a, b) != SameIssuer(b, a) {
			t.Fatalf("%q and %q: the order matters", a, b)
		}
		if !SameIssuer(a, b) || a == b {
			return
		}
		x, err := url.Parse(a)
		if err != nil {
			t.Fatalf("%q is not a URL: %v", a, err)
		}
		y, err := url.Parse(b)
		if err != nil {
			t.Fatalf("%q is not a URL: %v", b, err)
		}
		port := func(u *url.URL) string {
			return cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
		}
		path := func(u *url.URL) string { return cmp.Or(u.EscapedPath(), "/") }
		if x.Scheme != y.Scheme || !strings.EqualFold(x.Hostname(), y.Hostname()) || port(x) != port(y) || path(x) != path(y) || x.User != nil || y.User != nil {
			t.Fatalf("%q and %q are the same", a, b)
		}
	})
}
