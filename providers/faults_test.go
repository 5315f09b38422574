package providers

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseReportsAllFaults(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []string
	}{
		{`{"schema_version":2,"name":"A B","display_name":" ","hots":["a.com"],"flows":["magic","api_key","api_key"],"hosts":["*.com","fine.com","*.github.io"],"paths":"/x",
			"params":[{"name":"Key"},{"name":"k","pattern":"("}],"inject":[{"in":"header","name":"Host","vale":1},{"in":"cookie"}],
			"env":[{"name":"PATH","value":"{x}"},{"name":"NODE_OPTIONS","value":7}],"category":"llms","docs":"javascript:x",
			"oauth":{"token_url":"http://a.com/t","authorization_url":"ftp://a.com","redirect":{"port":1.5,"host":"a"},"scopes":["a b","c d"]},
			"verify":{"url":"https://else.org","method":"BREW"},"scrub":true}`,
			[]string{"hots: unknown member", "paths: must be a list", "inject[0].vale: unknown member", "env[1].value: must be text, not a number", "oauth.redirect.port: must be a whole number",
				"scrub: must be text", "display_name: empty", `hosts[0]: "*.com"`, `hosts[2]: "*.github.io"`, "oauth.authorization_url: secrets", "oauth.token_url: secrets", "name: invalid",
				"flows[0]: unknown value", "flows[2]: ", "params[0].name: invalid name", "params[1].pattern: not a regular", "inject[0].name: Host controls",
				"inject[1].in: unknown value", "oauth.redirect.host: unknown", "oauth.scopes[0]: not a scope", "oauth.scopes[1]: not a scope", "env[0].name: PATH", "env[0].value: {x} is not defined",
				"env[1].name: NODE_OPTIONS", "verify.method: unknown value", "verify.url: its host is not in hosts", "category: unknown", "docs: not an https link"}},
		{`{"schema_version":1,"name":"a b","display_name":"","auth_type":"oauth2","flow":"pkce","host_url":["*","*.co.uk"],"oauth":{"token_url":"http://a.com","authorization_url":"a","device_token_request":"x"}}`,
			[]string{"oauth.device_token_request: unknown", "display_name: empty", "host_url[0]: ", "host_url[1]: ", "oauth.authorization_url: not a URL", "oauth.token_url: secrets", "name: invalid"}},
	} {
		_, err := Parse([]byte(tt.text))
		var got []string
		for _, fault := range Faults(err) {
			got = append(got, fault.Error())
		}
		for i, want := range tt.want {
			if i >= len(got) || !strings.HasPrefix(got[i], want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
				break
			}
		}
		if len(got) != len(tt.want) {
			t.Errorf("%d faults, want %d:\n%s", len(got), len(tt.want), strings.Join(got, "\n"))
		}
	}
}

// A definition with one fault is not said to have others that follow from it.
func TestOneFaultIsReportedOnce(t *testing.T) {
	for _, tt := range invalidDefinitions {
		if tt.json == `{"schema_version":"2"}` || strings.Contains(tt.json, `"name":7`) {
			continue // these lack other members, too
		}
		_, err := Parse([]byte(tt.json))
		if n := len(Faults(err)); n != 1 {
			t.Errorf("%s: %d faults: %v", tt.json, n, Faults(err))
		}
	}
}

func TestErrorOfSeveralFaultsIsOneLine(t *testing.T) {
	_, err := Parse([]byte(`{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["a.com"],"x":1,"y":2,"z":3}`))
	if err == nil || err.Error() != "x: unknown member (and 2 more)" {
		t.Error(err)
	}
}

// The output of inspect is a definition: what it adds is ignored. A member that it does not
// add is misspelt there too.
func TestOutputOfInspectIsADefinition(t *testing.T) {
	const added = `,"source":"custom","connections":[{"connection_name":"work"}],"aliases":["x"],"docs":null,"metadata":{},"definition":{"hosts":["evil.com"]}}`
	one := strings.TrimSuffix(strings.Replace(sample, "%s", `,"x_extra":{"a":1},"source_url":"x"`, 1), "}")
	two := strings.TrimSuffix(strings.Replace(good, "%s", `,"x_note":"n"`, 1), "}")
	for _, text := range []string{one, two} {
		plain, whole := parse(t, text+"}"), parse(t, text+added)
		if c := Changes(plain, whole); len(c) > 0 {
			t.Errorf("%q", c)
		}
		kept, err := whole.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		want, err := plain.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if text == two && string(kept) != string(want) || strings.Contains(string(kept), "evil.com") || strings.Contains(string(kept), "work") {
			t.Errorf("kept %s", kept)
		}
	}
	for _, text := range []string{two + `,"connections":[]}`, two + `,"source":"bundled","connections":[]}`, two + `,"flow":"api_key"}`} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
	for _, extra := range []string{`"pathz":["/v1"]`, `"later":null`, `"oauth":{"token_url":"https://a.com/t","scopez":["a"]}`} {
		name := strings.Trim(strings.SplitN(extra, ":", 2)[0], `"`)
		if _, err := Parse([]byte(two + "," + extra + added)); !strings.Contains(fmt.Sprint(err), "unknown member") || !strings.HasPrefix(err.Error(), name) {
			t.Errorf("%s: %v", extra, err)
		}
	}
	// An error in it is still found.
	if _, err := Parse([]byte(two + `,"paths":7` + added)); len(Faults(err)) != 1 || Faults(err)[0].Field != "paths" {
		t.Error(err)
	}
}

// A file with comments is read, and what is kept of it is JSON.
func TestDefinitionWithComments(t *testing.T) {
	d := parse(t, "\xef\xbb\xbf{ // ours\n\"schema_version\": 2, \"name\": \"a\", /* \"hosts\": [\"*.com\"], */\n\"flows\": [\"api_key\",], \"hosts\": [\"a.com\"],\n}")
	text, err := d.Marshal()
	if err != nil || strings.Contains(string(text), "ours") {
		t.Errorf("%s, %v", text, err)
	}
	if again := parse(t, string(text)); len(Changes(d, again)) > 0 {
		t.Error(Changes(d, again))
	}
}
