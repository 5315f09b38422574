package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The hint of an error is the next command for the command line that failed, and works
// as it is: it is a valid command line, and not the one that failed.
func TestHints(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	invoke := func(stdin, line string) (string, int) {
		var out bytes.Buffer
		a := newApp()
		a.In, a.Out, a.Err = strings.NewReader(stdin), &out, &out
		a.Getenv = func(name string) string {
			return map[string]string{"AUTHSOME_HOME": filepath.Join(dir, "home"), "HTTPS_PROXY": "http://127.0.0.1:9"}[name]
		}
		code := execute(t.Context(), a, strings.Fields(line))
		return out.String(), code
	}
	for _, name := range []string{"lone", "tagged"} {
		writeText(t, name+".json", `{"schema_version":2,"name":"`+name+`","flows":["api_key"],"hosts":["api.`+name+`.example"],"env":[{"name":"SHARED_API_KEY","value":"{api_key}","placeholder":"{mark}"}]}`)
	}
	for _, line := range []string{
		"login resend --key-stdin --no-verify", "login resend --connection second --key-stdin --no-verify", "login resend --connection third --key-stdin --no-verify",
		"logout resend --connection default", "login groq --connection only --key-stdin --no-verify", "profile create work",
		"register lone.json --yes", "login lone --key-stdin", "login lone --connection second --key-stdin", "connection copy groq only --to work",
	} {
		if out, code := invoke("re_0123456789abcdef", line); code != 0 {
			t.Fatalf("authsome %s: %s", line, out)
		}
	}
	for line, want := range map[string]string{
		// no default among several connections
		"get resend":                       "get resend --connection second",
		"get resend --field status":        "get resend --field status --connection second",
		"export resend --format shell":     "export resend --format shell --connection second",
		"logout resend":                    "logout resend --connection second",
		"connection copy resend --to work": "connection copy resend second --to work",
		"connection move resend --to work": "connection move resend second --to work",
		"--profile default logout resend":  "--profile default logout resend --connection second",
		// a connection that does not exist
		"get groq --connection default":       "get groq --connection only",
		"get resend --connection thir":        "get resend --connection third",
		"get resend --connection third-2":     "get resend --connection third",
		"export groq --connection work":       "export groq --connection only",
		"default groq work":                   "default groq only",
		"connection move groq x --to work":    "connection move groq only --to work",
		"connection copy groq x --to work":    "connection copy groq only --to work",
		"run --connection groq=other -- true": "login groq --connection other",
		// a provider that is not connected
		"get openai":                    "login openai",
		"export openai":                 "login openai",
		"default openai work":           "login openai --connection work",
		"run --provider openai -- true": "login openai",
		// a provider that does not exist
		"get resendd --field api_key":         "get resend --field api_key",
		"login opnai --key-stdin":             "login openai --key-stdin < FILE",
		"connection move resendd a --to work": "connection move resend a --to work",
		"export email":                        "list --category mail",
		"logout zz":                           "list",
		"run --provider antropic -- true":     "list anthropic",
		// something exists already
		"login groq --connection only --key-stdin": "login groq --connection only --force --key-stdin < FILE",
		"connection copy groq only --to work":      "connection copy groq only --to work --as NAME",
		"connection copy groq only --to default":   "connection copy groq only --to default --as NAME",
		"profile create work":                      "profile list",
		"register lone.json":                       "register lone.json --force",
		// a flag is missing or wrong
		"get groq --field api_key":                           "get groq --field api_key --show-secret",
		"get groq --field nonsense":                          "get groq",
		"connection copy groq only":                          "connection copy groq only --to PROFILE",
		"connection copy groq only --to nowhere":             "profile create nowhere",
		"profile delete work":                                "profile delete work --yes",
		"login openai --connection a --flow pkce":            "login openai --connection a --flow api_key",
		"login openai --connection a --param api_key=x":      "login openai --connection a --secrets-stdin < FILE",
		"login openai --connection a --base-url https://x.y": "login openai --connection a",
		"login resend --connection a":                        "login resend --connection a --key-stdin < FILE",
		"--profile nowhere list":                             "profile list",
		"vault backup home/x.age":                            "vault backup home/x.age --passphrase-file FILE",
		"lgoin":                                              "login",
		"nonsense":                                           "help",
		"get":                                                "get --help",
	} {
		before := line
		out, code := invoke("", line)
		_, hint, _ := strings.Cut(out, "authsome: hint: authsome ")
		hint = strings.TrimSuffix(hint, "\n")
		if code == 0 || hint != want || hint == before {
			t.Errorf("authsome %s: exit %d, want hint %s:\n%s", line, code, want, out)
			continue
		}
		if err := parseInvocation("authsome " + hint); err != nil {
			t.Errorf("authsome %s: hint %s: %v", line, hint, err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "home", "x.age")); err == nil {
		t.Error("a backup was written")
	}
}
