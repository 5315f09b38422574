package providers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wideHosts are hosts that a new definition cannot have, and a part of the reason.
var wideHosts = map[string]string{
	"*.amazonaws.com": "anyone can register names under amazonaws.com", "*.execute-api.us-east-1.amazonaws.com": "anyone can register",
	"*.us-east-1.amazonaws.com": "anyone can register", "*.run.app": "anyone can register", "*.a.run.app": "anyone can register", "*.github.io": "anyone can register",
	"*.on.aws": "anyone can register", "*.azure.com": "metadata service", "*.core.windows.net": "anyone can register", "*.herokuapp.com": "anyone can register",
	"*.workers.dev": "anyone can register", "*.pipedream.net": "anyone can register", "*.m.pipedream.net": "anyone can register", "*.nip.io": "anyone can register",
	"*.co.uk": "anyone can register", "*.cloudapp.azure.com": "anyone can register", "*.salesforce.com": "anyone can register",
	"metadata.google.internal": "metadata service", "METADATA.google.internal.": "metadata service", "169.254.169.254": "metadata service", "*.google.internal": "metadata service",
	"instance-data.ec2.internal": "metadata service", "instance-data.eu-west-1.compute.internal": "metadata service", "*.ec2.internal": "metadata service",
	"*.eu-west-1.compute.internal": "metadata service", "metadata.azure.internal:8443": "metadata service", "api.metadata.cloud.ibm.com": "metadata service",
	"proxy.authsome.invalid": "the proxy itself", "x.authsome.invalid": "the proxy itself", "*.authsome.invalid": "the proxy itself",
}

func TestWildcardsOfStrangersAndReservedNamesAreRefused(t *testing.T) {
	for host, reason := range wideHosts {
		for schema, text := range map[string]string{
			"2": `{"schema_version":2,"name":"wide","flows":["api_key"],"hosts":["api.wide.com","` + host + `"]}`,
			"1": `{"schema_version":1,"name":"wide","display_name":"Wide","auth_type":"api_key","flow":"api_key","host_url":["api.wide.com","` + host + `"]}`,
		} {
			if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s in schema %s: %v, want %s", host, schema, err, reason)
			}
		}
	}
	for _, expression := range []string{`.*\\.amazonaws\\.com`, `x\\.run\\.app`, `.*\\.google\\.internal`} {
		text := `{"schema_version":1,"name":"wide","display_name":"Wide","auth_type":"api_key","flow":"api_key","host_url":"regex:` + expression + `"}`
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("the expression %s was accepted", expression)
		}
	}
}

// A signature does not reveal the key, so it may go to hosts of others; but only if no
// other secret goes along.
func TestWildcardOfStrangersIsAllowedForSignatures(t *testing.T) {
	const text = `{"schema_version":2,"name":"signed","flows":["api_key"],"hosts":["*.amazonaws.com"],
		"params":[{"name":"id"},{"name":"key","secret":true}],"inject":[{"in":"sigv4","access_key":"{id}","secret_key":"{key}"}MORE]}`
	if _, err := Parse([]byte(strings.Replace(text, "MORE", "", 1))); err != nil {
		t.Error(err)
	}
	if _, err := Parse([]byte(strings.Replace(text, "MORE", `,{"in":"header","name":"X-Id","value":"{id}"}`, 1))); err != nil {
		t.Error(err)
	}
	if _, err := Parse([]byte(strings.Replace(text, "MORE", `,{"in":"header","name":"X-Key","value":"{key}"}`, 1))); err == nil {
		t.Error("a secret in a header may go to every host of amazonaws.com")
	}
}

// Hosts that are one operator's, or that name one customer, stay possible.
func TestOtherHostsAreAllowed(t *testing.T) {
	for _, host := range []string{"*.googleapis.com", "*.twilio.com", "*.api.gong.io", "*.acme.github.io", "acme.run.app", "s3.us-east-1.amazonaws.com", "*.acme.co.uk", "nas.local", "abc.onion"} {
		if _, err := Parse([]byte(`{"schema_version":2,"name":"fine","flows":["api_key"],"hosts":["` + host + `"]}`)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	const template = `{"schema_version":2,"name":"fine","flows":["api_key"],"params":[{"name":"api_key","secret":true},{"name":"site"}],"hosts":["{site}.run.app","{site}.google.internal"]}`
	d, err := Parse([]byte(template))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Patterns(values("site", "metadata")); err == nil || !strings.Contains(err.Error(), "metadata service") {
		t.Errorf("a template that becomes a metadata name: %v", err)
	}
}

func TestEndpointsAtReservedNamesAreRefused(t *testing.T) {
	for _, endpoint := range []string{"https://metadata.google.internal/t", "https://proxy.authsome.invalid/t", "https://{site}.google.internal/t", "https://metadata.goog:8443/t"} {
		for schema, text := range map[string]string{
			"2": `{"schema_version":2,"name":"a","flows":["pkce"],"params":[{"name":"site"}],"hosts":["a.com"],"oauth":{"authorization_url":"https://a.com/a","token_url":"` + endpoint + `"}}`,
			"1": `{"schema_version":1,"name":"a","display_name":"A","auth_type":"oauth2","flow":"pkce","host_url":"a.com","oauth":{"authorization_url":"https://a.com/a","token_url":"` + endpoint + `"}}`,
		} {
			if schema == "1" && strings.Contains(endpoint, "{site}") {
				continue
			}
			if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), "oauth.token_url: ") || !strings.Contains(err.Error(), "metadata service") {
				t.Errorf("%s in schema %s: %v", endpoint, schema, err)
			}
		}
	}
	const discovered = `{"schema_version":2,"name":"a","flows":["dcr_pkce"],"hosts":["a.com"],"oauth":{"discovery":"issuer","issuer":"https://metadata.goog"}}`
	if _, err := Parse([]byte(discovered)); err == nil || !strings.Contains(err.Error(), "metadata service") {
		t.Errorf("discovery: %v", err)
	}
}

