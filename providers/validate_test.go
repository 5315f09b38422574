package providers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const (
	good      = `{"schema_version":2,"name":"sample","flows":["api_key"],"hosts":["api.sample.com"]%s}`
	goodOAuth = `{"schema_version":2,"name":"sample","flows":["pkce"],"hosts":["api.sample.com"],"oauth":{"authorization_url":"https://sample.com/a","token_url":"https://sample.com/t"%s}}`
	twoFlows  = `{"schema_version":2,"name":"sample","flows":["api_key","pkce"],"hosts":["api.sample.com"],"oauth":{"authorization_url":"https://sample.com/a","token_url":"https://sample.com/t"}%s}`
	noHosts   = `{"schema_version":2,"name":"sample","flows":["api_key"],"params":[{"name":"api_key","secret":true},{"name":"shop"}]%s}`
)

// invalidDefinitions has the member of each error and a part of its text.
var invalidDefinitions = []struct{ json, field, reason string }{
	// file
	{`{`, "", "not JSON"},
	{`[]`, "", "must be an object, not a list"},
	{`{"schema_version":3}`, "schema_version", "version 3 is not supported; use 2"},
	{`{"name":"sample"}`, "schema_version", "must be 2"},
	{`{"schema_version":"2"}`, "schema_version", "must be a whole number, not text"},
	{fmt.Sprintf(good, `,"hots":[]`), "hots", "unknown member; did you mean hosts?"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A","valu":"x"}]`), "inject[0].valu", "did you mean value?"},
	{fmt.Sprintf(goodOAuth, `,"redirect":{"prt":1}`), "oauth.redirect.prt", "did you mean port?"},
	{fmt.Sprintf(good, `,"zzzzzzzz":1`), "zzzzzzzz", "unknown member"},
	{fmt.Sprintf(good, `,"hosts":[]`), "hosts", "twice"},
	{fmt.Sprintf(good, `,"paths":"/x"`), "paths", "must be a list, not text"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":7}]`), "inject[0].name", "must be text, not a number"},
	{fmt.Sprintf(good, `,"docs":null`), "docs", "must be text, not null"},
	{fmt.Sprintf(goodOAuth, `,"redirect":{"port":"80"}`), "oauth.redirect.port", "must be a whole number, not text"},
	{fmt.Sprintf(goodOAuth, `,"redirect":{"port":1.5}`), "oauth.redirect.port", "must be a whole number"},
	{fmt.Sprintf(goodOAuth, `,"scopes":["a",1]`), "oauth.scopes[1]", "must be text, not a number"},
	{strings.Replace(fmt.Sprintf(good, ""), `"sample"`, `"../x"`, 1), "name", "invalid name"},

	// flows
	{strings.Replace(fmt.Sprintf(good, ""), `["api_key"]`, `[]`, 1), "flows", "missing"},
	{strings.Replace(fmt.Sprintf(good, ""), `["api_key"]`, `["magic"]`, 1), "flows[0]", `unknown value "magic"; use one of api_key`},
	{strings.Replace(fmt.Sprintf(good, ""), `["api_key"]`, `["api_key","api_key"]`, 1), "flows[1]", "twice"},
	{strings.Replace(fmt.Sprintf(good, ""), `["api_key"]`, `["pkce"]`, 1), "oauth", "missing"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), `"token_url"`, `"refresh_url"`, 1), "oauth.token_url", "missing"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), `["pkce"]`, `["device_code"]`, 1), "oauth.device_authorization_url", "missing"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), `["pkce"]`, `["dcr_pkce"]`, 1), "oauth.registration_url", "missing"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), `["pkce"]`, `["jwt_bearer"]`, 1), "oauth.jwt", "missing"},

	// params
	{fmt.Sprintf(good, `,"params":[{"name":"A"}]`), "params[0].name", "invalid name"},
	{fmt.Sprintf(good, `,"params":[{"name":"access_token"}]`), "params[0].name", "is reserved"},
	{fmt.Sprintf(good, `,"params":[{"name":"a"},{"name":"a"}]`), "params[1].name", "twice"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","pattern":"("}]`), "params[0].pattern", "not a regular expression"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","pattern":"a)(b"}]`), "params[0].pattern", "not a regular expression"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","pattern":"`+strings.Repeat("a", 513)+`"}]`), "params[0].pattern", "longer than"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","default":"x","pattern":"y"}]`), "params[0].default", "does not match"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","secret":true,"default":"x"}]`), "params[0].default", "all users would share it"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","match":"(x)"}]`), "params[0].from", "missing"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","from":"b"},{"name":"b"}]`), "params[0].from", "not a param before"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","from":"a"}]`), "params[0].from", "not a param before"},
	{fmt.Sprintf(good, `,"params":[{"name":"b"},{"name":"a","from":"b","match":"x"}]`), "params[1].match", "no group"},
	{fmt.Sprintf(good, `,"params":[{"name":"a","from":"token","path":"x"}]`), "params[0].from", "needs a flow other than api_key"},

	// hosts
	{strings.Replace(fmt.Sprintf(good, ""), `["api.sample.com"]`, `[]`, 1), "hosts", "missing"},
	{fmt.Sprintf(noHosts, `,"hosts":["a.com","*"]`), "hosts[1]", "wildcard"},
	{fmt.Sprintf(noHosts, `,"hosts":["*.com"]`), "hosts[0]", "anyone can register"},
	{fmt.Sprintf(noHosts, `,"hosts":["*.co.uk"]`), "hosts[0]", "anyone can register"},
	{fmt.Sprintf(noHosts, `,"hosts":["*.github.io"]`), "hosts[0]", "anyone can register"},
	{fmt.Sprintf(noHosts, `,"hosts":["*.myshopify.com"]`), "hosts[0]", "anyone can register"},
	{fmt.Sprintf(noHosts, `,"hosts":["{shop}.com"]`), "hosts[0]", "anyone can register"},
	{fmt.Sprintf(noHosts, `,"hosts":["x.{shop}"]`), "hosts[0]", "a host must end in a fixed domain"},
	{fmt.Sprintf(noHosts, `,"hosts":["x-{shop}"]`), "hosts[0]", "a host must end in a fixed domain"},
	{fmt.Sprintf(noHosts, `,"hosts":["{shop}"]`), "hosts[0]", "the whole host"},
	{fmt.Sprintf(noHosts, `,"hosts":["{shop}:8443"]`), "hosts[0]", "the whole host"},
	{fmt.Sprintf(noHosts, `,"hosts":["{sop}.sample.com"]`), "hosts[0]", "{sop} is not defined; did you mean {shop}?"},
	{fmt.Sprintf(noHosts, `,"hosts":["{access_token}.sample.com"]`), "hosts[0]", "cannot contain a secret"},
	{fmt.Sprintf(noHosts, `,"hosts":["{api_key}.sample.com"]`), "hosts[0]", "cannot contain a secret"},
	{fmt.Sprintf(noHosts, `,"hosts":["x.{base_url}.com"]`), "hosts[0]", "cannot be part of a host"},
	{fmt.Sprintf(noHosts, `,"hosts":["https://sample.com"]`), "hosts[0]", "cannot have a scheme"},
	{fmt.Sprintf(noHosts, `,"hosts":["regex:.*\\.sample\\.com"]`), "hosts[0]", "schema 1"},
	{fmt.Sprintf(noHosts, `,"hosts":["sample.com/x"]`), "hosts[0]", "cannot have a path"},
	{fmt.Sprintf(noHosts, `,"hosts":["localhost"]`), "hosts[0]", "loopback"},
	{fmt.Sprintf(noHosts, `,"hosts":["127.0.0.1:8080"]`), "hosts[0]", "loopback"},
	{fmt.Sprintf(noHosts, `,"hosts":["a.com","a.com"]`), "hosts[1]", "twice"},
	{fmt.Sprintf(noHosts, `,"hosts":["{base_url}"],"base_url":"http://sample.com"`), "base_url", "https"},
	{fmt.Sprintf(noHosts, `,"hosts":["{base_url}"],"base_url":"https://*.sample.com"`), "base_url", "not the https URL"},

	// paths and methods
	{fmt.Sprintf(good, `,"paths":["api"]`), "paths[0]", "must begin with /"},
	{fmt.Sprintf(good, `,"paths":["/"]`), "paths[0]", "matches every path"},
	{fmt.Sprintf(good, `,"paths":["/a/../b"]`), "paths[0]", "dot segments"},
	{fmt.Sprintf(good, `,"exclude_paths":["/a","/b%20"]`), "exclude_paths[1]", "escapes"},
	{fmt.Sprintf(good, `,"paths":["/a/*"]`), "paths[0]", "wildcards"},
	{fmt.Sprintf(good, `,"methods":["get"]`), "methods[0]", "in capitals"},
	{fmt.Sprintf(good, `,"methods":["CONNECT"]`), "methods[0]", "not a supported method"},

	// inject
	{fmt.Sprintf(good, `,"inject":[{"in":"cookie"}]`), "inject[0].in", "unknown"},
	{fmt.Sprintf(good, `,"inject":[{}]`), "inject[0].in", "missing"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","value":"{api_key}"}]`), "inject[0].name", "missing"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A B","value":"{api_key}"}]`), "inject[0].name", "not a header name"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"Host","value":"{api_key}"}]`), "inject[0].name", "controls the connection"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A","value":"x\r\ny"}]`), "inject[0].value", "not a header value"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A","value":"{apikey}"}]`), "inject[0].value", "did you mean {api_key}?"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A","value":"{access_token}"}]`), "inject[0].value", "not defined"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A","value":"fixed"}]`), "inject", "no entry contains a secret"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A","value":"{api_key}","if_absent":true}]`), "inject[0].if_absent", "must always replace"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A","value":"{api_key}","prefix":"/x"}]`), "inject[0].prefix", "a header entry cannot have this member; use name, value"},
	{fmt.Sprintf(good, `,"inject":[{"in":"header","name":"A","value":"{api_key}"},{"in":"header","name":"a","value":"x"}]`), "inject[1]", "already uses this place"},
	{fmt.Sprintf(good, `,"inject":[{"in":"basic","password":"{api_key}"},{"in":"header","name":"Authorization","value":"x"}]`), "inject[1]", "already uses this place"},
	{fmt.Sprintf(good, `,"inject":[{"in":"basic"}]`), "inject[0].username", "missing"},
	{fmt.Sprintf(good, `,"inject":[{"in":"basic","username":"a:b","password":"{api_key}"}]`), "inject[0].username", "colon"},
	{fmt.Sprintf(good, `,"inject":[{"in":"path","prefix":"bot","value":"{api_key}"}]`), "inject[0].prefix", "not a valid path prefix"},
	{fmt.Sprintf(good, `,"inject":[{"in":"path","prefix":"/bot","value":"x"}]`), "inject[0].value", "must contain a param"},
	{fmt.Sprintf(good, `,"inject":[{"in":"sigv4","access_key":"x"}]`), "inject[0].secret_key", "missing"},
	{fmt.Sprintf(twoFlows, `,"inject":[{"in":"header","name":"A","value":"{access_token}"}]`), "inject[0].value", "the flow api_key does not provide"},
	{fmt.Sprintf(twoFlows, `,"inject":[{"in":"header","name":"A","value":"{api_key}"}]`), "inject[0].value", "only the flow api_key"},
	{fmt.Sprintf(twoFlows, `,"verify":{"url":"https://api.sample.com/{credential}"}`), "verify.url", "{credential} is not defined"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://sample.com/{credential}", 1), "oauth.token_url", "{credential} is not defined"},
	{fmt.Sprintf(noHosts, `,"hosts":["{credential}.sample.com"]`), "hosts[0]", "cannot contain a secret"},
	{fmt.Sprintf(good, `,"params":[{"name":"credential"}]`), "params[0].name", "is reserved"},
	{fmt.Sprintf(good, `,"remove":["cookie:x"]`), "remove[0]", "not a place on a request"},
	{fmt.Sprintf(good, `,"remove":["header:Host"]`), "remove[0]", "not a place on a request"},

	// oauth
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "http://sample.com/t", 1), "oauth.token_url", "https only"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://u:p@sample.com/t", 1), "oauth.token_url", "user name"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://10.0.0.1/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://169.254.169.254/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://100.64.0.1/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://198.18.0.1/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://0.0.0.0/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://224.0.0.1/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://[fd00::1]/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://[fe80::1%25eth0]/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://[::ffff:10.0.0.1]/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://[64:ff9b::a00:1]/t", 1), "oauth.token_url", "is not a public address"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://2130706433/t", 1), "oauth.token_url", "number"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "sample.com/t", 1), "oauth.token_url", "not a URL"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://{shop}.sample.com/t", 1), "oauth.token_url", "{shop} is not defined"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://{base_url}.com/t", 1), "oauth.token_url", "cannot be part of a host"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://{client_id}/t", 1), "oauth.token_url", "the whole host"},
	{strings.Replace(fmt.Sprintf(goodOAuth, ""), "https://sample.com/t", "https://sample.com/{access_token}", 1), "oauth.token_url", "ends up in logs"},
	{fmt.Sprintf(goodOAuth, `,"token_auth":"magic"`), "oauth.token_auth", "unknown"},
	{fmt.Sprintf(goodOAuth, `,"pkce":"plain"`), "oauth.pkce", "unknown"},
	{fmt.Sprintf(goodOAuth, `,"discovery":"issuer"`), "oauth.issuer", "missing"},
	{fmt.Sprintf(goodOAuth, `,"discovery":"magic"`), "oauth.discovery", "unknown"},
	{fmt.Sprintf(goodOAuth, `,"discovery":"issuer","issuer":"http://sample.com"`), "oauth.issuer", "https only"},
	{fmt.Sprintf(goodOAuth, `,"authorize_params":{"state":"x"}`), "oauth.authorize_params.state", "the flow sets this parameter"},
	{fmt.Sprintf(goodOAuth, `,"token_params":{"x":"{y}"}`), "oauth.token_params.x", "{y} is not defined"},
	{fmt.Sprintf(goodOAuth, `,"headers":{"Host":"x"}`), "oauth.headers.Host", "controls the connection"},
	{fmt.Sprintf(goodOAuth, `,"lifetime":"soon"`), "oauth.lifetime", "for example 1h"},
	{fmt.Sprintf(goodOAuth, `,"scopes":["a b"]`), "oauth.scopes[0]", "one scope per entry"},
	{fmt.Sprintf(goodOAuth, `,"redirect":{"host":"sample.com"}`), "oauth.redirect.host", "unknown"},
	{fmt.Sprintf(goodOAuth, `,"redirect":{"url":"http://sample.com"}`), "oauth.redirect.url", "https"},
	{fmt.Sprintf(goodOAuth, `,"redirect":{"port":70000}`), "oauth.redirect.port", "port number"},
	{fmt.Sprintf(strings.Replace(goodOAuth, `"name":"sample"`, `"name":"sample","token_provider":"sample"`, 1), ""), "token_provider", "another provider"},
	{fmt.Sprintf(strings.Replace(goodOAuth, `"name":"sample"`, `"name":"sample","metadata":{"app_checked":"today"}`, 1), ""), "metadata.app_checked", "not a date"},
	{fmt.Sprintf(goodOAuth, `,"app_steps":[{"text":""}]`), "oauth.app_steps[0].text", "missing"},
	{fmt.Sprintf(goodOAuth, `,"app_steps":[{"text":"Open"},{"text":"Enter {redirect_uri}"}]`), "oauth.app_steps[1].text", "{redirect_url} or {scopes}"},
	{fmt.Sprintf(goodOAuth, `,"app_steps":[{"text":"`+strings.Repeat("a", 201)+`"}]`), "oauth.app_steps[0].text", "longer than 200 bytes"},
	{fmt.Sprintf(goodOAuth, `,"app_steps":[{"text":"Open","flow":"device_code"}]`), "oauth.app_steps[0].flow", "not one of flows"},
	{fmt.Sprintf(goodOAuth, `,"app_steps":[{"text":"Open\u001b[2K"}]`), "oauth.app_steps[0].text", "control character"},
	{fmt.Sprintf(goodOAuth, `,"revocation":{"url":""}`), "oauth.revocation.url", "missing"},
	{fmt.Sprintf(goodOAuth, `,"revocation":{"url":"https://sample.com/r","method":"PATCH"}`), "oauth.revocation.method", "unknown"},
	{fmt.Sprintf(goodOAuth, `,"token_auth":"private_key_jwt"`), "oauth.jwt", "missing"},
	{fmt.Sprintf(goodOAuth, `,"jwt":{"key":"text"}`), "oauth.jwt.key", "must contain a secret param"},

	// env
	{fmt.Sprintf(good, `,"env":[{"name":"A B","value":"{api_key}"}]`), "env[0].name", "not a valid variable name"},
	{fmt.Sprintf(good, `,"env":[{"name":"JDK_JAVA_OPTIONS","value":"-javaagent:/x.jar"}]`), "env[0].name", "can change how programs run"},
	{fmt.Sprintf(good, `,"env":[{"name":"_java_options","value":"-javaagent:/x.jar"}]`), "env[0].name", "does not have the name of a credential"},
	{fmt.Sprintf(good, `,"env":[{"name":"GCONV_PATH","value":"/x"}]`), "env[0].name", "can change how programs run"},
	{fmt.Sprintf(good, `,"env":[{"name":"DOTNET_STARTUP_HOOKS","value":"/x.dll"}]`), "env[0].name", "can change how programs run"},
	{fmt.Sprintf(good, `,"env":[{"name":"LD_PRELOAD","value":"/x.so"}]`), "env[0].name", "can change how programs run"},
	{fmt.Sprintf(good, `,"env":[{"name":"path","value":"x"}]`), "env[0].name", "can change how programs run"},
	{fmt.Sprintf(good, `,"env":[{"name":"A_KEY","value":"{x}"}]`), "env[0].value", "{x} is not defined"},
	{fmt.Sprintf(good, `,"env":[{"name":"A_KEY","value":"x","placeholder":"{mark}"}]`), "env[0].placeholder", "contains no secret"},
	{fmt.Sprintf(good, `,"env":[{"name":"A_KEY","value":"{api_key}","placeholder":"sk-x"}]`), "env[0].placeholder", "without {mark}"},
	{fmt.Sprintf(good, `,"env":[{"name":"A_KEY","value":"{api_key}","placeholder":"{api_key}"}]`), "env[0].placeholder", "is a secret"},
	{fmt.Sprintf(good, `,"params":[{"name":"api_key","secret":true,"pattern":"[0-9]+"}],"env":[{"name":"A_KEY","value":"{api_key}"}]`), "env[0].placeholder", "does not match the pattern"},
	{fmt.Sprintf(good, `,"env":[{"name":"A_KEY","value":"{api_key}"},{"name":"A_KEY","value":"{api_key}"}]`), "env[1].name", "twice"},

	// other members
	{fmt.Sprintf(good, `,"category":"llms"`), "category", "unknown"},
	{fmt.Sprintf(good, `,"docs":"javascript:alert(1)"`), "docs", "https link"},
	{fmt.Sprintf(good, `,"key_url":"http://sample.com"`), "key_url", "https link"},
	{fmt.Sprintf(good, `,"self_hosted":"Own Instance"`), "self_hosted", "name of another provider"},
	{fmt.Sprintf(good, `,"self_hosted":"sample"`), "self_hosted", "name of another provider"},
	{fmt.Sprintf(good, `,"metadata":{"checked":"today"}`), "metadata.checked", "not a date"},
	{fmt.Sprintf(good, `,"verify":{"url":"https://other.com/x"}`), "verify.url", "is not in hosts"},
	{fmt.Sprintf(good, `,"verify":{"url":"https://api.sample.com.evil.net/x"}`), "verify.url", "is not in hosts"},
	{fmt.Sprintf(good, `,"paths":["/v1"],"verify":{"url":"https://api.sample.com/v2"}`), "verify.url", "does not get the credential"},
	{fmt.Sprintf(good, `,"verify":{"url":"https://api.sample.com/x","body":"{"}`), "verify.body", "not JSON"},
	{fmt.Sprintf(good, `,"verify":{"url":"https://api.sample.com/x","method":"BREW"}`), "verify.method", "unknown"},
}

