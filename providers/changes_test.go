package providers

import (
	"fmt"
	"strings"
	"testing"
)

func parse(t *testing.T, text string) *Definition {
	t.Helper()
	d, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestChanges(t *testing.T) {
	before := parse(t, fmt.Sprintf(goodOAuth, `,"scopes":["a"]`))
	if c := Changes(before, parse(t, strings.Replace(fmt.Sprintf(goodOAuth, `,"scopes":["a"]`), `"schema_version":2,`, `"$schema":"https://x","schema_version":2,`, 1))); len(c) > 0 {
		t.Errorf("the same definition has changes: %v", c)
	}
	after := parse(t, strings.Replace(fmt.Sprintf(goodOAuth, `,"scopes":["a","b"],"refresh_url":"https://evil.net/t"`), `"hosts"`, `"docs":"https://d.com","hosts"`, 1))
	want := "[oauth.refresh_url: https://evil.net/t is added oauth.scopes: a becomes a b docs: https://d.com is added]"
	if got := fmt.Sprint(Changes(before, after)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestIssuerChangesWithTheTokenEndpoint checks that secrets obtained for one endpoint
// are not sent to another.
func TestIssuerChangesWithTheTokenEndpoint(t *testing.T) {
	base := fmt.Sprintf(goodOAuth, "")
	for name, tt := range map[string]struct {
		after string
		moves bool
	}{
		"the same":               {base, false},
		"other hosts and scopes": {strings.Replace(fmt.Sprintf(goodOAuth, `,"scopes":["x"]`), "api.sample.com", "api2.sample.com", 1), false},
		"another token endpoint": {strings.Replace(base, "https://sample.com/t", "https://evil.net/t", 1), true},
		"another path":           {strings.Replace(base, "https://sample.com/t", "https://sample.com/t2", 1), true},
		"a refresh endpoint":     {fmt.Sprintf(goodOAuth, `,"refresh_url":"https://evil.net/t"`), true},
		"an issuer":              {fmt.Sprintf(goodOAuth, `,"issuer":"https://evil.net"`), true},
	} {
		before, after := parse(t, base), parse(t, tt.after)
		if got := MovesSecrets(before, after); got != tt.moves {
			t.Errorf("%s: MovesSecrets is %t", name, got)
		}
		old, err := before.Issuer(nil)
		replaced, err2 := after.Issuer(nil)
		if err != nil || err2 != nil || (old == replaced) == tt.moves {
			t.Errorf("%s: issuers %q and %q, %v, %v", name, old, replaced, err, err2)
		}
	}
	hosted := parse(t, `{"schema_version":2,"name":"own","flows":["pkce"],"hosts":["{base_url}"],"base_url":"https://sample.com","oauth":{"authorization_url":"{base_url}/a","token_url":"{base_url}/t"}}`)
	byDefault, _ := hosted.Issuer(nil)
	selfHosted, _ := hosted.Issuer(values("base_url", "https://git.corp"))
	if byDefault != "https://sample.com/t" || selfHosted != "https://git.corp/t" {
		t.Errorf("issuers %q and %q", byDefault, selfHosted)
	}
	if text, err := define(t, "").Issuer(nil); text != "" || err != nil {
		t.Errorf("without OAuth: %q, %v", text, err)
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ json, want string }{
		{fmt.Sprintf(good, ""), ""},
		{fmt.Sprintf(good, `,"inject":[{"in":"query","name":"k","value":"{api_key}"}]`), "inject[0]: the credential goes into the query"},
		{fmt.Sprintf(good, `,"inject":[{"in":"path","prefix":"/bot","value":"{api_key}"}]`), "inject[0]: the credential goes into the path"},
		{fmt.Sprintf(noHosts, `,"hosts":["*.sample.com"]`), "hosts[0]: the credential goes to every host under sample.com"},
		{fmt.Sprintf(noHosts, `,"hosts":["10.0.0.1"]`), "hosts[0]: 10.0.0.1 is not a public host"},
		{fmt.Sprintf(noHosts, `,"hosts":["git.internal"]`), "hosts[0]: git.internal is not a public host"},
		{instance, "hosts[0]: the token response decides which host"},
		{fmt.Sprintf(goodOAuth, `,"refresh_url":"http://localhost:1/t"`), "oauth.refresh_url: localhost is not a public host; use it only for development"},
		{fmt.Sprintf(goodOAuth, `,"revocation":{"url":"https://sample.com/{token}"}`), "oauth.revocation.url: the token goes into the URL"},
		{fmt.Sprintf(goodOAuth, `,"discovery":"issuer","issuer":"https://sample.com"`), "oauth.discovery: the service decides"},
		{fmt.Sprintf(good, `,"metadata":{"unverified":true}`), "metadata.unverified: this definition has not been checked"},
	} {
		got := ""
		for _, w := range parse(t, tt.json).Warnings() {
			got += w.Error()
		}
		if !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
			t.Errorf("%s\n  got  %q\n  want %q", tt.json, got, tt.want)
		}
	}
}
