package providers

import (
	"encoding/json"
	"testing"
)

func TestPlainJSON(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": 1}`:             `{"a": 1}`,
		"{\"a\":1} // the end": `{"a":1}           `,
		"{ // one\r\n\"a\": [1, 2, /* , */ ],\n}":        "{       \r\n\"a\": [1, 2          ] \n}",
		`{"a": "// not, /* a */ comment,", "b": "\",]"}`: `{"a": "// not, /* a */ comment,", "b": "\",]"}`,
		`[1,,]`:         `[1, ]`,
		`{"a": 1 / 2}`:  `{"a": 1 / 2}`,
		`{"a": /* open`: `{"a": /* open`,
		`"open`:         `"open`,
		``:              ``,
	} {
		if got := string(plainJSON([]byte(in))); got != want {
			t.Errorf("%q\n got %q\nwant %q", in, got, want)
		}
	}
}

// FuzzPlainJSON checks that JSON stays as it is, and that a second time changes nothing.
func FuzzPlainJSON(f *testing.F) {
	for _, seed := range []string{`{"a": [1, "x\\\"//"]}`, "{//\n}", "[1,/**/]", "[,]", `/`, `"\`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once := plainJSON(data)
		if json.Valid(data) && string(once) != string(data) {
			t.Errorf("%q became %q", data, once)
		}
		if json.Valid(once) && string(plainJSON(once)) != string(once) {
			t.Errorf("%q became %q", once, plainJSON(once))
		}
	})
}
