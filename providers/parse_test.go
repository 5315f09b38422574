package providers

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authsome/authsome/secret"
)

const sample = `{"schema_version":1,"name":"sample","display_name":"Sample","auth_type":"api_key","flow":"api_key","host_url":"api.sample.com"%s}`

func TestParseErrorsOfSchema1NameTheField(t *testing.T) {
	for _, tt := range []struct{ json, field, reason string }{
		{`{`, "", "not JSON"},
		{`[]`, "", "must be an object, not a list"},
		{fmt.Sprintf(sample, `,"name":"sample2"`), "name", "twice"},
		{fmt.Sprintf(sample, `,"oauth":{"scopes":["a",1]}`), "oauth.scopes[1]", "must be text, not a number"},
		{fmt.Sprintf(sample, `,"oauth":{"pkce":"perhaps"}`), "oauth.pkce", "must be true or false, not text"},
		{fmt.Sprintf(sample, `,"oauth":{"pkce":2}`), "oauth.pkce", "must be true or false, not a number"},
		{fmt.Sprintf(sample, `,"oauth":{"device_token_request":"xml"}`), "oauth.device_token_request", "unknown value"},
		{fmt.Sprintf(sample, `,"api_key":{"header_name":"A B"}`), "api_key.header_name", "not a header name"},
		{fmt.Sprintf(sample, `,"api_key":{"header_name":"Host"}`), "api_key.header_name", "controls the connection"},
		{fmt.Sprintf(sample, `,"api_key":{"header_prefix":"A\r\nB: "}`), "api_key.header_prefix", "not a header value"},
		{fmt.Sprintf(sample, `,"oauth":{"token_url":"http://sample.com/token"}`), "oauth.token_url", "https only"},
		{fmt.Sprintf(sample, `,"oauth":{"token_url":"https://u:p@sample.com/token"}`), "oauth.token_url", "user name"},
		{fmt.Sprintf(sample, `,"display_name":"x"`), "display_name", "twice"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"Sample"`, `" "`, 1), "display_name", "empty"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"schema_version":1`, `"schema_version":9`, 1), "schema_version", "9"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"sample"`, `"../x"`, 1), "name", "invalid name"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"sample"`, `"a..b"`, 1), "name", "invalid name"},
		{strings.Replace(fmt.Sprintf(sample, ""), `"sample"`, `"My CRM"`, 1), "name", "invalid name"},
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
		t.Errorf("http on loopback is allowed for development: %v", err)
	}
}

// FuzzParse checks that Marshal writes each definition that Parse accepts as a file
// with the same meaning, in both schemas, and that no method panics.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		fmt.Sprintf(sample, ""), fmt.Sprintf(sample, `,"oauth":{"token_url":"https://a.b/c","x":1},"api_key":{"header_prefix":null},"export":{"A":"API_KEY"}`),
		fmt.Sprintf(good, `,"x_y":1`), fmt.Sprintf(goodOAuth, `,"revocation":{"url":"https://a.com/{token}"}`), fmt.Sprintf(twoFlows, ""), instance,
		fmt.Sprintf(noHosts, `,"hosts":["{shop}.a.com","{base_url}"],"paths":["/x"],"inject":[{"in":"path","prefix":"/b","value":"{api_key}"}],"env":[{"name":"A","value":"{shop}{api_key}","placeholder":"{mark}{shop}"}]`),
		byFlow, fmt.Sprintf(good, `,"oauth":{"pkce":true,"scopes":[]},"docs":null,"definition":{},"source":"","connections":[]`),
		`{"schema_version":"1","name":"A","auth_type":"oauth2","flow":"dcr_pkce","host_url":"{base_url}/x","oauth":{"base_url":"a.com","token_url":"{base_url}/t","supports_dcr":"yes","device_token_request":"json"},"client":{"client_id_env":"A_ID"}} // end`,
	} {
		f.Add([]byte(seed))
	}
	for _, tt := range pythonDefinitions {
		f.Add([]byte("{" + tt.text + "}"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := Parse(data)
		if err != nil {
			if _, ok := errors.AsType[*FieldError](err); !ok {
				t.Errorf("error %v has type %T, want *FieldError", err, err)
			}
			return
		}
		text, err := d.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		reparsed, err := Parse(text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if c := Changes(d, reparsed); len(c) > 0 {
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
		d.OAuthEndpoints(nil).Match("/c/d")
		d.Claims("a.com", 443)
		clashes([]*Definition{d, reparsed})
	})
}
