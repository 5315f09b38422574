package proxyenv

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// environment is a function that looks variables up in text.
func environment(text string) func(string) string {
	return func(name string) string {
		for assignment := range strings.FieldsSeq(text) {
			if n, value, _ := strings.Cut(assignment, "="); n == name {
				return value
			}
		}
		return ""
	}
}

// The variable of a scheme is used before ALL_PROXY, and hosts in NO_PROXY have no proxy.
func TestFunc(t *testing.T) {
	for _, tt := range []struct{ environment, https, http string }{
		{"", "", ""},
		{"NO_PROXY=x", "", ""},
		{"HTTPS_PROXY=http://s:1", "http://s:1", ""},
		{"HTTP_PROXY=http://p:1", "", "http://p:1"},
		{"ALL_PROXY=http://a:1", "http://a:1", "http://a:1"},
		{"all_proxy=http://a:1", "http://a:1", "http://a:1"},
		{"ALL_PROXY=http://upper:1 all_proxy=http://lower:1", "http://upper:1", "http://upper:1"},
		{"HTTPS_PROXY=http://s:1 ALL_PROXY=http://a:1", "http://s:1", "http://a:1"},
		{"https_proxy=http://s:1 ALL_PROXY=http://a:1", "http://s:1", "http://a:1"},
		{"http_proxy=http://p:1 all_proxy=http://a:1", "http://a:1", "http://p:1"},
		{"ALL_PROXY=socks5://a:1", "socks5://a:1", "socks5://a:1"},
		{"ALL_PROXY=socks5h://a:1", "socks5h://a:1", "socks5h://a:1"},
		{"ALL_PROXY=https://user:pass@a:1", "https://user:pass@a:1", "https://user:pass@a:1"},
		{"ALL_PROXY=a:1", "http://a:1", "http://a:1"},
		{"ALL_PROXY=http://a:1 NO_PROXY=.test", "", ""},
		{"ALL_PROXY=http://a:1 no_proxy=service.test", "", ""},
		{"ALL_PROXY=http://a:1 NO_PROXY=*", "", ""},
		{"REQUEST_METHOD=GET HTTP_PROXY=http://evil:1", "", "error"},
		{"REQUEST_METHOD=GET http_proxy=http://p:1", "", "http://p:1"},
		{"REQUEST_METHOD=GET ALL_PROXY=http://a:1", "http://a:1", "http://a:1"},
	} {
		choose := Func(environment(tt.environment))
		for target, want := range map[string]string{"https://service.test/": tt.https, "http://service.test/": tt.http, "https://localhost/": ""} {
			got := ""
			if choose != nil {
				u, err := url.Parse(target)
				if err != nil {
					t.Fatal(err)
				}
				via, err := choose(u)
				if err != nil {
					got = "error"
				} else if via != nil {
					got = via.String()
				}
			}
			if got != want {
				t.Errorf("%s: %s through %q, want %q", tt.environment, target, got, want)
			}
		}
	}
}

// The environment of the process is read for each request.
func TestForRequest(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"} {
		t.Setenv(name, "")
	}
	r, err := http.NewRequest("GET", "https://service.test/", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"", "http://first:1", "http://second:1", ""} {
		t.Setenv("ALL_PROXY", want)
		via, err := ForRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if via != nil {
			got = via.String()
		}
		if got != want {
			t.Errorf("through %q, want %q", got, want)
		}
	}
}
