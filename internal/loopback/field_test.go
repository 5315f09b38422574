package loopback_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/authsome/authsome/internal/loopback"
)

func TestFieldTake(t *testing.T) {
	pattern := regexp.MustCompile(`^ak-[0-9a-f]{8}$`)
	plain := loopback.Field{Name: "api_key", Label: "API key", Secret: true}
	patterned := plain
	patterned.Check = func(value string) error {
		if !pattern.MatchString(value) {
			return errors.New("expected ak- and eight digits")
		}
		return nil
	}
	optional := plain
	optional.Optional = true
	file := plain
	file.Long = true
	long := strings.Repeat("k", loopback.MaxValue)
	for _, test := range []struct {
		name    string
		field   loopback.Field
		entered string
		want    string
		wrong   bool
	}{
		{"plain", plain, "k-1", "k-1", false},
		{"newline from a pipe", plain, "k-1\n", "k-1", false},
		{"white space around", plain, " \t\r\n\u00a0k-1\u2003\r\n", "k-1", false},
		{"space inside is part of the key", plain, "user name:pass word", "user name:pass word", false},
		{"case and punctuation are kept", plain, `"K-1+/=`, `"K-1+/=`, false},
		{"maximum length", plain, " " + long + "\n", long, false},
		{"matching pattern", patterned, "ak-0123abcd", "ak-0123abcd", false},
		{"empty and optional", optional, " ", "", false},
		{"key file", file, "line 1\r\nline 2\n", "line 1\r\nline 2", false},
		{"JSON key file becomes one line", file, "{\n  \"a\": 1\n}", `{"a":1}`, false},
		{"empty", plain, "", "", true},
		{"white space only", plain, " \n\t ", "", true},
		{"newline inside", plain, "k-1\nk-2", "", true},
		{"carriage return inside", plain, "k-1\rX-Evil: 1", "", true},
		{"tab inside", plain, "k\t1", "", true},
		{"NUL", plain, "k\x001", "", true},
		{"DEL", plain, "k\x7f1", "", true},
		{"C1 control", plain, "k\u009b1", "", true},
		{"zero-width space", plain, "k-1\u200b", "", true},
		{"byte order mark", plain, "\ufeffk-1", "", true},
		{"not UTF-8", plain, "k\xff1", "", true},
		{"too long", plain, long + "k", "", true},
		{"wrong pattern", patterned, "canary-0123abcd", "", true},
		{"pattern inside a longer text", patterned, "xak-0123abcdx", "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			value, err := test.field.Take(test.entered)
			if value.Reveal() != test.want || (err != nil) != test.wrong {
				t.Fatalf("value %q, error %v", value.Reveal(), err)
			}
			if err == nil {
				return
			}
			if e, ok := errors.AsType[*loopback.FieldError](err); !ok || e.Field != "api_key" {
				t.Errorf("error %v is not a FieldError for api_key", err)
			}
			for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err)} {
				if part := strings.TrimSpace(test.entered); len(part) > 1 && (strings.Contains(text, part) || strings.Contains(text, "canary")) {
					t.Errorf("the error repeats what was entered: %s", text)
				}
			}
		})
	}
}

func TestFieldWithSeveralLines(t *testing.T) {
	f := loopback.Field{Name: "key_file", Long: true}
	const pem = "-----BEGIN X-----\nYQ==\n-----END X-----"
	for entered, want := range map[string]string{
		" {\n\t\"a\": 1\r\n}\n": `{"a":1}`,
		pem + "\n":              pem,
	} {
		if v, err := f.Take(entered); err != nil || v.Reveal() != want {
			t.Errorf("%q: got %q, %v", entered, v.Reveal(), err)
		}
	}
	for _, entered := range []string{"{\x00}", "a\u2060b", ""} {
		_, err := f.Take(entered)
		if wrong, ok := errors.AsType[*loopback.FieldError](err); !ok || wrong.Field != "key_file" || entered != "" && strings.Contains(fmt.Sprint(err), entered) {
			t.Errorf("%q: %v", entered, err)
		}
	}
}
