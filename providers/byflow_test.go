package providers

import (
	"strings"
	"testing"
)

const byFlow = `{"schema_version":2,"name":"two","flows":["dcr_pkce","pkce"],"hosts":["api.two.com","mcp.two.com"],
	"oauth":{"authorization_url":"https://two.com/a","token_url":"https://api.two.com/t"},"verify":{"url":"https://api.two.com/me"},
	"oauth_by_flow":{"dcr_pkce":{"authorization_url":"https://mcp.two.com/authorize","token_url":"https://mcp.two.com/token","registration_url":"https://mcp.two.com/register"}}}`

func TestFlowWithAnotherAuthorizationServer(t *testing.T) {
	d := parse(t, byFlow)
	for flow, want := range map[string]string{"": "https://mcp.two.com/token", FlowDCRPKCE: "https://mcp.two.com/token", FlowPKCE: "https://api.two.com/t"} {
		own := d.ForFlow(flow)
		if issuer, err := own.Issuer(nil); err != nil || issuer != want || (own.Verify == nil) != (flow != FlowPKCE) {
			t.Errorf("%s: %s, %v, verify %v", flow, issuer, err, own.Verify)
		}
		for _, path := range []string{"/token", "/register", "/authorize", "/t"} { // of every flow
			if !own.OAuthEndpoints(nil).Match(path) {
				t.Errorf("%s: %s gets the credential", flow, path)
			}
		}
	}
	if got := strings.Join(d.Endpoints(), " "); got != "https://two.com/a https://api.two.com/t https://mcp.two.com/authorize https://mcp.two.com/token https://mcp.two.com/register" {
		t.Errorf("endpoints %s", got)
	}
	moved := parse(t, strings.Replace(byFlow, "mcp.two.com/token", "mcp.two.com/other", 1))
	if !MovesSecrets(d, moved) || MovesSecrets(d, d) {
		t.Error("a token endpoint of one flow was moved")
	}
	if w := widening(d, moved); w.Empty() {
		t.Error("an existing connection would use it at once")
	}
	evil := parse(t, strings.Replace(byFlow, "https://mcp.two.com/token", "https://evil.com/token", 1))
	if w := widening(d, evil); strings.Join(w.Hosts, " ") != "evil.com" {
		t.Errorf("hosts %v", w.Hosts)
	}
	if issuer, _ := d.restrictedTo(evil).ForFlow(FlowDCRPKCE).Issuer(nil); issuer != "https://mcp.two.com/token" {
		t.Errorf("a pinned connection would use %s", issuer)
	}
}

func TestOAuthByFlowIsChecked(t *testing.T) {
	for _, tt := range []struct{ from, to, field, reason string }{
		{`["dcr_pkce","pkce"]`, `["pkce"]`, "oauth_by_flow.dcr_pkce", "not one of the flows"},
		{`"https://mcp.two.com/token"`, `"http://mcp.two.com/token"`, "oauth_by_flow.dcr_pkce.token_url", "https only"},
		{`"https://mcp.two.com/token"`, `"https://metadata.goog/token"`, "oauth_by_flow.dcr_pkce.token_url", "metadata service"},
		{`"https://mcp.two.com/token"`, `"https://mcp.two.com/{x}"`, "oauth_by_flow.dcr_pkce.token_url", "not defined"},
		{`,"registration_url":"https://mcp.two.com/register"`, ``, "oauth_by_flow.dcr_pkce.registration_url", "missing"},
		{`"registration_url":`, `"token_auth":"magic","registration_url":`, "oauth_by_flow.dcr_pkce.token_auth", "unknown value"},
		{`"registration_url":`, `"registration_ur":`, "oauth_by_flow.dcr_pkce.registration_ur", "unknown member"},
		{`{"dcr_pkce":{`, `{"pkce":null,"dcr_pkce":{`, "oauth_by_flow.pkce", "must be an object"},
	} {
		_, err := Parse([]byte(strings.Replace(byFlow, tt.from, tt.to, 1)))
		if all := Faults(err); len(all) == 0 || all[0].Field != tt.field || !strings.Contains(all[0].Error(), tt.reason) {
			t.Errorf("%s: %v, want %s: %s", tt.to, all, tt.field, tt.reason)
		}
	}
}
