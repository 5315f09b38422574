package auth

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

func TestAdapt(t *testing.T) {
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		provider, base, key string
		wantBase            string
		wantParams          map[string]string
		wantErr             string
	}{
		{provider: "github", base: "https://github.com"},
		{provider: "github", base: "https://github.com/"},
		{provider: "github", base: "github.com"},
		{provider: "github", base: "https://api.github.com"},
		{provider: "github", base: "https://www.github.com/login"},
		{provider: "github", base: "https://github.corp.example", wantErr: "it is for https://github.corp.example, which the provider github does not cover"},
		{provider: "github", base: "https://kim:canary@ghe.example.com/x", wantErr: "it is for https://ghe.example.com, which the provider github does not cover"},
		{provider: "github", base: "https://github.com.evil.example", wantErr: "it is for https://github.com.evil.example, which the provider github does not cover"},
		{provider: "github", base: "http://github.com", wantErr: "it is for http://github.com, which the provider github does not cover"},
		{provider: "github", base: "https://github.com:8443", wantErr: "it is for https://github.com:8443, which the provider github does not cover"},
		{provider: "slack", base: "https://team.slack.com"},
		{provider: "linear", base: "https://linear.app"},
		{provider: "google", base: "https://accounts.google.com"},
		{provider: "gitlab", base: "https://gitlab.corp.example", wantBase: "https://gitlab.corp.example"},
		{provider: "gitlab", base: "https://gitlab.com", wantBase: "https://gitlab.com"},
		{provider: "mailchimp", key: "0123456789abcdef-us6", wantParams: map[string]string{"dc": "us6"}},
		{provider: "mailchimp", base: "https://mailchimp.com", key: "0123456789abcdef-us6", wantParams: map[string]string{"dc": "us6"}},
		{provider: "mailchimp", key: "0123456789abcdef", wantErr: "the api_key contains no dc"},
		{provider: "github-enterprise", base: "https://ghe.example.com", key: "k", wantBase: "https://ghe.example.com", wantParams: map[string]string{"host": "ghe.example.com"}},
		{provider: "zendesk-token", base: "https://team.zendesk.com", key: "k", wantParams: map[string]string{"subdomain": "team"}},
		{provider: "zendesk-token", base: "https://zendesk.evil.example", key: "k", wantErr: "it is for https://zendesk.evil.example, which the provider zendesk-token does not cover"},
	} {
		d, err := set.Lookup(tt.provider)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Adapt(d, Connection{Provider: tt.provider, Name: "default", BaseURL: tt.base, APIKey: secret.New(tt.key), AccessToken: secret.New("token")})
		if tt.wantErr != "" {
			if err == nil || err.Error() != tt.wantErr {
				t.Errorf("%s %s: %v, want %s", tt.provider, tt.base, err, tt.wantErr)
			}
			_, address := errors.AsType[*addressError](err)
			if address != (tt.base != "") {
				t.Errorf("%s %s: %T", tt.provider, tt.base, err)
			}
			continue
		}
		if err != nil || c.BaseURL != tt.wantBase || c.APIKey.Reveal() != tt.key || c.AccessToken.Reveal() != "token" || len(c.Fields) > 0 {
			t.Errorf("%s %s: base URL %q, %v, %+v", tt.provider, tt.base, c.BaseURL, err, c)
		}
		if diff := cmp.Diff(tt.wantParams, c.Params); diff != "" {
			t.Errorf("%s %s: %s", tt.provider, tt.base, diff)
		}
	}
}
