package providers

import "testing"

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
			t.Errorf("%s is recognised as an endpoint", path)
		}
	}
}

// TestOAuthEndpointTemplates checks that an endpoint whose URL depends on the connection
// matches every URL that it could have.
func TestOAuthEndpointTemplates(t *testing.T) {
	d, err := Parse([]byte(`{"schema_version":2,"name":"sample","flows":["pkce"],"hosts":["{base_url}","{shop}.sample.com"],"base_url":"https://own.com","params":[{"name":"shop"},{"name":"tenant"}],
		"oauth":{"authorization_url":"{base_url}/oauth/authorize","token_url":"https://{shop}.sample.com/oauth/token","refresh_url":"https://login.sample.net/{tenant}/v2/token-{shop}","device_authorization_url":"https://root.sample.com",
			"revocation":{"url":"https://login.sample.net/tokens/{token}"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host, path string
		want       bool
	}{
		{"own.com", "/oauth/authorize", true}, {"git.corp", "/base/path/oauth/authorize", true}, {"git.corp", "/oauth/authorize/x", false}, {"git.corp", "/xoauth/authorize", false},
		{"acme.sample.com", "/oauth/token", true}, {"acme.sample.com", "/x/oauth/token", false}, {"acme.sample.org", "/oauth/token", false}, {"acme.sample.com", "/oauth/token/", true},
		{"login.sample.net", "/any/v2/token-acme", true}, {"login.sample.net", "/any/v2/token", false}, {"login.sample.net", "/v2/token-acme", false}, {"login.sample.net", "/a/b/v2/token-acme", false},
		{"login.sample.net", "/tokens/abc", true}, {"login.sample.net", "/tokens", false},
		{"root.sample.com", "/", false}, {"root.sample.com", "/x", false},
	} {
		if got := d.OAuthEndpoint(tt.host, tt.path); got != tt.want {
			t.Errorf("%s%s: %t, want %t", tt.host, tt.path, got, tt.want)
		}
	}
}
