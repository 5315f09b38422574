package providers

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/secret"
)

// define returns a definition of schema 2 with additional members.
func define(t testing.TB, more string) *Definition {
	t.Helper()
	d, err := Parse(fmt.Appendf(nil, `{"schema_version":2,"name":"sample","flows":["api_key"],"hosts":["api.sample.com"]%s}`, more))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const keyParam = `,"params":[{"name":"api_key","secret":true},{"name":"user"},{"name":"extra","optional":true}]`

func values(pairs ...string) Values {
	v := make(Values)
	for i := 0; i < len(pairs); i += 2 {
		v[pairs[i]] = secret.New(pairs[i+1])
	}
	return v
}

func basic(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

var injections = []struct {
	name, inject string
	values       Values
	url          string
	header       http.Header
	wantURL      string // if empty, an error
	want         http.Header
}{
	{"bearer by default", ``, values("api_key", "K"), "https://h/p?a=1", http.Header{"Authorization": {"Bearer x", "y"}}, "https://h/p?a=1", http.Header{"Authorization": {"Bearer K"}}},
	{"every spelling of the header", `[{"in":"header","name":"x-API-key","value":"{api_key}"}]`, values("api_key", "K"), "https://h/",
		http.Header{"X-Api-Key": {"a", "b"}, "x-api-key": {"c"}, "X-API-KEY": {"d"}, "X-Api-Keys": {"kept"}}, "https://h/", http.Header{"X-Api-Key": {"K"}, "X-Api-Keys": {"kept"}}},
	{"several headers", `[{"in":"header","name":"A","value":"{user}"},{"in":"header","name":"B","value":"t {api_key}"}]`, values("api_key", "K", "user", "U"), "https://h/",
		http.Header{"B": {"x"}}, "https://h/", http.Header{"A": {"U"}, "B": {"t K"}}},
	{"if_absent keeps the client's header", `[{"in":"header","name":"Version","value":"1","if_absent":true},{"in":"header","name":"A","value":"{api_key}"}]`, values("api_key", "K"), "https://h/",
		http.Header{"VERSION": {"2"}}, "https://h/", http.Header{"VERSION": {"2"}, "A": {"K"}}},
	{"if_absent adds a missing header", `[{"in":"header","name":"Version","value":"1","if_absent":true},{"in":"header","name":"A","value":"{api_key}"}]`, values("api_key", "K"), "https://h/",
		http.Header{}, "https://h/", http.Header{"Version": {"1"}, "A": {"K"}}},
	{"entry for a missing optional param", `[{"in":"header","name":"Org","value":"{extra}"},{"in":"header","name":"A","value":"{api_key}"}]`, values("api_key", "K"), "https://h/",
		http.Header{"Org": {"client"}}, "https://h/", http.Header{"Org": {"client"}, "A": {"K"}}},
	{"basic", `[{"in":"basic","username":"{user}","password":"{api_key}"}]`, values("api_key", "K:ö", "user", "U"), "https://h/",
		http.Header{"authorization": {"x"}}, "https://h/", http.Header{"Authorization": {basic("U:K:ö")}}},
	{"basic, key as user name", `[{"in":"basic","username":"{api_key}"}]`, values("api_key", "K"), "https://h/", http.Header{}, "https://h/", http.Header{"Authorization": {basic("K:")}}},
	{"basic with a colon in the name", `[{"in":"basic","username":"{user}","password":"{api_key}"}]`, values("api_key", "K", "user", "a:b"), "https://h/", nil, "", nil},
	{"query", `[{"in":"query","name":"key","value":"{api_key}"}]`, values("api_key", "K&=+ /ü"), "https://h/?b=%2F&&a=+x&key=old&c", nil, "https://h/?b=%2F&&a=+x&key=K%26%3D%2B+%2F%C3%BC&c", http.Header{}},
	{"query, appended", `[{"in":"query","name":"key","value":"{api_key}"}]`, values("api_key", "K"), "https://h/?&a", nil, "https://h/?&a&key=K", http.Header{}},
	{"query, duplicates and encodings", `[{"in":"query","name":"api_key","value":"{api_key}"}]`, values("api_key", "K"), "https://h/?%61pi_key=1&x=1&api%5Fkey&api_key=2&%61%70%69%5f%6b%65%79=3&y", nil, "https://h/?api_key=K&x=1&y", http.Header{}},
	{"query, semicolons of others", `[{"in":"query","name":"key","value":"{api_key}"}]`, values("api_key", "K"), "https://h/?a=1;b=2&c=%zz", nil, "https://h/?a=1;b=2&c=%zz&key=K", http.Header{}},
	{"query, after a semicolon", `[{"in":"query","name":"key","value":"{api_key}"}]`, values("api_key", "K"), "https://h/?a=1;key=2", nil, "", nil},
	{"query, before a semicolon", `[{"in":"query","name":"key","value":"{api_key}"}]`, values("api_key", "K"), "https://h/?key=1;a=2", nil, "", nil},
	{"path", `[{"in":"path","prefix":"/bot","value":"{api_key}"}]`, values("api_key", "1:K"), "https://h/botold/getMe", nil, "https://h/bot1:K/getMe", http.Header{}},
	{"path, encoded rest", `[{"in":"path","prefix":"/bot","value":"{api_key}"}]`, values("api_key", "K ö"), "https://h/botold/a%2Fb?c", nil, "https://h/botK%20%C3%B6/a%2Fb?c", http.Header{}},
	{"path, second prefix", `[{"in":"path","prefix":"/bot","value":"{api_key}"},{"in":"path","prefix":"/file/bot","value":"{api_key}"}]`, values("api_key", "K"), "https://h/file/botold/x", nil, "https://h/file/botK/x", http.Header{}},
	{"path without the slot", `[{"in":"path","prefix":"/bot","value":"{api_key}"}]`, values("api_key", "K"), "https://h/other", nil, "", nil},
	{"path with an empty slot", `[{"in":"path","prefix":"/bot","value":"{api_key}"}]`, values("api_key", "K"), "https://h/bot/x", nil, "", nil},
	{"path with a slash in the slot", `[{"in":"path","prefix":"/bot","value":"{api_key}"}]`, values("api_key", "K"), "https://h/bota%2F..%2Fb/x", nil, "", nil},
	{"key that is not a path segment", `[{"in":"path","prefix":"/bot","value":"{api_key}"}]`, values("api_key", "a/../b"), "https://h/botx/y", nil, "", nil},
	{"line break", ``, values("api_key", "a\r\nX: y"), "https://h/", nil, "", nil},
	{"NUL", ``, values("api_key", "a\x00"), "https://h/", nil, "", nil},
	{"line break in a query", `[{"in":"query","name":"key","value":"{api_key}"}]`, values("api_key", "a\n"), "https://h/", nil, "", nil},
	{"no values", ``, nil, "https://h/", nil, "", nil},
	{"missing key", `[{"in":"header","name":"A","value":"{user} {api_key}"}]`, values("user", "U"), "https://h/", nil, "", nil},
}

func TestInject(t *testing.T) {
	for _, tt := range injections {
		t.Run(tt.name, func(t *testing.T) {
			more := keyParam
			if tt.inject != "" {
				more += `,"inject":` + tt.inject
			}
			i, err := define(t, more).Injection(Credential{Values: tt.values})
			var r *http.Request
			if err == nil {
				if r, err = http.NewRequest("GET", tt.url, nil); err != nil {
					t.Fatal(err)
				}
				if tt.header != nil {
					r.Header = tt.header
				}
				err = i.Apply(r)
			}
			if (err == nil) != (tt.wantURL != "") {
				t.Fatalf("error %v", err)
			}
			if err != nil {
				for _, v := range tt.values {
					if len(v.Reveal()) > 2 && strings.Contains(err.Error(), v.Reveal()) {
						t.Errorf("the error contains the value: %v", err)
					}
				}
				return
			}
			if got := r.URL.String(); got != tt.wantURL {
				t.Errorf("URL  %s\nwant %s", got, tt.wantURL)
			}
			if got := fmt.Sprint(r.Header); got != fmt.Sprint(tt.want) {
				t.Errorf("header %s\nwant   %v", got, tt.want)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	d := define(t, keyParam+`,"remove":["header:x-api-key","query:token"]`)
	i, err := d.Injection(Credential{Values: values("api_key", "K")})
	if err != nil {
		t.Fatal(err)
	}
	r, _ := http.NewRequest("GET", "https://h/?a&t%6Fken=1&b", nil)
	r.Header = http.Header{"X-API-Key": {"1"}, "Other": {"kept"}}
	if err := i.Apply(r); err != nil {
		t.Fatal(err)
	}
	if r.URL.RawQuery != "a&b" || fmt.Sprint(r.Header) != "map[Authorization:[Bearer K] Other:[kept]]" {
		t.Errorf("query %s, header %v", r.URL.RawQuery, r.Header)
	}
}

func TestInjectionDoesNotPrint(t *testing.T) {
	d := define(t, keyParam+`,"inject":[{"in":"basic","password":"{api_key}"},{"in":"query","name":"q","value":"{api_key}"}]`)
	i, err := d.Injection(Credential{Values: values("api_key", "canary")})
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(":canary"))
	for _, text := range []string{fmt.Sprintf("%v %+v %#v", i, i, i), fmt.Sprintf("%v %+v %#v", *i, *i, *i)} {
		if strings.Contains(text, "canary") || strings.Contains(text, encoded) {
			t.Errorf("the secret is printed: %s", text)
		}
	}
}

func TestUnknownTokenTypesAreRefused(t *testing.T) {
	d, err := Parse([]byte(`{"schema_version":2,"name":"sample","flows":["pkce"],"hosts":["api.sample.com"],
		"oauth":{"authorization_url":"https://sample.com/a","token_url":"https://sample.com/t"}}`))
	if err != nil {
		t.Fatal(err)
	}
	for kind, ok := range map[string]bool{"": true, "bearer": true, "Bearer": true, "bot": true, "DPoP": false, "mac": false} {
		_, err := d.Injection(Credential{Values: values("access_token", "T"), TokenType: kind})
		if (err == nil) != ok {
			t.Errorf("%q: %v", kind, err)
		}
	}
}

// FuzzApplyQuery checks for any query of the client that the credential is in the result
// once, and that the client's other parameters keep their bytes and their order.
func FuzzApplyQuery(f *testing.F) {
	for _, seed := range []string{"", "a=1", "key=1&a", "k%65y=1&key", "&&", "%zz&key", "a;b", "key;a", "+key=1", "key%00=1", "=&=x"} {
		f.Add(seed)
	}
	d := define(f, keyParam+`,"inject":[{"in":"query","name":"key","value":"{api_key}"}]`)
	i, err := d.Injection(Credential{Values: values("api_key", "SECRET")})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query string) {
		r := &http.Request{URL: &url.URL{Scheme: "https", Host: "h", Path: "/", RawQuery: query}, Header: http.Header{}}
		if err := i.Apply(r); err != nil {
			return
		}
		split := func(query string) (others []string, keys int) {
			for p := range strings.SplitSeq(query, "&") {
				name, _, _ := strings.Cut(p, "=")
				if decoded, err := url.QueryUnescape(name); err == nil && decoded == "key" {
					keys++
				} else {
					others = append(others, p)
				}
			}
			return others, keys
		}
		before, _ := split(query)
		after, keys := split(r.URL.RawQuery)
		if keys != 1 || strings.Count(r.URL.RawQuery, "key=SECRET") != 1 && !strings.Contains(query, "SECRET") {
			t.Errorf("%q became %q", query, r.URL.RawQuery)
		}
		if query != "" && !slices.Equal(before, after) {
			t.Errorf("%q became %q", query, r.URL.RawQuery)
		}
	})
}

func BenchmarkApply(b *testing.B) {
	for _, bench := range []struct{ name, inject string }{
		{"header", ``},
		{"basic", `,"inject":[{"in":"basic","username":"{user}","password":"{api_key}"}]`},
		{"query", `,"inject":[{"in":"query","name":"key","value":"{api_key}"}]`},
		{"path", `,"inject":[{"in":"path","prefix":"/bot","value":"{api_key}"}]`},
		{"sigv4", `,"inject":[{"in":"sigv4","access_key":"{user}","secret_key":"{api_key}"}]`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			i, err := define(b, keyParam+bench.inject).Injection(Credential{Values: values("api_key", "K", "user", "U")})
			if err != nil {
				b.Fatal(err)
			}
			original := http.Header{"Accept": {"*/*"}, "Content-Type": {"application/json"}, "User-Agent": {"bench"}, "Authorization": {awsAuthorization}}
			r, _ := http.NewRequest("GET", "https://h/botplaceholder/getMe?limit=10&offset=20", nil)
			query, path := r.URL.RawQuery, r.URL.Path
			r.Header = make(http.Header)
			b.ReportAllocs()
			for b.Loop() {
				clear(r.Header)
				maps.Copy(r.Header, original)
				r.URL.RawQuery, r.URL.Path, r.URL.RawPath = query, path, ""
				if err := i.Apply(r); err != nil && !errors.Is(err, ErrUnsigned) {
					b.Fatal(err)
				}
			}
		})
	}
}
