package providers

import (
	"strings"
	"testing"
)

// TestSchema1SpellingsAndUnknownMembers checks that both spellings are read and that
// Marshal keeps unknown members.
func TestSchema1SpellingsAndUnknownMembers(t *testing.T) {
	d, err := Parse([]byte(`{"schema_version":1,"name":"later","display_name":"Later","auth_type":"api_key","flow":"api_key","api_url":["a.later.com","b.later.com"],
		"logo":"x","api_key":{"header_prefix":null,"more":1},"export":{"LATER_KEY":"API_TOKEN","LATER_REFRESH":"REFRESH_TOKEN"},"docs_url":"https://later.com/"}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(patternsOf(t, d)) != 2 || d.Docs != "https://later.com/" {
		t.Errorf("read as %+v", d)
	}
	if v := d.Variables(); len(v) != 1 || v[0].Name != "LATER_KEY" {
		t.Errorf("variables %v", v)
	}
	out, err := d.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{`"logo": "x"`, `"more": 1`, `"LATER_REFRESH"`} {
		if !strings.Contains(string(out), kept) {
			t.Errorf("%s is missing in\n%s", kept, out)
		}
	}
}

// TestSchema1EqualsSchema2 compares files of schema 1, in both spellings, with files of
// schema 2 that have the same meaning.
func TestSchema1EqualsSchema2(t *testing.T) {
	for _, tt := range []struct{ name, one, two string }{
		{"key", `{"schema_version":1,"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","category":"dev","host_url":"api.a.com","docs":"https://a.com/docs",
			"api_key":{"header_name":"X-Key","header_prefix":"Token","key_pattern":"k-.+","key_pattern_hint":"k- and more","env_var":"A_KEY"},"export":{"env":{"api_key":["A_KEY","A_TOKEN"],"refresh_token":"A_REFRESH"}}}`,
			`{"schema_version":2,"name":"a","display_name":"A","category":"dev","docs":"https://a.com/docs","flows":["api_key"],"hosts":["api.a.com"],
			"params":[{"name":"api_key","label":"API key","secret":true,"pattern":"k-.+","hint":"k- and more"}],"inject":[{"in":"header","name":"X-Key","value":"Token {api_key}"}],
			"env":[{"name":"A_KEY","value":"{api_key}"},{"name":"A_TOKEN","value":"{api_key}"}]}`},
		{"key alone, later spelling", `{"schema_version":1,"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","api_url":["api.a.com","b.a.com"],"docs_url":"https://a.com/docs",
			"api_key":{"header_prefix":""},"export":{"A_KEY":"API_KEY","A_REFRESH":"REFRESH_TOKEN"}}`,
			`{"schema_version":2,"name":"a","display_name":"A","docs":"https://a.com/docs","flows":["api_key"],"hosts":["api.a.com","b.a.com"],"params":[{"name":"api_key","label":"API key","secret":true}],
			"inject":[{"in":"header","name":"Authorization","value":"{api_key}"}],"env":[{"name":"A_KEY","value":"{api_key}"}]}`},
		{"oauth", `{"schema_version":1,"name":"a","display_name":"A","auth_type":"oauth2","flow":"pkce","host_url":["https://a.com","api.a.com"],"client":{"client_id":"public"},
			"oauth":{"base_url":"https://a.com","authorization_url":"{base_url}/authorize","token_url":"{base_url}/token","revocation_url":"{base_url}/revoke","device_authorization_url":"{base_url}/device",
			"scopes":["r"],"pkce":false,"supports_device_code":true,"later":1},"registration":{"registration_endpoint":"{base_url}/register"},"export":{"env":{"access_token":"A_TOKEN"}},
			"metadata":{"source":"docs","verified":"2026-11-24"}}`,
			`{"schema_version":2,"name":"a","display_name":"A","flows":["pkce","device_code","dcr_pkce"],"hosts":["{base_url}","api.a.com"],"base_url":"https://a.com",
			"oauth":{"authorization_url":"{base_url}/authorize","token_url":"{base_url}/token","revocation":{"url":"{base_url}/revoke"},"device_authorization_url":"{base_url}/device","registration_url":"{base_url}/register",
			"scopes":["r"],"pkce":"off","client_secret":"optional","client_id":"public","device_client":"optional"},"env":[{"name":"A_TOKEN","value":"{access_token}"}],"metadata":{"source":"docs","checked":"2026-11-24"}}`},
	} {
		one, two := parse(t, tt.one), parse(t, tt.two)
		if c := Changes(one, two); len(c) > 0 {
			t.Errorf("%s: %q", tt.name, c)
		}
		if a, b := hostsOf(patternsOf(t, one)), hostsOf(patternsOf(t, two)); a != b {
			t.Errorf("%s: hosts %s and %s", tt.name, a, b)
		}
	}
}

// TestSchema1Hosts checks what only schema 1 has: paths and regular expressions in
// hosts, and a base URL for every service.
func TestSchema1Hosts(t *testing.T) {
	const file = `{"schema_version":1,"name":"a","display_name":"A","auth_type":"api_key","flow":"api_key","host_url":["https://api.a.com:8443/v1/","regex:x[0-9]{2}\\.a\\.com"]}`
	d := parse(t, file)
	patterns, err := d.Patterns(values("base_url", "https://own.corp/api"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hostsOf(patterns); got != "api.a.com:8443 /v1/, .a.com:443, own.corp:443 /api" {
		t.Errorf("hosts %s", got)
	}
	if !patterns[1].MatchHost("x12.a.com") || patterns[1].MatchHost("x1.a.com") {
		t.Error("the expression matches the wrong hosts")
	}
}
