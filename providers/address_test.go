package providers

import (
	"errors"
	"testing"
)

// What AcceptsBaseURL says is what Patterns does: otherwise a login asks for an address
// that it then refuses.
func TestPatternsAcceptTheBaseURLs(t *testing.T) {
	all := bundledSet(t).All()
	for _, tt := range schema1Bases {
		all = append(all, parse(t, tt.text))
	}
	for _, d := range all {
		_, err := d.Patterns(values("base_url", "https://own.corp.example"))
		if _, unfilled := errors.AsType[*UnfilledError](err); unfilled {
			continue // a host needs another value first
		}
		e, ok := errors.AsType[*FieldError](err)
		if refused := ok && e.Field == nameBaseURL; refused == d.AcceptsBaseURL() {
			t.Errorf("%s: accepts a base URL: %t; Patterns: %v", d.Name, d.AcceptsBaseURL(), err)
		}
	}
}

var schema1Bases = []struct{ text, base, hosts string }{
	{schema1OAuth + `"host_url":"api.a.com","oauth":{"base_url":"https://auth.a.com","authorization_url":"{base_url}/a","token_url":"{base_url}/t"}}`, "https://own.corp", "api.a.com:443"},
	{schema1OAuth + `"host_url":"api.a.com","oauth":{"base_url":"https://auth.a.com","authorization_url":"{base_url}/a","token_url":"{base_url}/t"}}`, "https://auth.a.com/", "api.a.com:443"},
	{schema1OAuth + `"host_url":"api.a.com","oauth":{"base_url":"https://auth.a.com","authorization_url":"{base_url}/a","token_url":"{base_url}/t"}}`, "http://127.0.0.1:8080", "api.a.com:443"},
	{schema1OAuth + `"oauth":{"base_url":"https://auth.a.com","authorization_url":"{base_url}/a","token_url":"{base_url}/t"}}`, "https://own.corp", ""},
	{schema1OAuth + `"host_url":"auth.a.com","oauth":{"base_url":"https://auth.a.com","authorization_url":"{base_url}/a","token_url":"{base_url}/t"}}`, "https://own.corp", "own.corp:443"},
	{schema1OAuth + `"host_url":"api.a.com","oauth":{"base_url":"https://auth.a.com","authorization_url":"https://a.com/a","token_url":"https://a.com/t"}}`, "https://own.corp", "refused"},
	{schema1OAuth + `"host_url":"api.a.com","oauth":{"authorization_url":"{base_url}/a","token_url":"{base_url}/t"}}`, "https://own.corp", "api.a.com:443, own.corp:443"},
}

const schema1OAuth = `{"schema_version":1,"name":"a","display_name":"A","auth_type":"oauth2","flow":"pkce",`

// The base URL of a connection is a host of it only if the definition says so. The endpoints
// for which it is used may have another host.
func TestSchema1BaseURL(t *testing.T) {
	for _, tt := range schema1Bases {
		patterns, err := parse(t, tt.text).Patterns(values("base_url", tt.base))
		if got := hostsOf(patterns); (err != nil) != (tt.hosts == "refused") || err == nil && got != tt.hosts {
			t.Errorf("%s with %s: %s, %v; want %s", tt.text, tt.base, got, err, tt.hosts)
		}
	}
	d := parse(t, schema1Bases[0].text)
	for _, base := range []string{"http://own.corp", "https://own.corp/?q", "https://user@own.corp", "https://169.254.169.254", "https://*.own.corp", "no address"} {
		if _, err := d.Patterns(values("base_url", base)); err == nil {
			t.Errorf("accepts %s", base)
		}
	}
}
