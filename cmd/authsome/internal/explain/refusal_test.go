package explain

import (
	"testing"

	"github.com/authsome/authsome/intercept"
)

func TestFix(t *testing.T) {
	for _, tt := range []struct {
		profile string
		refusal intercept.Refusal
		want    string
	}{
		{"", intercept.Refusal{Code: intercept.CodeLoginRequired, Provider: "acme", Connection: "default"}, "authsome login acme --force"},
		{"", intercept.Refusal{Code: intercept.CodeLoginRequired, Provider: "acme", Connection: "work"}, "authsome login acme --connection work --force"},
		{"", intercept.Refusal{Code: intercept.CodeLoginRequired, Provider: "acme"}, "authsome login acme --force"},
		{"p", intercept.Refusal{Code: intercept.CodeLoginRequired, Provider: "acme", Connection: "work"}, "authsome --profile p login acme --connection work --force"},
		{"", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Choices: []string{"acme", "other"}}, "start with --provider acme"},
		{"", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Choices: []string{"acme=a", "other"}}, "start with --provider acme=a"},
		{"", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Choices: []string{"acme=a", "acme=b"}}, "authsome default acme a, or start with --provider acme=a"},
		{"p", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Choices: []string{"acme=a", "acme=b"}}, "authsome --profile p default acme a, or start with --provider acme=a"},
		{"p", intercept.Refusal{Code: intercept.CodeHTTPSRequired, Host: "api.acme.test"}, "use https://api.acme.test"},
		{"", intercept.Refusal{Code: intercept.CodePlaceholder, URL: "https://api.acme.test/v1"}, "authsome why https://api.acme.test/v1"},
		{"p", intercept.Refusal{Code: intercept.CodePlaceholder, URL: "https://api.acme.test/v1"}, "authsome --profile p why https://api.acme.test/v1"},
		{"", intercept.Refusal{Code: intercept.CodeHostDenied, Host: "other.test"}, "connect its provider, or start without --unmatched deny"},
		{"", intercept.Refusal{Code: intercept.CodePrivateTarget}, "start with --allow-private"},
		{"", intercept.Refusal{Code: intercept.CodeVaultUnavailable}, "authsome doctor"},
		{"p", intercept.Refusal{Code: intercept.CodeVaultUnavailable}, "authsome --profile p doctor"},
		{"p", intercept.Refusal{Code: intercept.CodeUpstreamTLS}, "if the service has a private authority, start with --upstream-ca FILE"},
		{"", intercept.Refusal{Code: intercept.CodeUpstreamTimeout}, "start with a longer --response-timeout"},
		{"", intercept.Refusal{Code: intercept.CodeBadRequest}, ""},
		{"p", intercept.Refusal{Code: intercept.CodeRefreshUnavailable}, ""},
	} {
		if got := Fix(tt.profile)(&tt.refusal); got != tt.want {
			t.Errorf("profile %q, %s: %q, want %q", tt.profile, tt.refusal.Code, got, tt.want)
		}
	}
}
