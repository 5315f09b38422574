package intercept

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// endpointRig returns a proxy for a service with two hosts. Its token endpoint is at
// /oauth/token of the first one, and /found/token was discovered on another host.
func endpointRig(t *testing.T) *rig {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":2,"name":"example","flows":["pkce"],"hosts":[%q,%q],"exclude_paths":["/private"],"oauth_paths":["/*/oauth/old"],
		"oauth":{"authorization_url":"https://%[1]s/oauth/authorize","token_url":"https://%[1]s/oauth/token","device_authorization_url":"https://%[1]s/oauth/device","registration_url":"https://%[1]s/oauth/Key"}}`,
		routedHost, otherHost))
	if err != nil {
		t.Fatal(err)
	}
	injection, err := d.Injection(providers.Credential{Values: providers.Values{"access_token": secret.New(realKey)}})
	if err != nil {
		t.Fatal(err)
	}
	binding := ready
	if binding.Endpoints, err = providers.ParseEndpoints([]string{"https://as.example.org/found/token"}); err != nil {
		t.Fatal(err)
	}
	routes := table(t, d, binding, routing.Options{})
	return newRig(t, func(r *rig) {
		r.Routes, r.Credentials = func() *routing.Table { return routes }, key{injection}
	})
}

// endpointSpellings returns the spellings of /oauth/token that the decision is tested with,
// and of two other paths.
func endpointSpellings(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../routing/testdata/spellings.txt")
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(text))
	if len(all) < 100 {
		t.Fatalf("%d spellings", len(all))
	}
	return append(all, "/private", "/private/x", "/PRIVATE.json", "/private%20", "/private%3fx", "/%2570rivate", "/found/token", "/found/token.xml", "/found%2ftoken", "/v1/oauth/old", "/V2/oauth/old.")
}

// TestNoCredentialAtOAuthEndpoints checks what the upstream gets: no credential on
// either host of the service, in any spelling of an OAuth endpoint or an excluded path,
// over HTTP/1.1 as the client wrote it.
func TestNoCredentialAtOAuthEndpoints(t *testing.T) {
	r := endpointRig(t)
	for _, host := range []string{routedHost, otherHost} {
		c := r.insideHost(host)
		for _, path := range append(endpointSpellings(t), "/oauth/token?x=y", "/oauth/token#x", "/oauth/token\t", "/oauth/token\x00", "/oauth/token\xa0") {
			response, body := exchange(t, c, "POST "+path+" HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 0\r\n\r\n")
			if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusBadRequest {
				t.Errorf("%s%q: %d %s", host, path, response.StatusCode, body)
			}
			if response.Close {
				c = r.insideHost(host)
			}
		}
		if _, body := exchange(t, c, "GET /v1/oauth/tokens HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); !strings.Contains(body, "auth=Bearer "+realKey) {
			t.Errorf("an ordinary request to %s: %s", host, body)
		}
	}
	checkUpstream(t, r)
}

// TestNoCredentialAtOAuthEndpointsInAbsoluteForm is the same for requests that name the
// host in their URL.
func TestNoCredentialAtOAuthEndpointsInAbsoluteForm(t *testing.T) {
	r := endpointRig(t)
	c := r.raw()
	for _, path := range append(endpointSpellings(t), "/oauth/token?x=y", "/oauth/token#x", "/oauth/token\t", "/oauth/token\x00", "/oauth/token\xa0", "//oauth/token") {
		for _, host := range []string{routedHost, strings.ToUpper(otherHost) + ".:443"} {
			response, body := exchange(t, c, "POST https://"+host+path+" HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 0\r\n\r\n")
			if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusBadRequest {
				t.Errorf("%s%q: %d %s", host, path, response.StatusCode, body)
			}
			if response.Close {
				c = r.raw()
			}
		}
	}
	if _, body := exchange(t, c, "GET https://"+otherHost+"/v1/oauth/tokens HTTP/1.1\r\nHost: "+otherHost+"\r\n\r\n"); !strings.Contains(body, "auth=Bearer "+realKey) {
		t.Errorf("an ordinary request: %s", body)
	}
	checkUpstream(t, r)
}

// TestNoCredentialAtOAuthEndpointsOverHTTP2 is the same for HTTP/2.
func TestNoCredentialAtOAuthEndpointsOverHTTP2(t *testing.T) {
	r := endpointRig(t)
	client := r.client()
	for _, path := range endpointSpellings(t) {
		decoded, err := url.PathUnescape(path)
		if err != nil || !strings.HasPrefix(path, "/") {
			continue // a client could not send it
		}
		q := &http.Request{Method: "POST", URL: &url.URL{Scheme: "https", Host: otherHost, Path: decoded, RawPath: path}, Header: http.Header{}}
		response, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.ProtoMajor != 2 {
			t.Fatalf("%s over %s", path, response.Proto)
		}
	}
	if _, body := get(t, client, "https://"+otherHost+"/v1/oauth/tokens"); !strings.Contains(body, "auth=Bearer "+realKey) {
		t.Errorf("an ordinary request: %s", body)
	}
	checkUpstream(t, r)
}

// checkUpstream checks that only the path of the ordinary request arrived with the
// credential, and that some of the others arrived.
func checkUpstream(t *testing.T, r *rig) {
	t.Helper()
	without := 0
	for _, q := range r.requests() {
		for name, values := range q.Header {
			if strings.Contains(strings.Join(values, " "), realKey) && q.URL.Path != "/v1/oauth/tokens" {
				t.Errorf("%s%s arrived with the credential in %s", q.Host, q.RequestURI, name)
			}
		}
		if q.URL.Path != "/v1/oauth/tokens" {
			without++
		}
	}
	if without < 20 {
		t.Errorf("only %d requests arrived without the credential", without)
	}
}

// A header that replaces the path for some servers must not lead to an OAuth endpoint.
func TestPathOverrides(t *testing.T) {
	r := endpointRig(t)
	client := r.http1()
	for _, name := range []string{"X-Original-URL", "X-Rewrite-URL", "X_Original_URL", "x-rewrite_url", "X-Forwarded-Uri", "X-HTTP-Path-Override"} {
		for _, value := range []string{"/oauth/token", "/oauth/token.json", "https://" + routedHost + "/oauth/token?x=y", " /oauth/%74oken", "/private", "%zz"} {
			q, err := http.NewRequest("POST", "https://"+routedHost+"/v1/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header[name] = []string{value}
			response, err := client.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != http.StatusBadRequest || response.Header.Get("X-Authsome-Error") != string(CodeBadRequest) {
				t.Errorf("%s: %s: %d", name, value, response.StatusCode)
			}
		}
		if _, body := get(t, client, "https://"+routedHost+"/v1/x", name, "/v1/y"); !strings.Contains(body, "auth=Bearer "+realKey) {
			t.Errorf("%s with a path that gets the credential too: %s", name, body)
		}
	}
	for _, q := range r.requests() {
		if q.Method == "POST" {
			t.Errorf("%s arrived with %v", q.RequestURI, q.Header)
		}
	}
}
