package providers

import (
	"slices"
	"strings"
	"testing"
)

// custom parses a definition that a user registered.
func custom(t *testing.T, members string) *Definition {
	t.Helper()
	d, err := Parse([]byte(`{"schema_version":2,"name":"acme","flows":["api_key"],` + members + `}`))
	if err != nil {
		t.Fatal(err)
	}
	d.Source = Custom
	return d
}

// inForce makes a set whose only definition is d.
func inForce(d *Definition) *Set {
	return &Set{byName: map[string]func() (*Definition, error){d.Name: func() (*Definition, error) { return d, nil }}}
}

const oauthOfAcme = `"oauth":{"authorization_url":"https://acme.com/authorize","token_url":"https://acme.com/token"}`

// A definition that replaces the one of a connection takes effect only as far as it
// sends the credential nowhere else.
func TestPinned(t *testing.T) {
	for _, tt := range []struct {
		name           string
		before, after  string
		hosts          string // that the connection uses then
		paths, exclude string
		added          string // hosts that wait for a person
		waits          bool
	}{
		{"nothing changed", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com"]`, "api.acme.com", "", "", "", false},
		{"another name for people", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com"],"display_name":"Acme 2"`, "api.acme.com", "", "", "", false},
		{"one host more", `"hosts":["api.acme.com"]`, `"hosts":["evil.com","api.acme.com"]`, "api.acme.com", "", "", "evil.com", true},
		{"another host", `"hosts":["api.acme.com"]`, `"hosts":["evil.com"]`, "", "", "", "evil.com", true},
		{"a host less", `"hosts":["api.acme.com","b.acme.com"]`, `"hosts":["b.acme.com"]`, "b.acme.com", "", "", "", false},
		{"a wildcard for a host", `"hosts":["api.acme.com"]`, `"hosts":["*.acme.com"]`, "api.acme.com", "", "", "*.acme.com", true},
		{"a host for a wildcard", `"hosts":["*.acme.com"]`, `"hosts":["api.acme.com"]`, "api.acme.com", "", "", "", false},
		{"a host for a wildcard, and another", `"hosts":["*.acme.com"]`, `"hosts":["api.acme.com","evil.com"]`, "api.acme.com", "", "", "evil.com", true},
		{"a narrower wildcard", `"hosts":["*.acme.com"]`, `"hosts":["*.api.acme.com"]`, "*.api.acme.com", "", "", "", false},
		{"a wider wildcard", `"hosts":["*.api.acme.com"]`, `"hosts":["*.acme.com"]`, "*.api.acme.com", "", "", "*.acme.com", true},
		{"another port", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com:8443"]`, "", "", "", "api.acme.com:8443", true},
		{"paths for all paths", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com"],"paths":["/v1"]`, "api.acme.com", "/v1", "", "", false},
		{"all paths for paths", `"hosts":["api.acme.com"],"paths":["/v1"]`, `"hosts":["api.acme.com"]`, "api.acme.com", "/v1", "", "", true},
		{"other paths", `"hosts":["api.acme.com"],"paths":["/v1"]`, `"hosts":["api.acme.com"],"paths":["/v2"]`, "", "", "", "", true},
		{"a path more", `"hosts":["api.acme.com"],"paths":["/v1"]`, `"hosts":["api.acme.com"],"paths":["/v1/a","/v2"]`, "api.acme.com", "/v1/a", "", "", true},
		{"an exclusion", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com"],"exclude_paths":["/admin"]`, "api.acme.com", "", "/admin", "", false},
		{"an exclusion less", `"hosts":["api.acme.com"],"exclude_paths":["/admin"]`, `"hosts":["api.acme.com"]`, "api.acme.com", "", "/admin", "", true},
		{"an exclusion with a host more", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com","evil.com"],"exclude_paths":["/admin"]`, "api.acme.com", "", "/admin", "evil.com", true},
		{"an OAuth path", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com"],"oauth_paths":["/mint"]`, "api.acme.com", "", "", "", false},
		{"an OAuth path less", `"hosts":["api.acme.com"],"oauth_paths":["/mint"]`, `"hosts":["api.acme.com"]`, "api.acme.com", "", "", "", true},
		{"a wider exclusion", `"hosts":["api.acme.com"],"exclude_paths":["/admin/x"]`, `"hosts":["api.acme.com"],"exclude_paths":["/Admin"]`, "api.acme.com", "", "/Admin", "", false},
		{"methods for all methods", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com"],"methods":["GET"]`, "api.acme.com", "", "", "", false},
		{"a method more", `"hosts":["api.acme.com"],"methods":["GET"]`, `"hosts":["api.acme.com"],"methods":["GET","PUT"]`, "api.acme.com", "", "", "", true},
		{"another place on the request", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com"],"inject":[{"in":"query","name":"text","value":"{api_key}"}]`, "api.acme.com", "", "", "", true},
		{"a param that is not secret any more", `"hosts":["api.acme.com"],"params":[{"name":"api_key","secret":true},{"name":"two","secret":true}],"inject":[{"in":"basic","username":"{api_key}","password":"{two}"}]`,
			`"hosts":["api.acme.com"],"params":[{"name":"api_key","secret":true},{"name":"two"}],"inject":[{"in":"basic","username":"{api_key}","password":"{two}"}]`, "api.acme.com", "", "", "", true},
		{"another default of a host's name", `"hosts":["{region}.acme.com"],"params":[{"name":"api_key","secret":true},{"name":"region","default":"us"}]`,
			`"hosts":["{region}.acme.com"],"params":[{"name":"api_key","secret":true},{"name":"region","default":"evil"}]`, "{region}.acme.com", "", "", "", true},
		{"another token endpoint", `"hosts":["api.acme.com"],` + oauthOfAcme, `"hosts":["api.acme.com"],` + strings.ReplaceAll(oauthOfAcme, "https://acme.com/token", "https://evil.com/token"), "api.acme.com", "", "", "evil.com", true},
		{"no endpoints any more", `"hosts":["api.acme.com"],` + oauthOfAcme, `"hosts":["api.acme.com"]`, "api.acme.com", "", "", "", true},
		{"steps to create a client", `"hosts":["api.acme.com"],` + oauthOfAcme, `"hosts":["api.acme.com"],"token_provider":"acme-token",` + strings.Replace(oauthOfAcme, `"oauth":{`, `"oauth":{"app_steps":[{"text":"Create it"}],`, 1), "api.acme.com", "", "", "", false},
		{"a variable", `"hosts":["api.acme.com"]`, `"hosts":["api.acme.com"],"env":[{"name":"ACME_API_KEY","value":"{api_key}"}]`, "api.acme.com", "", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, after := custom(t, tt.before), custom(t, tt.after)
			d, w, err := inForce(after).Pinned("acme", before.Pin())
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(d.Hosts, " "); got != tt.hosts {
				t.Errorf("hosts %q, want %q", got, tt.hosts)
			}
			if len(d.Hosts) != len(d.hosts) {
				t.Errorf("%d hosts, but %d compiled ones", len(d.Hosts), len(d.hosts))
			}
			if got := strings.Join(d.Paths, " "); tt.hosts != "" && got != tt.paths {
				t.Errorf("paths %q, want %q", got, tt.paths)
			}
			if got := strings.Join(d.Exclude, " "); tt.hosts != "" && got != tt.exclude {
				t.Errorf("exclusions %q, want %q", got, tt.exclude)
			}
			if strings.Contains(tt.before+tt.after, "/mint") && !d.OAuthEndpoints(nil).Match("/mint/x") {
				t.Error("the OAuth path gets a credential")
			}
			for _, prefix := range d.Exclude {
				if !d.Excludes(prefix + "/x") {
					t.Errorf("%s is not excluded", prefix)
				}
			}
			if got := strings.Join(w.Hosts, " "); got != tt.added || w.Empty() == tt.waits {
				t.Errorf("waiting: %q and %v, want %q, %v", got, w.Changes, tt.added, tt.waits)
			}
			if tt.waits && !slices.Equal(d.Inject, before.Inject) {
				t.Errorf("inject %v, want that of the pin", d.Inject)
			}
		})
	}
}

// The endpoints of both definitions are excluded while a change waits.
func TestPinnedExcludesEndpointsOfBoth(t *testing.T) {
	before := custom(t, `"hosts":["acme.com"],`+oauthOfAcme)
	after := custom(t, `"hosts":["acme.com"],"oauth":{"authorization_url":"https://acme.com/authorize","token_url":"https://acme.com/v2/token"}`)
	d, _, err := inForce(after).Pinned("acme", before.Pin())
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/token", "/v2/token"} {
		if !d.OAuthEndpoints(nil).Match(path) {
			t.Errorf("%s gets a credential", path)
		}
	}
}

// A later version of a bundled definition applies, because it is part of the program.
// A custom one of the same name does not, and the other way round.
func TestPinnedSource(t *testing.T) {
	set, err := Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bundled, err := set.Lookup("openai")
	if err != nil {
		t.Fatal(err)
	}
	own, err := Parse([]byte(`{"schema_version":2,"name":"openai","flows":["api_key"],"hosts":["evil.com"]}`))
	if err != nil {
		t.Fatal(err)
	}
	own.Source = Custom
	if d, w, err := set.Pinned("openai", Pin{Source: Bundled}); d != bundled || !w.Empty() || err != nil {
		t.Errorf("bundled, still bundled: %v, %v, %v", d.Hosts, w, err)
	}
	replaced := inForce(own)
	if d, w, err := replaced.Pinned("openai", bundled.Pin()); len(d.Hosts) != 0 || !slices.Equal(w.Hosts, []string{"evil.com"}) || err != nil {
		t.Errorf("bundled, now custom: %v, %v, %v", d.Hosts, w, err)
	}
	if d, w, err := set.Pinned("openai", own.Pin()); len(d.Hosts) != 0 || !slices.Equal(w.Hosts, bundled.Hosts) || err != nil {
		t.Errorf("custom, now bundled: %v, %v, %v", d.Hosts, w, err)
	}
	if d, _, err := replaced.Pinned("openai", Pin{}); d != own || err != nil {
		t.Errorf("without a pin: %v, %v", d.Hosts, err)
	}
	// A pin whose definition cannot be read any more covers nothing.
	own2 := *own
	own2.Name = "gone"
	if d, w, err := inForce(&own2).Pinned("gone", Pin{Source: Bundled}); len(d.Hosts) != 0 || w.Empty() || err != nil {
		t.Errorf("a bundled definition that is gone: %v, %v, %v", d.Hosts, w, err)
	}
}
