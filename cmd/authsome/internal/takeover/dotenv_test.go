package takeover

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
)

func TestParseDotenv(t *testing.T) {
	for _, tt := range []struct {
		text, written, value string // of A
		doubt                error
	}{
		{text: "A=key", written: "key", value: "key"},
		{text: "\ufeffA=key\r\nB=2\r\n", written: "key", value: "key"},
		{text: "# A=old\n\n  export\tA = key # remark", written: "key", value: "key"},
		{text: "A=key\rB=2", written: "key", value: "key"},
		{text: "A=old\nA=key\n", written: "key", value: "key"},
		{text: "A=two words\t \n", written: "two words", value: "two words"},
		{text: "A=a=b==\n", written: "a=b==", value: "a=b=="},
		{text: `A=a\nb"c'`, written: `a\nb"c'`, value: `a\nb"c'`},
		{text: "A=#remark\nB=2"},
		{text: "A=\nB=2"},
		{text: "A= # remark"},
		{text: "A="},
		{text: "A=''#remark"},
		{text: "A=a#b", written: "a#b", value: "a#b", doubt: errHash},
		{text: "A='a # b' # remark", written: "a # b", value: "a # b"},
		{text: `A='it\'s\n'`, written: `it\'s\n`, value: `it's\n`},
		{text: `A="a\n\t\"b\"\\n\q"`, written: `a\n\t\"b\"\\n\q`, value: "a\n\t\"b\"\\n\\q"},
		{text: "A=\"-----BEGIN\r\nB=2\r\n-----END\"\r\nC=3", written: "-----BEGIN\r\nB=2\r\n-----END", value: "-----BEGIN\nB=2\n-----END"},
		{text: "A='x\ny'", written: "x\ny", value: "x\ny"},
		{text: "A=`it's \"so\\`", written: "it's \"so\\", value: "it's \"so\\"},
		{text: "export A=key\nexport B\nC # remark\n", written: "key", value: "key"},
		{text: "export=1\nA=key", written: "key", value: "key"},
		{text: "A=${B}", written: "${B}", value: "${B}", doubt: errExpanded},
		{text: "A=pre$B", written: "pre$B", value: "pre$B", doubt: errExpanded},
		{text: `A="$(pass)"`, written: "$(pass)", value: "$(pass)", doubt: errExpanded},
		{text: "A='pre$B'", written: "pre$B", value: "pre$B"},
		{text: "A='${B}'", written: "${B}", value: "${B}", doubt: errExpanded},
		{text: "A=5$", written: "5$", value: "5$"},
	} {
		all, skipped := parseDotenv(tt.text)
		if len(skipped) > 0 {
			t.Errorf("%q: skipped %v", tt.text, skipped)
		}
		var a assignment
		for _, found := range all {
			if found.name == "A" {
				a = found
			}
		}
		if a.name == "" || tt.text[a.start:a.end] != tt.written || a.value.Reveal() != tt.value || !errors.Is(a.doubt, tt.doubt) {
			t.Errorf("%q: %q at %q, doubt %v; want %q at %q, doubt %v", tt.text, a.value.Reveal(), tt.text[a.start:a.end], a.doubt, tt.value, tt.written, tt.doubt)
		}
	}
}

// A line that python-dotenv skips is skipped, and all others are read.
func TestDotenvSkipsLines(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\r\nB=\"canary\nC=3\n":           "A=1 C=3; 2: a quote is not closed",
		"\n\nA='canary":                      "; 3: a quote is not closed",
		"A=`canary\nB=2":                     "B=2; 1: a quote is not closed",
		"A='x\ny'\rB=\"canary\"canary\rC=3":  "A=x\ny C=3; 3: there is text after the quoted value",
		"B='canary\nA=1' x\nC=3":             "C=3; 1: there is text after the quoted value",
		"A=1\nMIIcanary+canary x\nB=2":       "A=1 B=2; 2: not NAME=value",
		"A: canary\nB=2":                     "B=2; 1: not NAME=value",
		"export canary canary\nB=2":          "B=2; 1: not NAME=value",
		"=canary\nB=2":                       "B=2; 1: not NAME=value",
		"A='it\\'\nB=2":                      `A=it\ B=2`,
		"'A'=1\n'B=canary":                   "A=1; 2: not NAME=value",
		"A\u00a0=\u00a01\u2003\n\f\u00a0B=2": "A=1 B=2",
	} {
		var got []string
		all, skipped := parseDotenv(text)
		for _, a := range all {
			got = append(got, a.name+"="+a.value.Reveal())
		}
		line := strings.Join(got, " ")
		for _, s := range skipped {
			line += fmt.Sprintf("; %d: %v", s.number, s.reason)
		}
		if line != want {
			t.Errorf("%q: %q, want %q", text, line, want)
		}
	}
}

// If a placeholder replaces one value, the file then has that placeholder as that value,
// and all other values and all other bytes are the same.
func FuzzDotenv(f *testing.F) {
	for _, text := range []string{
		"A=1\r\n# c\nexport B='x y' # c\nC=\"a\\n\\\"b\nc\"\nD=`q`\nA=2", "\ufeffA=\n\nB = ${A}#\rC", "A=\"\"B='", "export=", "A='\\'\nB=''", "A=#\n=",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		all, skipped := parseDotenv(text)
		for i, a := range all {
			if a.start > a.end || i > 0 && a.start < all[i-1].end {
				t.Fatalf("%q: a value from %d to %d", text, a.start, a.end)
			}
			if a.start == a.end {
				continue // an empty value is not replaced
			}
			replaced := text[:a.start] + providers.PlaceholderMark + text[a.end:]
			if back := strings.Replace(replaced, providers.PlaceholderMark, text[a.start:a.end], 1); !strings.Contains(text, providers.PlaceholderMark) && back != text {
				t.Fatalf("%q became %q", text, back)
			}
			again, skippedAgain := parseDotenv(replaced)
			if len(skippedAgain) != len(skipped) || len(again) != len(all) {
				t.Fatalf("%q became %q: skipped %v, now %v", text, replaced, skipped, skippedAgain)
			}
			for k, b := range again {
				want := all[k].value.Reveal()
				if k == i {
					want = providers.PlaceholderMark
				}
				if b.name != all[k].name || b.value.Reveal() != want {
					t.Fatalf("%q became %q: %s is %q, want %q", text, replaced, b.name, b.value.Reveal(), want)
				}
			}
		}
	})
}
