package providers

import (
	"testing"

	"github.com/authsome/authsome/secret"
)

// The values of a connection can be read back from each variable of its clients.
func TestVariablesAreReadBack(t *testing.T) {
	set, err := Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	companions := 0
	for _, d := range set.All() {
		values := sampleValues(t, d)
		for _, v := range d.Variables() {
			if names(v.Value) == nil {
				continue
			}
			text, err := d.Expand("env", v.Value, values)
			if err != nil {
				t.Fatalf("%s: %v", d.Name, err)
			}
			got, err := d.ReadVariable(v, text+" ")
			if err != nil || len(got) == 0 {
				t.Errorf("%s: %s: read %v, %v", d.Name, v.Name, got, err)
			}
			for name, value := range got {
				if !value.Equal(values[name]) {
					t.Errorf("%s: %s: read %s=%s, want %s", d.Name, v.Name, name, value.Reveal(), values[name].Reveal())
				}
				if !v.Secret {
					companions++
				}
			}
		}
	}
	if companions < 40 {
		t.Errorf("%d values of variables that are not secret", companions)
	}
}

const readBack = `{"schema_version":2,"name":"acme","display_name":"Acme","flows":["api_key"],
 "params":[{"name":"api_key","secret":true},{"name":"site"},{"name":"zone","pattern":"[a-z]+(\\.[a-z]+)?"},{"name":"host","from":"base_url","match":"^https://([^/]+)"}],
 "hosts":["{site}.acme.com","{zone}.zones.acme.com","{site}.acme.eu:8443","api.acme.com"],
 "env":[{"name":"ACME_URL","value":"https://{site}.acme.com/api"},{"name":"ACME_ZONE_URL","value":"https://{zone}.zones.acme.com"},{"name":"ACME_DOMAIN","value":"{site}.acme.com"},
  {"name":"ACME_DSN","value":"https://{api_key}@{site}.acme.com/1"},{"name":"ACME_PATH_URL","value":"https://api.acme.com/{site}/v1"},{"name":"ACME_HOST","value":"{host}"},{"name":"ACME_BASE_URL","value":"{base_url}"},{"name":"ACME_SITE","value":"{site}"}]}`

func TestReadVariable(t *testing.T) {
	d, err := decodeChecked([]byte(readBack), newFile)
	if err != nil {
		t.Fatal(err)
	}
	variables := make(map[string]Variable)
	for _, v := range d.Variables() {
		variables[v.Name] = v
	}
	for _, tt := range []struct{ variable, text, name, want string }{
		{"ACME_URL", "https://one.acme.com/api", "site", "one"},
		{"ACME_URL", "https://One.ACME.com/other/path/?q", "site", "One"},
		{"ACME_URL", "one.acme.com", "site", "one"},
		{"ACME_URL", "https://one.acme.eu:8443/", "site", "one"},
		{"ACME_URL", "https://a.b.acme.com", "", ""},
		{"ACME_URL", "https://one.acme.com.evil.example/", "", ""},
		{"ACME_URL", "https://evil.example/.acme.com/api", "", ""},
		{"ACME_URL", "http://one.acme.com/api", "", ""},
		{"ACME_URL", "https://.acme.com/api", "", ""},
		{"ACME_ZONE_URL", "https://a.b.zones.acme.com/", "zone", "a.b"},
		{"ACME_ZONE_URL", "https://9.zones.acme.com", "", ""},
		{"ACME_DOMAIN", "one.acme.com", "site", "one"},
		{"ACME_DOMAIN", "https://one.acme.com/", "site", "one"},
		{"ACME_DOMAIN", "acme.com", "", ""},
		{"ACME_DSN", "https://k3y@one.acme.com/1", "api_key", "k3y"},
		{"ACME_DSN", "https://k3y@one.acme.com/1", "site", "one"},
		{"ACME_PATH_URL", "https://api.acme.com/one/v1/", "site", "one"},
		{"ACME_PATH_URL", "https://api.acme.com/", "", ""},
		{"ACME_HOST", "own.example.com", "base_url", "https://own.example.com"},
		{"ACME_HOST", "https://own.example.com", "base_url", "https://own.example.com"},
		{"ACME_BASE_URL", "own.example.com", "base_url", "https://own.example.com"},
		{"ACME_BASE_URL", " http://own.example.com\t", "base_url", "http://own.example.com"},
		{"ACME_SITE", "anything", "site", "anything"},
	} {
		got, err := d.ReadVariable(variables[tt.variable], tt.text)
		if (err != nil) != (tt.name == "") || got[tt.name].Reveal() != tt.want {
			t.Errorf("%s=%s: %s=%q, %v; want %q", tt.variable, tt.text, tt.name, got[tt.name].Reveal(), err, tt.want)
		}
	}
	if got := d.VariablesOf("site"); len(got) != 5 {
		t.Errorf("variables of site: %v", got)
	}
	if got := d.VariablesOf("base_url"); len(got) != 2 {
		t.Errorf("variables of base_url: %v", got)
	}
}

// A value that is read from an address cannot lead to another host than those of the
// definition.
func FuzzReadAddress(f *testing.F) {
	d, err := decodeChecked([]byte(readBack), newFile)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"https://one.acme.com/", "a.zones.acme.com", "https://x@one.acme.eu:8443", "https://ſite.acme.com", "https://one.acme.com%2eevil"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		for name, value := range d.ReadAddress(address) {
			for _, h := range d.hosts {
				if len(h.names) != 1 || h.names[0] != name {
					continue
				}
				p, err := d.fillHost(h, Values{name: secret.New(value.Reveal())})
				if err == nil && !h.pattern.MatchHost(p.host) {
					t.Errorf("%q: %s leads to %s", address, value.Reveal(), p.host)
				}
			}
		}
	})
}
