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
			t.Errorf("%s is taken for an endpoint", path)
		}
	}
}