func TestParseRefusesInvalidDefinitions(t *testing.T) {
	for _, tt := range invalidDefinitions {
		_, err := Parse([]byte(tt.json))
		field, ok := errors.AsType[*FieldError](err)
		if !ok || field.Field != tt.field || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%s\n  got  %v\n  want %s: …%s…", tt.json, err, tt.field, tt.reason)
		}
	}
}

// The hint for an invalid name has the rule that the name breaks.
func TestHintsForNamesHaveEachRule(t *testing.T) {
	const old = `{"schema_version":1,"name":%q,"auth_type":"api_key","flow":"api_key","host_url":"api.a.com"}`
	const now = `{"schema_version":2,"name":%q,"flows":["api_key"],"hosts":["api.a.com"]}`
	for _, tt := range []struct{ text, name, rule string }{
		{old, "_lead", "start with a letter or a digit"}, {old, ".lead", "start with a letter or a digit"},
		{old, strings.Repeat("a", 65), "up to 64"}, {old, "a b", "letters, digits, dots, hyphens and underscores"}, {old, "a..b", "two dots"},
		{now, "_lead", "start with a letter or a digit"}, {now, strings.Repeat("a", 65), "up to 64"},
		{now, "Lead", "lower-case letters"},
	} {
		_, err := Parse(fmt.Appendf(nil, tt.text, tt.name))
		if e, ok := errors.AsType[*FieldError](err); !ok || e.Field != "name" || !strings.Contains(e.Hint, tt.rule) {
			t.Errorf("%s: %v; the hint has no %q", tt.name, err, tt.rule)
		}
	}
}

