package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/secret"
)

// FuzzExport checks that a real shell reads an exported secret unchanged, from both
// formats and in each way of reading them, or that the format refuses the secret.
func FuzzExport(f *testing.F) {
	for _, s := range []string{
		"sk-plain_0123456789", "it's", "a b", "$(id)", "`id`", "${HOME}", `back\slash`, `\`, "*", "a*", "~", "!history!", "line\nbreak", "tab\there", "trailing\n",
		"'", "''", `"`, "#no-comment", "a;b", "a&b", "a|b", ">x", "\x01", "é", "\xff\xfe", "=", "-n", "%s",
	} {
		f.Add(s)
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "FUZZED=a"), nil, 0o600); err != nil { // a file that an unquoted pattern would match
		f.Fatal(err)
	}
	read := func(t *testing.T, script, text string) string {
		file := filepath.Join(t.TempDir(), "exported")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(bash, "-c", script+"\nprintf %s \"$FUZZED\"", "bash", file)
		cmd.Env, cmd.Dir = []string{"HOME=/elsewhere"}, dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s of %q: %v: %s", script, text, err, out)
		}
		return string(out)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if value == "" {
			return // an empty secret is not exported
		}
		all := []variable{{name: "FUZZED", value: secret.New(value)}}
		if text, err := shellLines(all); err != nil {
			if !strings.ContainsRune(value, 0) {
				t.Errorf("%q: %v", value, err)
			}
		} else if got := read(t, `eval "$(cat "$1"; echo :)"`, text); got != value {
			t.Errorf("shell: %q became %q", value, got)
		}
		if text, err := envLines(all); err == nil {
			for _, script := range []string{`export $(cat "$1")`, `set -a; . "$1"`, `IFS= read -r line < "$1"; FUZZED=${line#*=}`} {
				if got := read(t, script, text); got != value {
					t.Errorf("%s: %q became %q", script, value, got)
				}
			}
		}
		if text, err := jsonObject(all); err == nil && utf8.ValidString(value) && !strings.Contains(text, "FUZZED") {
			t.Errorf("json: %s", text)
		}
	})
}

// Which of the connections with the same variable has its plain name.
func TestPlainNameIsOfOneDefault(t *testing.T) {
	of := func(provider, name string, isDefault bool) variable {
		return variable{name: "KEY", value: secret.New("k"), from: auth.Connection{Provider: provider, Name: name, Default: isDefault}}
	}
	lost := func(v variable) variable {
		v.leftOut = true
		return v
	}
	for want, all := range map[string][]variable{
		"KEY":                         {of("a", "x", false)},
		"KEY_A_X KEY":                 {of("a", "x", false), of("a", "y", true)},
		"KEY_A_X KEY_A_Y":             {of("a", "x", false), of("a", "y", false)},
		"KEY KEY_B_X KEY_B_Y":         {of("a", "x", true), of("b", "x", true), of("b", "y", false)},
		"KEY_A_Y":                     {lost(of("a", "x", true)), of("a", "y", false)},
		"KEY_B_X":                     {lost(of("a", "x", true)), of("b", "x", true)},
		"":                            {lost(of("a", "x", true))},
		"KEY_A_X KEY KEY_B_Y KEY_C_X": {of("a", "x", false), of("b", "x", true), of("b", "y", false), of("c", "x", true)},
	} {
		kept, err := disambiguate(all, "")
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, v := range kept {
			names = append(names, v.name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
