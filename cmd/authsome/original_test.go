package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
)

// originalMembers are the members that the Python authsome 0.2.3 printed for a provider
// that takes a key, by the answer in testdata/json that has them. With = a member has
// that value.
var originalMembers = map[string]string{
	"whoami": "home_directory active_profile authsome_version encryption_mode=local_key connected_providers_count connected_providers",
	"doctor": "home_exists version_file config_file providers_dir profiles_dir encryption store providers_count profiles_count issues",
	"get": "schema_version provider profile connection_name auth_type status base_url host_url scopes access_token refresh_token token_type" +
		" expires_at obtained_at api_key=***REDACTED*** account metadata",
	"inspect": "schema_version name display_name auth_type=api_key flow=api_key oauth api_key.header_name=Authorization api_key.header_prefix=Bearer" +
		" api_key.key_pattern api_key.key_pattern_hint export.env.api_key=ACME_KEY host_url=api.acme.com docs metadata connections.0.connection_name" +
		" connections.0.auth_type connections.0.status connections.0.scopes connections.0.base_url connections.0.host_url connections.0.expires_at",
	"list": "bundled custom.0.name custom.0.display_name custom.0.auth_type custom.0.source custom.0.connections.0.connection_name" +
		" custom.0.connections.0.auth_type custom.0.connections.0.status=connected",
	"login":    "status=success provider connection record_status=connected",
	"logout":   "status=logged_out provider connection",
	"revoke":   "status=revoked provider",
	"remove":   "status=removed provider",
	"register": "status=registered provider",
	"init":     "status=initialized home",
	"log":      "0.event",

	"error-ProviderNotFound": "error message",
}

// find returns the member of v at a path such as a.0.b.
func find(v any, path string) (any, bool) {
	for name := range strings.SplitSeq(path, ".") {
		switch of := v.(type) {
		case map[string]any:
			member, ok := of[name]
			if !ok {
				return nil, false
			}
			v = member
		case []any:
			if name != "0" || len(of) == 0 {
				return nil, false
			}
			v = of[0]
		default:
			return nil, false
		}
	}
	return v, true
}

// Scripts for the Python authsome find what it printed.
func TestMembersOfThePythonAuthsome(t *testing.T) {
	for name, members := range originalMembers {
		text, err := os.ReadFile(filepath.Join("testdata", "json", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var answer any
		if err := json.Unmarshal(text, &answer); err != nil {
			t.Fatal(err)
		}
		for _, member := range strings.Fields(members) {
			path, want, exact := strings.Cut(member, "=")
			got, ok := find(answer, path)
			if !ok || exact && got != want {
				t.Errorf("%s: %s is %v, %v; want %q", name, path, got, ok, want)
			}
		}
	}
}

// What the Python authsome stored about a connection may contain secrets.
func TestMetadataIsRedacted(t *testing.T) {
	c := auth.Connection{Metadata: []byte(`{"client_secret":"s3cret","n":{"token":"s3cret"}}`)}
	if got := fmt.Sprint(metadataOf(c, false)); got != "map[client_secret:***REDACTED*** n:***REDACTED***]" {
		t.Error(got)
	}
	if got := fmt.Sprint(metadataOf(c, true)); !strings.Contains(got, "client_secret:s3cret") {
		t.Error(got)
	}
	if got := metadataOf(auth.Connection{}, false); got == nil || len(got) > 0 {
		t.Error(got)
	}
}

// The bundled definitions that the Python authsome had too are shown in its form.
func TestInspectInTheOldForm(t *testing.T) {
	b := newBench(t)
	var github struct {
		Flow  string
		OAuth *struct {
			AuthorizationURL   string   `json:"authorization_url"`
			TokenURL           string   `json:"token_url"`
			Scopes             []string `json:"scopes"`
			PKCE               bool     `json:"pkce"`
			SupportsDeviceFlow bool     `json:"supports_device_flow"`
			SupportsDCR        bool     `json:"supports_dcr"`
		} `json:"oauth"`
		APIKey *struct{} `json:"api_key"`
		Export struct{ Env map[string]string }
	}
	out, err := b.command("inspect", "github", "--json").Output()
	if err != nil || json.Unmarshal(out, &github) != nil || github.OAuth == nil {
		t.Fatalf("%v: %s", err, out)
	}
	o := github.OAuth
	if github.APIKey != nil || !strings.HasSuffix(o.TokenURL, "/login/oauth/access_token") || !strings.HasSuffix(o.AuthorizationURL, "/login/oauth/authorize") ||
		!o.SupportsDeviceFlow || o.SupportsDCR || !slices.Contains(o.Scopes, "repo") || github.Export.Env["access_token"] == "" {
		t.Errorf("%s", out)
	}
}

// What inspect prints of each bundled definition is that definition for register.
func TestInspectIsReadAsTheDefinition(t *testing.T) {
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range set.All() {
		rest, err := json.Marshal(viewInspection(d, set.Aliases(d.Name), []connectionView{}))
		if err != nil {
			t.Fatal(err)
		}
		text, err := d.Inspection(rest)
		if err != nil {
			t.Fatal(err)
		}
		read, err := providers.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", d.Name, err)
			continue
		}
		got, err := read.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		want, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is read as\n%s", d.Name, got)
		}
	}
}
