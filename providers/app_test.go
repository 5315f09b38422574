package providers

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// ownClient are the most used providers for which each user registers a client.
var ownClient = []string{"atlassian", "discord", "github", "google", "hubspot", "linear", "microsoft", "notion", "slack", "spotify"}

// The steps of each of them name the redirect URL, which is the one that the login
// sends, and say where they were found.
func TestBundledAppSteps(t *testing.T) {
	for _, d := range bundledSet(t).All() {
		if d.OAuth == nil || len(d.OAuth.AppSteps) == 0 {
			if slices.Contains(ownClient, d.Name) {
				t.Errorf("%s has no app_steps", d.Name)
			}
			continue
		}
		if d.KeyURL == "" || d.Metadata.AppSource == "" || d.Metadata.AppChecked == "" {
			t.Errorf("%s: app_steps need key_url, metadata.app_source and metadata.app_checked", d.Name)
		}
		for source := range strings.SplitSeq(d.Metadata.AppSource, "; ") {
			if u, err := url.Parse(source); (err != nil || u.Scheme != "https" || u.Host == "") && source != "public client code" {
				t.Errorf("%s: app_source has %q, which is neither the URL of a page nor public client code", d.Name, source)
			}
		}
		const redirectURL = "http://127.0.0.1:7999/callback"
		for _, flow := range d.Flows {
			steps := d.OAuth.Steps(flow, redirectURL, []string{"a", "b"})
			text := strings.Join(steps, "\n")
			if text == "" || strings.Contains(text, "{") || strings.HasSuffix(text, ".") || strings.Contains(text, ".\n") {
				t.Errorf("%s, %s: the steps are %q", d.Name, flow, text)
			}
			if got := strings.Count(text, redirectURL); flow == FlowPKCE && got != 1 {
				t.Errorf("%s: the steps have the redirect URL %d times", d.Name, got)
			}
			if left := d.OAuth.Steps(flow, "", nil); flow == FlowDeviceCode && len(left) != len(steps) {
				t.Errorf("%s, %s: without a redirect URL the steps are only %q", d.Name, flow, left)
			}
		}
	}
}

// A token_provider is a provider of the same service for which the user enters a token.
func TestBundledTokenProviders(t *testing.T) {
	set := bundledSet(t)
	for _, d := range set.All() {
		if d.TokenProvider == "" {
			continue
		}
		other, err := set.Lookup(d.TokenProvider)
		if err != nil || other.Flows[0] != FlowAPIKey || !d.overlaps(other) && !(d.namesBaseURL() && other.namesBaseURL()) {
			t.Errorf("%s: token_provider %s: %v", d.Name, d.TokenProvider, err)
		}
	}
}

func TestSteps(t *testing.T) {
	o := &OAuth{AppSteps: []AppStep{{Text: "Add {redirect_url}"}, {Text: "Sign in", Flow: FlowPKCE}, {Text: "Enable codes", Flow: FlowDeviceCode}, {Text: "Add {scopes}"}}}
	for _, tt := range []struct {
		flow, redirectURL string
		want              []string
	}{
		{FlowPKCE, "http://localhost/cb", []string{"Add http://localhost/cb", "Sign in", "Add read, write"}},
		{FlowDeviceCode, "http://localhost/cb", []string{"Add http://localhost/cb", "Enable codes", "Add read, write"}},
		{FlowDeviceCode, "", []string{"Enable codes", "Add read, write"}},
	} {
		if got := o.Steps(tt.flow, tt.redirectURL, []string{"read", "write"}); !slices.Equal(got, tt.want) {
			t.Errorf("%s, %q: %q", tt.flow, tt.redirectURL, got)
		}
	}
}

func TestRegisteredRedirect(t *testing.T) {
	for _, tt := range []struct {
		definition string
		want       Redirect
		anyPort    bool
	}{
		{`{"schema_version":1,"name":"a","auth_type":"oauth2","flow":"pkce","host_url":"api.sample.com","oauth":{"authorization_url":"https://sample.com/a","token_url":"https://sample.com/t"}}`,
			Redirect{Host: "127.0.0.1", Port: 7999, Path: "/callback"}, false},
		{redirectSample(``), Redirect{Host: "127.0.0.1", Port: 7999, Path: "/callback"}, false},
		{redirectSample(`,"redirect":{"port":8080}`), Redirect{Host: "127.0.0.1", Port: 8080, Path: "/callback"}, false},
		{redirectSample(`,"redirect":{"path":"/cb"}`), Redirect{Host: "127.0.0.1", Port: 7999, Path: "/cb"}, true},
		{redirectSample(`,"redirect":{"host":"localhost","path":"/"}`), Redirect{Host: "localhost", Port: 7999, Path: "/"}, true},
		{redirectSample(`,"redirect":{"url":"https://sample.com/done"}`), Redirect{URL: "https://sample.com/done"}, false},
	} {
		d, err := Parse([]byte(tt.definition))
		if err != nil {
			t.Fatal(err)
		}
		if got, anyPort := d.OAuth.RegisteredRedirect(); got != tt.want || anyPort != tt.anyPort {
			t.Errorf("%s: %+v, %v", tt.definition, got, anyPort)
		}
	}
}

func redirectSample(more string) string {
	return `{"schema_version":2,"name":"a","flows":["pkce"],"hosts":["api.sample.com"],"oauth":{"authorization_url":"https://sample.com/a","token_url":"https://sample.com/t"` + more + `}}`
}
