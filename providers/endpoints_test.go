package providers

import (
	"testing"

	"github.com/authsome/authsome/secret"
)

func TestOAuthEndpoint(t *testing.T) {
	d, err := bundledSet(t).Lookup("github")
	if err != nil {
		t.Fatal(err)
	}
	endpoints := d.OAuthEndpoints(nil)
	for _, path := range []string{"/login/oauth/access_token", "//login/oauth/access_token", "/x/../login/oauth/access_token", "/login/oauth/access_token/", `/login\oauth\access_token`} {
		if !endpoints.Match(path) {
			t.Errorf("%s is not recognised", path)
		}
	}
	for _, path := range []string{"/login/oauths", "/login", "/"} {
		if endpoints.Match(path) {
			t.Errorf("%s is recognised as an endpoint", path)
		}
	}
}

// TestEndpointsOfAHostAreExcludedWithThePathsUnderThem checks which endpoints can be on a
// host of the service.
func TestEndpointsOfAHostAreExcludedWithThePathsUnderThem(t *testing.T) {
	for _, tt := range []struct {
		hosts, endpoint string
		under           bool
	}{
		{`"api.sample.com"`, "https://api.sample.com/token", true},
		{`"api.sample.com"`, "https://login.sample.com/token", false},
		{`"api.sample.com"`, "https://{site}.sample.com/token", true},
		{`"api.sample.com"`, "https://{site}.sample.net/token", false},
		{`"{site}.sample.com"`, "https://api.sample.com/token", true},
		{`"*.sample.com"`, "https://login.sample.com/token", true},
		{`"*.sample.com"`, "https://sample.com/token", false},
		{`"api.sample.com","old.sample.com"`, "https://old.sample.com/token", true},
	} {
		d, err := Parse([]byte(`{"schema_version":2,"name":"sample","flows":["client_credentials"],"hosts":[` + tt.hosts + `],"params":[{"name":"site"}],"oauth":{"token_url":"` + tt.endpoint + `"}}`))
		if err != nil {
			t.Fatal(err)
		}
		e := d.OAuthEndpoints(nil)
		if !e.Match("/token") || e.Match("/token/x") != tt.under {
			t.Errorf("%s at %s: %t, %t", tt.hosts, tt.endpoint, e.Match("/token"), e.Match("/token/x"))
		}
	}
}

// TestOAuthEndpointTemplates checks that an endpoint whose URL depends on the connection
// matches every path that it could have, on whichever host.
func TestOAuthEndpointTemplates(t *testing.T) {
	d, err := Parse([]byte(`{"schema_version":2,"name":"sample","flows":["pkce"],"hosts":["{base_url}","{shop}.sample.com"],"base_url":"https://own.com","params":[{"name":"shop"},{"name":"tenant"}],
		"oauth":{"authorization_url":"{base_url}/oauth/authorize","token_url":"https://{shop}.sample.com/token","refresh_url":"https://login.sample.net/{tenant}/v2/refresh-{shop}","device_authorization_url":"https://root.sample.com",
			"revocation":{"url":"https://login.sample.net/tokens/{token}"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		base, path string
		want       bool
	}{
		{"", "/oauth/authorize", true}, {"", "/oauth/authorize/x", true}, {"", "/xoauth/authorize", false}, {"", "/x/oauth/authorize", false},
		{"https://git.corp:8443/base/path/", "/base/path/oauth/authorize", true}, {"https://git.corp/base", "/oauth/authorize", false},
		{"", "/token", true}, {"", "/token/x", true}, {"", "/x/token", false},
		{"", "/any/v2/refresh-acme", true}, {"", "/any/v2/refresh-", false}, {"", "/any/v2/refresh", false}, {"", "/v2/refresh-acme", false}, {"", "/any/v2/refresh-acme/x", false},
		{"https://login.sample.net", "/any/v2/refresh-acme/x", true}, {"", "/index.php/any/v2/refresh-acme", true}, {"", "/any/index.php/v2/refresh-acme/index.php", true}, {"", "/any.php/v2/refresh-acme", true},
		{"", "/tokens/abc", true}, {"", "/tokens", false}, {"", "/", false}, {"", "/x", false},
	} {
		if got := d.OAuthEndpoints(Values{"base_url": secret.New(tt.base)}).Match(tt.path); got != tt.want {
			t.Errorf("%s with base URL %q: %t, want %t", tt.path, tt.base, got, tt.want)
		}
	}
}

func TestParseEndpoints(t *testing.T) {
	e, err := ParseEndpoints([]string{"https://as.example.com/o/token?x=1", "https://as.example.com/", "https://as.example.com", "https://as.example.com/re%67ister"})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{"/o/token": true, "/O/Token/": true, "/o/token/x": true, "/o/token.json": true, "/o/tokens": false, "/o": false, "/register": true, "/": false, "": false, "/mcp": false} {
		if e.Match(path) != want {
			t.Errorf("%s: %t, want %t", path, !want, want)
		}
	}
	for _, bad := range []string{"", "/token", "token", "https:///token", "ftp://example.com/token", "https://example.com/%zz"} {
		if _, err := ParseEndpoints([]string{bad}); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
