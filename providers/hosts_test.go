package providers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authsome/authsome/internal/hosts"
	"github.com/authsome/authsome/secret"
)

func hostsOf(patterns []Pattern) string {
	var all []string
	for _, p := range patterns {
		host := p.host
		if p.kind == Wildcard {
			host = "*" + host
		}
		all = append(all, strings.TrimSuffix(fmt.Sprintf("%s:%d %s", host, p.port, strings.Join(p.paths, " ")), " "))
	}
	return strings.Join(all, ", ")
}

const instance = `{"schema_version":2,"name":"sample","flows":["pkce"],"hosts":["{instance}"],"params":[{"name":"instance","from":"token","path":"instance_url"}],
	"oauth":{"authorization_url":"https://sample.com/a","token_url":"https://sample.com/t"}}`

var (
	shop        = fmt.Sprintf(noHosts, `,"hosts":["{shop}.myshopify.com","*.x-{shop}.sample.com","{shop}.sample.com:8443"],"paths":["/admin"]`)
	dotted      = `{"schema_version":2,"name":"sample","flows":["api_key"],"params":[{"name":"api_key","secret":true},{"name":"account","pattern":"[a-z0-9.-]+"}],"hosts":["{account}.sample.com"]}`
	baseURL     = fmt.Sprintf(noHosts, `,"hosts":["{base_url}","api.sample.com"],"base_url":"https://sample.com","paths":["/api"]`)
	onlyBaseURL = fmt.Sprintf(noHosts, `,"hosts":["{base_url}"]`)
)

