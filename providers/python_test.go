package providers

import (
	"slices"
	"strings"
	"testing"
)

// pythonDefinitions are files that the Python authsome reads, with oddities that decide
// nothing about a secret. Each has its hosts, and the notes about what is left out.
var pythonDefinitions = []struct{ name, text, hosts, notes string }{
	{"no version", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com"`, "api.a.com", ""},
	{"version null", `"schema_version":null,"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com"`, "api.a.com", ""},
	{"version in quotes", `"schema_version":"1","name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com"`, "api.a.com", ""},
	{"version 1.0, at the end", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","schema_version":1.0`, "api.a.com", ""},
	{"capitals", `"name":"My_CRM.2","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com"`, "api.a.com", ""},
	{"blanks", `"name":"a","display_name":" A ","auth_type":"api_key","flow":"api_key","host_url":"  api.a.com\n","api_key":{"header_name":" X-Key "}`, "api.a.com", ""},
	{"no host", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key"`, "", ""},
	{"host null", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":null`, "", ""},
	{"host empty", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":" "`, "", ""},
	{"path", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com/v1"`, "https://api.a.com/v1", ""},
	{"path, query and fragment", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"https://api.a.com//v1/./x/?q=1#f"`, "https://api.a.com/v1/x/", ""},
	{"wildcard in an address", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"https://*.a.com/?q"`, "https://*.a.com/", ""},
	{"both spellings", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","api_url":"b.com"`, "api.a.com", "api_url"},
	{"base URL in the host", `"name":"a","display_name":"A","auth_type":"oauth2","flow":"pkce","host_url":"{base_url}/api/v3","oauth":{"base_url":"https://github.com","authorization_url":"{base_url}/a","token_url":"{base_url}/t"}`, "{base_url}", ""},
	{"base URL after https", `"name":"a","display_name":"A","auth_type":"oauth2","flow":"pkce","host_url":"https://{base_url}/api","oauth":{"base_url":"own.a.com ","authorization_url":"https://{base_url}/a","token_url":"https://{base_url}/t"}`, "{base_url}", ""},
	{"odd values for people", `"name":"a","display_name":7,"category":["x"],"docs":{"a":1},"metadata":{"verified":true,"source":{"a":1},"unverified":"no"},"auth_type":"api_key","flow":"api_key","host_url":"api.a.com"`, "api.a.com", ""},
	{"odd metadata", `"name":"a","display_name":"A","category":"no such","metadata":[1],"registration":"x","client":7,"auth_type":"oauth2","flow":"pkce","host_url":"api.a.com","oauth":{"token_url":"https://a.com/t"}`, "api.a.com", ""},
	{"look-ahead", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","api_key":{"key_pattern":"(?=.*\\d)sk-.{5,}"}`, "api.a.com", "api_key.key_pattern"},
	{"not a pattern", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","api_key":{"key_pattern":"("}`, "api.a.com", "api_key.key_pattern"},
	{"pattern 7", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","api_key":{"key_pattern":7}`, "api.a.com", ""},
	{"links", `"name":"a","display_name":"A","docs":"http://a.com/docs","auth_type":"api_key","flow":"api_key","host_url":"api.a.com"`, "api.a.com", "docs"},
	{"script as a link", `"name":"a","display_name":"A","docs":"javascript:alert(1)","auth_type":"api_key","flow":"api_key","host_url":"api.a.com"`, "api.a.com", "docs"},
	{"metadata in words", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","metadata":{"unverified":"maybe"}`, "api.a.com", "metadata.unverified"},
	{"metadata in lists", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","metadata":{"unverified":[true],"source":["x"],"verified":{}}`, "api.a.com", "metadata.unverified"},
	{"metadata in numbers", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","metadata":{"unverified":2.5,"verified":7}`, "api.a.com", "metadata.unverified"},
	{"metadata with a null", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","metadata":{"unverified":null}`, "api.a.com", ""},
	{"metadata of other names", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","metadata":{"owner":{"team":["x"]},"unverified":"Yes"}`, "api.a.com", ""},
	{"words for truth", `"name":"a","display_name":"A","auth_type":"oauth2","flow":"pkce","host_url":"api.a.com","oauth":{"authorization_url":" https://a.com/a ","token_url":"https://a.com/t","pkce":"Yes","supports_device_flow":"off","supports_dcr":0}`, "api.a.com", ""},
	{"nulls", `"name":"a","display_name":"A","oauth":{"base_url":null,"authorization_url":"https://a.com/a","token_url":"https://a.com/t","revocation_url":null,"device_authorization_url":null,"registration_endpoint":null,"scopes":null},"auth_type":"oauth2","flow":"pkce","host_url":"api.a.com","api_key":null,"export":null,"metadata":null`, "api.a.com", ""},
	{"variables", `"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":"api.a.com","export":{"env":{"api_key":"PATH"}}`, "api.a.com", "export"},
	{"client", `"name":"a","display_name":"A","client":{"client_id_env":"A_CLIENT_ID","client_secret_env":"LD_PRELOAD"},"auth_type":"oauth2","flow":"pkce","host_url":"api.a.com","oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t"}`, "api.a.com", "client.client_secret_env"},
}

func TestDefinitionsOfPythonAuthsomeAreRead(t *testing.T) {
	for _, tt := range pythonDefinitions {
		t.Run(tt.name, func(t *testing.T) {
			d := parse(t, "{"+tt.text+"}")
			if got := strings.Join(d.Hosts, " "); got != tt.hosts || d.SchemaVersion != 1 || d.Category != "" {
				t.Errorf("hosts %q, version %d, category %q", got, d.SchemaVersion, d.Category)
			}
			var notes []string
			for _, n := range slices.Concat(d.dropped, d.notes) {
				notes = append(notes, n.Field)
				if !slices.Contains(d.Warnings(), n) || !strings.HasPrefix(n.Reason, "not used: ") {
					t.Errorf("not shown: %v", n)
				}
			}
			if strings.Join(notes, " ") != tt.notes {
				t.Errorf("notes %q", notes)
			}
			if d.Param("api_key") != nil && tt.notes == "api_key.key_pattern" && d.CheckValue("api_key", "anything") != nil {
				t.Error("the pattern is used")
			}
			text, err := d.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if again := parse(t, string(text)); len(Changes(d, again)) > 0 {
				t.Error(Changes(d, again))
			}
		})
	}
}

func TestOAuthOfPythonAuthsome(t *testing.T) {
	const text = `{"name":"a","display_name":"A","auth_type":"oauth2","host_url":"api.a.com",`
	for _, tt := range []struct {
		name, rest string
		check      func(d *Definition) bool
	}{
		{"registration endpoint in oauth", `"flow":"dcr_pkce","oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t","supports_dcr":true,"registration_endpoint":"https://a.com/r"}}`,
			func(d *Definition) bool {
				return d.OAuth.RegistrationURL == "https://a.com/r" && !d.DiscoversRegistration()
			}},
		{"registration elsewhere", `"flow":"dcr_pkce","registration":{"registration_endpoint":"https://a.com/r2"},"oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t","registration_endpoint":"https://a.com/r"}}`,
			func(d *Definition) bool { return d.OAuth.RegistrationURL == "https://a.com/r2" }},
		{"registration endpoint is discovered", `"flow":"dcr_pkce","oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t"}}`, (*Definition).DiscoversRegistration},
		{"registration as another flow", `"flow":"pkce","oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t","supports_dcr":true}}`,
			func(d *Definition) bool {
				return d.HasFlow(FlowDCRPKCE) && d.Flows[0] == FlowPKCE && d.DiscoversRegistration()
			}},
		{"device code as JSON", `"flow":"device_code","oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t","device_authorization_url":"https://a.com/d","device_token_request":"json"}}`,
			func(d *Definition) bool {
				return d.OAuth.DeviceTokenBody == "json" && d.OAuth.DeviceClient == "none" && d.OAuth.TokenBody == ""
			}},
		{"device code as a form", `"flow":"device_code","oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t","device_authorization_url":"https://a.com/d","device_token_request":"oauth2_form"}}`,
			func(d *Definition) bool { return d.OAuth.DeviceTokenBody == "" && d.OAuth.DeviceClient == "optional" }},
		{"variables of the client", `"flow":"pkce","client":{"client_id":" c ","client_id_env":"A_CLIENT_ID","client_secret_env":"A_CLIENT_SECRET"},"oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t"}}`,
			func(d *Definition) bool {
				return d.OAuth.ClientID == "c" && d.OAuth.ClientIDEnv == "A_CLIENT_ID" && d.OAuth.ClientSecretEnv == "A_CLIENT_SECRET"
			}},
		{"base URL without https", `"flow":"pkce","oauth":{"base_url":"a.com","authorization_url":"{base_url}/a","token_url":"{base_url}/t"}}`,
			func(d *Definition) bool {
				text, err := d.Expand("oauth.token_url", d.OAuth.TokenURL, nil)
				return err == nil && text == "https://a.com/t"
			}},
		{"empty prefix", `"flow":"pkce","oauth":{"authorization_url":"https://a.com/a","token_url":"https://a.com/t","pkce":false}}`, func(d *Definition) bool { return d.OAuth.PKCE == "off" }},
	} {
		if d := parse(t, text+tt.rest); !tt.check(d) {
			t.Errorf("%s: %+v, flows %v", tt.name, d.OAuth, d.Flows)
		}
	}
}

// What is not harmless is refused in a new file, and costs an installed one only the part.
func TestHostsOfInstalledSchema1(t *testing.T) {
	const text = `{"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":`
	for _, host := range []string{`"localhost"`, `"http://api.a.com"`, `"regex:.*googleapis.*"`, `"*"`, `"api.{base_url}"`, `"169.254.169.254"`, `"regex:(?=a).*\\.a\\.com"`, `"https://u:p@a.com"`, `"a b"`} {
		if _, err := Parse([]byte(text + host + "}")); err == nil {
			t.Errorf("%s can be registered", host)
		}
		d, err := ParseInstalled([]byte(text + host + "}"))
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		if len(d.Hosts) > 0 || len(patternsOf(t, d)) > 0 || len(d.Dropped()) != 1 || d.Claims("x.googleapis.com", 443) {
			t.Errorf("%s: hosts %v, dropped %v", host, d.Hosts, d.Dropped())
		}
	}
}
