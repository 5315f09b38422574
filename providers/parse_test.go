package providers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authsome/authsome/secret"
)

const sample = `{"schema_version":1,"name":"sample","display_name":"Sample","auth_type":"api_key","flow":"api_key","host_url":"api.sample.com"%s}`

func TestParseErrorsNameTheField(t *testing.T) {
	for _, tt := range []struct{ json, field, reason string }{
		{`{`, "", "not JSON"},
		{`[]`, "", "does not belong"},
		{fmt.Sprintf(sample, `,"name":"again"`), "name", "twice"},
		{fmt.Sprintf(sample, `,"oauth":{"scopes":["a",1]}`), "oauth.scopes[1]", "number"},
		{fmt.Sprintf(sample, `,"oauth":{"pkce":"yes"}`), "oauth.pkce", "text"},
		{fmt.Sprintf(sample, `,"api_key":{"header_name":"A B"}`), "api_key.header_name", "not a header name"},
		{fmt.Sprintf(sample, `,"api_key":{"header_name":"Host"}`), "api_key.header_name", "belongs to the connection"},
		{fmt.Sprintf(sample, `,"api_key":{"header_prefix":"A\r\nB: "}`), "api_key.header_prefix", "not a header value"},
		{fmt.Sprintf(sample, `,"api_key":{"key_pattern":"("}`), "api_key.key_pattern", "not a regular expression"},
		{fmt.Sprintf(sample, `,"api_key":{"env_var":"A=B"}`), "export", "variable"},
		{fmt.Sprintf(sample, `,"export":{"env":{"api_key":"A B"}}`), "export", "variable"},
		{fmt.Sprintf(sample, `,"oauth":{"token_url":"http://sample.com/token"}`), "oauth.token_url", "https only"},
		{fmt.Sprintf(sample, `,"oauth":{"token_url":"https://u:p@sample.com/token"}`), "oauth.token_url", "user name"},
		{fmt.Sprintf(sample, `,"docs":"javascript:alert(1)"`), "docs", "https link"},
		{fmt.Sprintf(sample, `,"api_url":"b.sample.com"`), "api_url", "host_url is there too"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"schema_version":1`, `"schema_version":9`, 1), "schema_version", "9"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"sample"`, `"../x"`, 1), "name", "not a name"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"flow":"api_key"`, `"flow":"magic"`, 1), "flow", "magic"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"auth_type":"api_key"`, `"auth_type":"magic"`, 1), "auth_type", "magic"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"api.sample.com"`, `["ok.sample.com","*"]`, 1), "host_url[1]", "wildcard"},
	} {
		_, err := Parse([]byte(tt.json))
		var field *FieldError
		if !errors.As(err, &field) || field.Field != tt.field || !strings.Contains(field.Reason, tt.reason) {
			t.Errorf("%s\n  got %v, want %s: …%s…", tt.json, err, tt.field, tt.reason)
		}
	}
	if _, err := Parse([]byte(fmt.Sprintf(sample, `,"oauth":{"token_url":"http://127.0.0.1:9/token"}`))); err != nil {
		t.Errorf("http on loopback, for development: %v", err)
	}
}

// What Parse accepts is written as something that Parse reads as the same, in
// either schema, and nothing that is asked of it later panics.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		fmt.Sprintf(sample, ""), fmt.Sprintf(sample, `,"oauth":{"token_url":"https://a.b/c","x":1},"api_key":{"header_prefix":null},"export":{"A":"API_KEY"}`),
		fmt.Sprintf(good, `,"x_y":1`), fmt.Sprintf(goodOAuth, `,"revocation":{"url":"https://a.com/{token}"}`), fmt.Sprintf(twoFlows, ""), instance,
		fmt.Sprintf(noHosts, `,"hosts":["{shop}.a.com","{base_url}"],"paths":["/x"],"inject":[{"in":"path","prefix":"/b","value":"{api_key}"}],"env":[{"name":"A","value":"{shop}{api_key}","placeholder":"{mark}{shop}"}]`),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			if _, ok := errors.AsType[*FieldError](err); !ok {
				t.Errorf("%T: %v", err, err)
			}
			return
		}
		text, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if c := Changes(d, again); len(c) > 0 {
			t.Errorf("%q\n%s", c, text)
		}
		v := Values{nameAccessToken: secret.New("t"), nameClientID: secret.New("c")}
		for _, p := range d.Params {
			v[p.Name] = secret.New("v")
		}
		d.Patterns(v)
		d.Injection(Credential{Values: v})
		d.Environment(v)
		d.Issuer(v)
		d.Derive(v)
		d.Warnings()
		d.OAuthEndpoint("a.com", "/c/d")
		d.Claims("a.com", 443)
		clashes([]*Definition{d, again})
	})
}
