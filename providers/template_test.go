package providers

import (
	"errors"
	"fmt"
	"testing"
)

func TestNames(t *testing.T) {
	for template, want := range map[string]string{
		"": "[]", "x": "[]", "{a}": "[a]", "{a}{b_2}": "[a b_2]", "x{a}y": "[a]", "{A}": "[]", "{}": "[]", "{2}": "[]", "{a": "[]", "a}": "[]",
		`{"a": {b}}`: "[b]", "{{a}}": "[a]", "{a b}": "[]", "{a{b}": "[b]",
	} {
		if got := fmt.Sprint(names(template)); got != want {
			t.Errorf("%s: %s, want %s", template, got, want)
		}
	}
}

// TestExpandKeepsValuesInTheirPlace checks that a value cannot add to another part of a
// URL.
func TestExpandKeepsValuesInTheirPlace(t *testing.T) {
	d, err := Parse([]byte(fmt.Sprintf(noHosts, `,"hosts":["{base_url}"]`)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ template, value, want string }{
		{"https://h/{shop}/x", "a b/c?d#e", "https://h/a%20b%2Fc%3Fd%23e/x"},
		{"https://h/x?a={shop}&b", "1&c=2 +", "https://h/x?a=1%26c%3D2+%2B&b"},
		{"https://{shop}.h:8443?x={shop}", "a", "https://a.h:8443?x=a"},
		{"https://{shop}.h/x", "A", "https://a.h/x"},
		{"https://{shop}.h/x", "a.b", ""},
		{"https://{shop}.h/x", "evil.net/", ""},
		{"https://{shop}.h/x", "evil.net?", ""},
		{"https://{shop}.h/x", "u@evil.net", ""},
		{"https://h/{shop}/x", "..", ""},
		{"https://h/{shop}/x", ".", ""},
		{"{base_url}/a/{shop}", "x/y", "https://own.net/base/a/x%2Fy"},
		{"Bearer {shop}", "a b/?", "Bearer a b/?"},
		{"{shop}", "a/b", "a/b"},
	} {
		got, err := d.Expand("f", tt.template, values("shop", tt.value, "base_url", "https://own.net/base/"))
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s with %q: %q, %v; want %q", tt.template, tt.value, got, err, tt.want)
		}
	}
	_, err = d.Expand("oauth.token_url", "https://h/{shop}", nil)
	if missing, ok := errors.AsType[*UnfilledError](err); !ok || missing.Name != "shop" || missing.Field != "oauth.token_url" {
		t.Errorf("error %v, want an UnfilledError for shop", err)
	}
}

// TestExpandRequiresAPublicHostFromTheTokenResponse covers a host that the token
// endpoint returned.
func TestExpandRequiresAPublicHostFromTheTokenResponse(t *testing.T) {
	d := parse(t, instance)
	for value, want := range map[string]string{"eu1.sample.com": "https://eu1.sample.com/t", "127.0.0.1": "", "localhost": "", "metadata.internal": "", "169.254.169.254": "", "u@evil.net": ""} {
		got, err := d.Expand("f", "https://{instance}/t", values("instance", value))
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", value, got, err, want)
		}
	}
}
