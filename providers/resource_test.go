package providers_test

import (
	"testing"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// A base URL that is the identifier of a resource is sent as it was given. The query does
// not matter for the host that gets the credential, and the slash at the end does not
// matter for where secrets may be sent.
func TestBaseURLThatIsTheResource(t *testing.T) {
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d, err := set.Lookup("mcp")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		base, pattern, path, issuer string
	}{
		{"https://mcp.example.com", "https://mcp.example.com", "/any", "https://mcp.example.com"},
		{"https://mcp.example.com/", "https://mcp.example.com/", "/any", "https://mcp.example.com"},
		{"https://mcp.example.com/mcp/", "https://mcp.example.com/mcp/", "/mcp/x", "https://mcp.example.com/mcp"},
		{"https://mcp.example.com/mcp?team=1", "https://mcp.example.com/mcp", "/mcp/", "https://mcp.example.com/mcp?team=1"},
		{"https://mcp.example.com?team=1", "https://mcp.example.com", "/any", "https://mcp.example.com?team=1"},
	} {
		values := providers.Values{"base_url": secret.New(test.base)}
		patterns, err := d.Patterns(values)
		if err != nil || len(patterns) != 1 || patterns[0].String() != test.pattern {
			t.Errorf("%s: %v, %v", test.base, patterns, err)
			continue
		}
		if _, ok := patterns[0].MatchPath(test.path); !ok || !patterns[0].MatchHost("mcp.example.com") {
			t.Errorf("%s does not cover %s", test.base, test.path)
		}
		if got, err := d.ResourceURL(values); err != nil || got != test.base {
			t.Errorf("%s: resource %s, %v", test.base, got, err)
		}
		if got, err := d.Issuer(values); err != nil || got != test.issuer {
			t.Errorf("%s: issuer %s, %v", test.base, got, err)
		}
	}
	for _, base := range []string{"https://mcp.example.com/mcp#part", "https://user@mcp.example.com/mcp?team=1", "http://mcp.example.com/mcp?team=1", "https://127.0.0.1/mcp?team=1", "https://*.example.com/?team=1", "?https://mcp.example.com"} {
		if patterns, err := d.Patterns(providers.Values{"base_url": secret.New(base)}); err == nil {
			t.Errorf("%s: %v", base, patterns)
		}
	}
	if _, err := d.ResourceURL(nil); err == nil {
		t.Error("a resource without a base URL")
	}
	gitlab, err := set.Lookup("gitlab")
	if err != nil {
		t.Fatal(err)
	}
	if patterns, err := gitlab.Patterns(providers.Values{"base_url": secret.New("https://gitlab.example.com/?x=1")}); err == nil {
		t.Errorf("an instance with a query: %v", patterns)
	}
	if got, err := gitlab.ResourceURL(nil); got != "" || err != nil {
		t.Errorf("a definition without a resource: %q, %v", got, err)
	}
}