// homeDefinitions are definitions that an earlier version installed, of both schemas.
var homeDefinitions = map[string]string{
	"two": `{"schema_version":2,"name":"two","flows":["api_key"],"hosts":["*.run.app","api.two.com","metadata.goog"],"verify":{"url":"https://x.run.app/me"},
		"env":[{"name":"TWO_KEY","value":"{api_key}"},{"name":"NODE_OPTIONS","value":"--require=/tmp/x"},{"name":"TWO_URL","value":"https://elsewhere.com"}]}`,
	"one": `{"schema_version":1,"name":"one","display_name":"One","auth_type":"api_key","flow":"api_key","host_url":["regex:.*\\.amazonaws\\.com","api.one.com"],
		"export":{"env":{"api_key":["ONE_KEY","LD_PRELOAD"]}}}`,
	"none": `{"schema_version":2,"name":"none","flows":["api_key"],"hosts":["*.github.io"]}`,
}

// What a new definition cannot have is left out of an installed one, and named; the
// rest of the definition is used.
func TestRefusedPartsOfInstalledDefinitionsAreDisabled(t *testing.T) {
	dir := t.TempDir()
	for name, text := range homeDefinitions {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s can be registered", name)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{"two": {"api.two.com", "TWO_KEY"}, "one": {"api.one.com", "ONE_KEY"}} {
		d, err := s.Lookup(name)
		if err != nil {
			t.Fatal(err)
		}
		checkRest(t, d, want[0], want[1])
		again, _, err := s.Pinned(name, d.Pin())
		if err != nil {
			t.Fatal(err)
		}
		checkRest(t, again, want[0], want[1])
		old, err := pinned(name, d.Pin())
		if err != nil {
			t.Fatal(err)
		}
		checkRest(t, old, want[0], want[1])
	}
	var disabled []string
	for _, p := range s.Disabled {
		disabled = append(disabled, filepath.Base(p.Path)+": "+p.Err.Error())
	}
	for _, want := range []string{
		`two.json: hosts[0]: not used: "*.run.app": anyone can register names under run.app`, `two.json: hosts[2]: not used: "metadata.goog": metadata.goog is a metadata service`,
		"two.json: env[1]: not used: NODE_OPTIONS can change how programs run", "two.json: env[2]: not used: TWO_URL has the address of a host that is not in hosts",
		"two.json: verify.url: not used: its host is not in hosts", `one.json: host_url[0]: not used: "regex:.*\\.amazonaws\\.com": anyone can register`, "one.json: export: not used: LD_PRELOAD can change",
	} {
		if !strings.Contains(strings.Join(disabled, "\n"), want) {
			t.Errorf("not said: %s\n%s", want, strings.Join(disabled, "\n"))
		}
	}
	if len(disabled) != 7 || len(s.Problems) != 1 || !strings.Contains(s.Problems[0].Err.Error(), "github.io") {
		t.Errorf("%d disabled: %q, problems %v", len(disabled), disabled, s.Problems)
	}
}

// checkRest checks that a definition has only the host and the variable.
func checkRest(t *testing.T, d *Definition, host, variable string) {
	t.Helper()
	patterns := patternsOf(t, d)
	if len(patterns) != 1 || patterns[0].Host() != host || len(d.Hosts) != 1 || d.Hosts[0] != host {
		t.Errorf("%s: patterns %v, hosts %v, want %s", d.Name, patterns, d.Hosts, host)
	}
	if all := d.Variables(); len(all) != 1 || all[0].Name != variable {
		t.Errorf("%s: variables %v, want %s", d.Name, all, variable)
	}
	if d.Claims("x.run.app", 443) || d.Claims("s3.amazonaws.com", 443) || d.Claims("metadata.goog", 443) {
		t.Errorf("%s claims a host that is disabled", d.Name)
	}
}
