package providers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestCheckValue(t *testing.T) {
	d := define(t, `,"params":[{"name":"api_key","secret":true,"pattern":"sk-[A-Za-z0-9_-]{20,}","hint":"keys begin with sk-"},{"name":"pem","secret":true},{"name":"plain"}]`)
	for _, tt := range []struct {
		param, value string
		ok           bool
	}{
		{"api_key", "sk-proj-" + strings.Repeat("a", 40), true}, {"api_key", "pk-" + strings.Repeat("a", 40), false}, {"api_key", "sk-short", false}, {"api_key", "", false},
		{"api_key", "sk-" + strings.Repeat("a", 40) + "\n", false}, {"api_key", "x sk-" + strings.Repeat("a", 40), false},
		{"pem", "-----BEGIN PRIVATE KEY-----\nMII\r\n-----END PRIVATE KEY-----\n", true}, {"pem", "-----BEGIN PRIVATE KEY-----\x00", false}, {"pem", "two\nlines", false},
		{"plain", "any thing", true}, {"plain", "a\tb", false}, {"plain", "a\x7f", false}, {"none", "x", false},
	} {
		err := d.CheckValue(tt.param, tt.value)
		if (err == nil) != tt.ok || err != nil && len(tt.value) > 3 && strings.Contains(err.Error(), tt.value) {
			t.Errorf("%s %q: %v", tt.param, tt.value, err)
		}
	}
	if err := d.CheckValue("api_key", "pk-"+strings.Repeat("a", 40)); err == nil || !strings.Contains(err.Error(), "keys begin with sk-") {
		t.Errorf("error %v has no hint", err)
	}
}

func TestDerive(t *testing.T) {
	d := define(t, `,"params":[{"name":"api_key","secret":true},{"name":"dc","from":"api_key","match":"-([a-z]+[0-9]+)$"},{"name":"zone","from":"dc","match":"([0-9]+)"},
		{"name":"file","secret":true,"optional":true},{"name":"mail","from":"file","path":"client.mail"},{"name":"number","from":"file","path":"n","optional":true}]`)
	v := values("api_key", "abc-us21", "file", `{"client":{"mail":"a@b.c"},"n":12}`)
	if err := d.Derive(v); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"dc": "us21", "zone": "21", "mail": "a@b.c", "number": "12"} {
		if got := v[name].Reveal(); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	given := values("api_key", "abc-us21", "dc", "eu1")
	if err := d.Derive(given); err != nil || given["dc"].Reveal() != "eu1" || !given["mail"].IsZero() {
		t.Errorf("a value that exists was replaced: dc %s, %v", given["dc"].Reveal(), err)
	}
	for _, bad := range []Values{values("api_key", "canary-without"), values("api_key", "a-us1", "file", "canary"), values("api_key", "a-us1", "file", `{"canary":1}`), values("api_key", "a-us1", "file", `{"client":{"mail":{}}}`)} {
		if err := d.Derive(bad); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", describeValues(bad), err)
		}
	}
}

// An expression that Go does not have is distinguished from one that nothing can read.
func TestPatternErrors(t *testing.T) {
	for pattern, want := range map[string]string{
		"[unclosed": `not a regular expression: missing closing ] in "[unclosed"`, "a)": `unexpected ) in "a)"`, "*a": `repetition operator in "*"`, `a\`: `trailing backslash`,
		`(?=a)b`: "look-around", `a(?<!b)`: "look-around", `(a)\1`: "look-around, back references", `(?P<n>a)(?P=n)`: "back references", `(?>a)`: "atomic groups",
	} {
		_, err := Parse(fmt.Appendf(nil, `{"schema_version":2,"name":"a","flows":["api_key"],"hosts":["api.a.com"],"params":[{"name":"api_key","secret":true,"pattern":%q}]}`, pattern))
		if e, ok := errors.AsType[*FieldError](err); !ok || e.Field != "params[0].pattern" || !strings.Contains(e.Error(), want) || (e.Hint != "") == strings.HasPrefix(e.Reason, "not a") {
			t.Errorf("%s: %v; want %s", pattern, err, want)
		}
	}
}
