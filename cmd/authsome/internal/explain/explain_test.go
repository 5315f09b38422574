package explain

import (
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
)

// Every decision has a text that begins with what happens, and the next command if one
// changes the decision.
func TestDecision(t *testing.T) {
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for reason, want := range map[routing.Reason]struct{ text, next string }{
		routing.Matched:         {"intercepted, with the credential of acme/work", ""},
		routing.LoginRequired:   {"refused (login_required): acme/work needs a new login: expired", "authsome login acme --connection work"},
		routing.RouteAmbiguous:  {"refused (route_ambiguous): several connections match: acme=one, acme=two", "authsome default acme one"},
		routing.PathOutside:     {"forwarded without a credential: acme does not cover this path", "authsome inspect acme"},
		routing.MethodOutside:   {"forwarded without a credential: acme does not cover the method PUT", "authsome inspect acme"},
		routing.OAuthEndpoint:   {"forwarded without a credential: this is a sign-in endpoint of acme", ""},
		routing.PathAmbiguous:   {"refused (bad_request): servers read this path in different ways, with different decisions; write it without ", ""},
		routing.HTTPSRequired:   {"refused (https_required): ", "authsome why 'https://api.resend.com/a b'"},
		routing.HostDenied:      {"refused (host_denied): ", "authsome login resend"},
		routing.OtherPort:       {"passed through: a connected provider covers this host on another port than 443", ""},
		routing.NoRoute:         {"forwarded without a credential: this is plain http", ""},
		routing.TunnelUnmatched: {"passed through: resend covers api.resend.com, but is not connected", "authsome login resend"},
	} {
		text, next := Profile{Providers: set}.Decision(routing.Explanation{
			Method: "PUT", Scheme: "http", Host: "api.resend.com", Port: 443, Path: "/a b",
			Decision: routing.Decision{Reason: reason, Provider: "acme", Connection: "work", Problem: "expired", Choices: []string{"acme=one", "acme=two"}},
		})
		if got := next.In(""); !strings.HasPrefix(text, want.text) || !strings.HasPrefix(got, want.next) || (got == "") != (want.next == "") || !next.IsZero() && !next.IsCommand() {
			t.Errorf("%s: %q, %q", reason, text, got)
		}
	}
}

func TestDecisionOnUnknownHost(t *testing.T) {
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{
		"nowhere.example": "passed through: no provider covers nowhere.example | authsome provider new nowhere > nowhere.json",
		"api.acme.co.uk":  "passed through: no provider covers api.acme.co.uk | authsome provider new acme > acme.json",
		"new.github.test": "passed through: no provider covers new.github.test | authsome provider new new-github-test > new-github-test.json",
		"localhost":       "passed through: no provider covers localhost | authsome provider new localhost > localhost.json",
		"192.0.2.7":       "passed through: no provider covers 192.0.2.7 | authsome provider new service > service.json",
		"2001:db8::1":     "passed through: no provider covers 2001:db8::1 | authsome provider new service > service.json",
		"api.github.com":  "passed through: none of the providers that cover api.github.com is connected: github, github-pat | authsome login github",
	} {
		e := routing.Explanation{Method: "GET", Host: host, Port: 443, Decision: routing.Decision{Reason: routing.TunnelUnmatched}}
		text, next := Profile{Providers: set}.Decision(e)
		if got := text + " | " + next.In(""); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}