var filledHosts = []struct {
	json   string
	values Values
	want   string // if empty, an error
}{
	{shop, values("shop", "acme"), "acme.myshopify.com:443 /admin, *.x-acme.sample.com:443 /admin, acme.sample.com:8443 /admin"},
	{shop, values("shop", "ACME"), "acme.myshopify.com:443 /admin, *.x-acme.sample.com:443 /admin, acme.sample.com:8443 /admin"},
	{shop, nil, ""},
	{shop, values("shop", "a.b"), ""},
	{shop, values("shop", "evil.net/"), ""},
	{shop, values("shop", "evil.net#"), ""},
	{shop, values("shop", "evil.net?x="), ""},
	{shop, values("shop", "evil.net:443"), ""},
	{shop, values("shop", "x@evil.net"), ""},
	{shop, values("shop", `evil.net\`), ""},
	{shop, values("shop", "evil.net%2f"), ""},
	{shop, values("shop", "*"), ""},
	{shop, values("shop", "-"), ""},
	{shop, values("shop", "\u0430cme"), ""},
	{shop, values("shop", "a\n"), ""},
	{dotted, values("account", "org-one.eu-west-1"), "org-one.eu-west-1.sample.com:443"},
	{dotted, values("account", "a..b"), ""},
	{dotted, values("account", "."), ""},
	{dotted, values("account", "evil.net."), ""},
	{dotted, values("account", "a_b"), ""},
	{baseURL, nil, "sample.com:443 /api, api.sample.com:443 /api"},
	{baseURL, values("base_url", "https://git.corp:8443/sub/"), "git.corp:8443 /sub/api, api.sample.com:443 /api"},
	{baseURL, values("base_url", "https://*.corp.example"), ""},
	{baseURL, values("base_url", "http://git.corp"), ""},
	{baseURL, values("base_url", "https://localhost"), ""},
	{baseURL, values("base_url", "https://u@git.corp"), ""},
	{onlyBaseURL, nil, ""},
	{onlyBaseURL, values("base_url", "https://git.corp"), "git.corp:443"},
	{fmt.Sprintf(good, ""), values("base_url", "https://git.corp"), ""},
	{instance, values("instance", "eu1.sample.com"), "eu1.sample.com:443"},
	{instance, values("instance", "10.0.0.1"), ""},
	{instance, values("instance", "127.0.0.1"), ""},
	{instance, values("instance", "metadata.internal"), ""},
	{instance, values("instance", "localhost"), ""},
	{instance, values("instance", "com"), ""},
	{instance, values("instance", "co.uk"), ""},
	{instance, values("instance", "eu1.sample.com/x"), ""},
	{instance, values("instance", "*.sample.com"), ""},
	{instance, nil, ""},
}

// TestPatterns checks that the values of a connection cannot change the fixed end of a
// host, and that a value which is the whole host must be public.
func TestPatterns(t *testing.T) {
	for _, tt := range filledHosts {
		d, err := Parse([]byte(tt.json))
		if err != nil {
			t.Fatal(err)
		}
		patterns, err := d.Patterns(tt.values)
		if got := hostsOf(patterns); (err == nil) != (tt.want != "") || err == nil && got != tt.want {
			t.Errorf("%s of %s\n  got  %s, %v\n  want %s", describeValues(tt.values), tt.json, got, err, tt.want)
		}
		if err == nil {
			continue
		}
		_, unfilled := errors.AsType[*UnfilledError](err)
		if unfilled != (len(tt.values) == 0) {
			t.Errorf("%s: error %v of type %T", describeValues(tt.values), err, err)
		}
		for name, v := range tt.values {
			if name != "base_url" && len(v.Reveal()) > 3 && strings.Contains(err.Error(), v.Reveal()) {
				t.Errorf("the error contains the value: %v", err)
			}
		}
	}
}

func describeValues(v Values) string {
	var all []string
	for name, value := range v {
		all = append(all, fmt.Sprintf("%s=%q", name, value.Reveal()))
	}
	return strings.Join(all, " ")
}

func TestClaims(t *testing.T) {
	d, err := Parse([]byte(fmt.Sprintf(noHosts, `,"hosts":["api.sample.com","{shop}.sample.net:8443","{base_url}"],"base_url":"https://own.sample.org"`)))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"api.sample.com:443": true, "any.sample.net:8443": true, "any.sample.net:443": false, "sample.net:8443": false, "own.sample.org:443": true, "x.sample.com:443": false} {
		name, port, _ := strings.Cut(host, ":")
		n := 443
		fmt.Sscan(port, &n)
		if got := d.Claims(name, n); got != want {
			t.Errorf("%s: %t, want %t", host, got, want)
		}
	}
}

// FuzzPatterns checks that no value moves a host out of the fixed end of its template.
func FuzzPatterns(f *testing.F) {
	for _, seed := range []string{"acme", "a.b", "evil.net/", "evil.net#", "x@evil.net", "*", "\u0430", "%2e", "a\x00", "-", "..", "xn--a", "evil.net:1", "[::1]"} {
		f.Add(seed)
	}
	d, err := Parse([]byte(`{"schema_version":2,"name":"sample","flows":["pkce"],"params":[{"name":"label"},{"name":"labels","pattern":"(?s).*"},{"name":"whole","from":"token","path":"x"}],
		"hosts":["{label}.one.com","a-{label}.{label}.two.com","{labels}.three.com","{whole}"],"oauth":{"authorization_url":"https://sample.com/a","token_url":"https://sample.com/t"}}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		v := values("label", "x", "labels", "x", "whole", "whole.sample.com")
		for _, name := range []string{"label", "labels", "whole"} {
			v := Values{"label": v["label"], "labels": v["labels"], "whole": v["whole"]}
			v[name] = secret.New(value)
			patterns, err := d.Patterns(v)
			if err != nil {
				continue
			}
			for i, end := range []string{".one.com", ".two.com", ".three.com", ""} {
				p := patterns[i]
				if normal, err := hosts.Normalize(p.host); err != nil || normal != p.host || p.kind != Exact || !strings.HasSuffix(p.host, end) {
					t.Errorf("%q turns %s into %s", value, d.Hosts[i], p.host)
				}
			}
			if strings.Count(patterns[0].host, ".") != 2 {
				t.Errorf("%q adds labels: %s", value, patterns[0].host)
			}
			if !publicName(patterns[3].host) {
				t.Errorf("%q is accepted as a public host", value)
			}
		}
	})
}