func TestParseAcceptsValidDefinitions(t *testing.T) {
	for _, text := range []string{
		fmt.Sprintf(good, `,"$schema":"https://x","x_note":{"any":[1]},"inject":[{"in":"header","name":"A","value":"{api_key}","x_why":"so"}]`),
		fmt.Sprintf(goodOAuth, `,"refresh_url":"http://127.0.0.1:8080/t","device_authorization_url":"http://localhost/d"`),
		fmt.Sprintf(goodOAuth, `,"revocation":{"url":"https://sample.com/tokens/{token}","method":"DELETE","body":"none"},"response":{"error_when":{"ok":false,"x":null}}`),
		fmt.Sprintf(noHosts, `,"hosts":["{shop}.myshopify.com","api-{shop}.sample.com","*.{shop}.sample.com","{shop}.sample.com:8443"]`),
		fmt.Sprintf(noHosts, `,"hosts":["*.googleapis.com","10.0.0.1:8443","{base_url}"],"base_url":"https://own.sample.com/sub"`),
		fmt.Sprintf(twoFlows, ``),
		fmt.Sprintf(twoFlows, `,"inject":[{"in":"header","name":"X-Key","value":"{credential}"}],"env":[{"name":"SAMPLE_API_KEY","value":"{credential}"}]`),
		`{"schema_version":2,"name":"discovered","flows":["dcr_pkce"],"hosts":["mcp.sample.com"],"oauth":{"discovery":"resource","resource":"https://mcp.sample.com/mcp"}}`,
		`{"schema_version":2,"name":"instance","flows":["pkce"],"hosts":["{instance}"],"params":[{"name":"instance","from":"token","path":"instance_url","match":"^https://([^/]+)"}],
			"oauth":{"authorization_url":"https://sample.com/a","token_url":"https://sample.com/t"},"verify":{"url":"https://{instance}/me"}}`,
	} {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%s\n  %v", text, err)
		}
	}
}
