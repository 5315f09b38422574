package explain

import (
	"testing"

	"github.com/authsome/authsome/intercept"
)

// What only a person can do is worded as a request to that person.
func TestFix(t *testing.T) {
	const run, ask = "ask the person to run, in another terminal: ", "ask the person to "
	for _, tt := range []struct {
		profile   string
		refusal   intercept.Refusal
		want, who string
	}{
		{"", intercept.Refusal{Code: intercept.CodeLoginRequired, Provider: "acme", Connection: "default"}, run + "authsome login acme", "person"},
		{"", intercept.Refusal{Code: intercept.CodeLoginRequired, Provider: "acme", Connection: "work"}, run + "authsome login acme --connection work", "person"},
		{"", intercept.Refusal{Code: intercept.CodeLoginRequired, Provider: "acme"}, run + "authsome login acme", "person"},
		{"p", intercept.Refusal{Code: intercept.CodeLoginRequired, Provider: "acme", Connection: "work"}, run + "authsome --profile p login acme --connection work", "person"},
		{"", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Host: "a.test", Choices: []string{"acme", "other"}}, run + "authsome connection prefer acme", "person"},
		{"", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Host: "a.test", Choices: []string{"acme=a", "acme=b", "other"}}, run + "authsome connection prefer acme a.test --connection a", "person"},
		{"", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Host: "a.test", Choices: []string{"acme=a", "acme=b"}}, run + "authsome default acme a", "person"},
		{"", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Host: "a.test", Choices: []string{"acme=a", "acme=b"}, HasDefault: true}, run + "authsome connection prefer acme a.test --connection a", "person"},
		{"p", intercept.Refusal{Code: intercept.CodeRouteAmbiguous, Host: "a.test", Choices: []string{"acme=a", "acme=b"}}, run + "authsome --profile p default acme a", "person"},
		{"p", intercept.Refusal{Code: intercept.CodeTunnelRequired}, "use a client that opens a tunnel with CONNECT for https", ""},
		{"p", intercept.Refusal{Code: intercept.CodeHTTPSRequired, Host: "api.acme.test"}, "use https://api.acme.test", ""},
		{"", intercept.Refusal{Code: intercept.CodePlaceholder, URL: "https://api.acme.test/v1"}, "authsome why https://api.acme.test/v1", ""},
		{"p", intercept.Refusal{Code: intercept.CodePlaceholder, URL: "https://api.acme.test/v1"}, "authsome --profile p why https://api.acme.test/v1", ""},
		{"", intercept.Refusal{Code: intercept.CodeHostDenied, Host: "other.test"}, ask + "connect its provider, or start authsome without --unmatched deny", "person"},
		{"", intercept.Refusal{Code: intercept.CodePrivateTarget}, ask + "start authsome with --allow-private", "person"},
		{"p", intercept.Refusal{Code: intercept.CodeNotAllowed, Host: "db.internal:5432"}, ask + "start the run again with: authsome run --isolate --allow-tcp db.internal:5432", "person"},
		{"", intercept.Refusal{Code: intercept.CodeTargetUnknown, Host: "203.0.113.9:443"}, "", ""},
		{"", intercept.Refusal{Code: intercept.CodeVaultUnavailable}, "authsome doctor", ""},
		{"p", intercept.Refusal{Code: intercept.CodeVaultUnavailable}, "authsome --profile p doctor", ""},
		{"p", intercept.Refusal{Code: intercept.CodeUpstreamTLS}, ask + "start authsome with --upstream-ca FILE, if the service has a private authority", "person"},
		{"", intercept.Refusal{Code: intercept.CodeUpstreamTimeout}, ask + "start authsome with a longer --response-timeout", "person"},
		{"", intercept.Refusal{Code: intercept.CodeBadRequest}, "", ""},
		{"p", intercept.Refusal{Code: intercept.CodeRefreshUnavailable}, "", ""},
	} {
		if got, who := Fix(tt.profile)(&tt.refusal); got != tt.want || who != tt.who {
			t.Errorf("profile %q, %s: %q for %q, want %q for %q", tt.profile, tt.refusal.Code, got, who, tt.want, tt.who)
		}
	}
}
