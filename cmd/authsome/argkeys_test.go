package main

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

func TestKeysIn(t *testing.T) {
	const key = "sk-proj-4f7a9c1e2b8d6035aabbccdd"
	for line, want := range map[string]string{
		"login openai " + key: key, "login openai --param api_key=" + key: key, "login --connection=" + key: key, "get --field " + key: key,
		"run -- curl -H Authorization:Bearer\u00a0" + key: key, "why https://api.x.com/?key=" + key: key,
		"login github --client-id Ov23liABCDEFGHIJ0123456789": "", "login github --client-id=Ov23liABCDEFGHIJ0123456789": "",
		"log --run ABCDEFGHIJKLMN0123456789AB": "", "login twilio --param account_sid=AC0123456789abcdef0123456789abcdef": "",
		"run -- claude --dangerously-skip-permissions": "", "list": "", "": "",
	} {
		if got := strings.Join(keysIn(strings.Fields(line)), " "); got != want && strings.TrimPrefix(got, "\u00a0") != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// A key in the place of any argument or flag of any command is neither printed nor
// stored, and the hint is a command line without it.
func TestKeyAsAnArgumentIsNotEchoed(t *testing.T) {
	skipCommands(t)
	const key = "sk-proj-canary4f7a9c1e2b8d6035aabb"
	dir := t.TempDir()
	t.Chdir(t.TempDir())
	invoke := func(args ...string) string {
		var out bytes.Buffer
		a := newApp()
		a.In, a.Out, a.Err = strings.NewReader(""), &out, &out
		a.Getenv = func(name string) string {
			return map[string]string{"AUTHSOME_HOME": filepath.Join(dir, "home"), "HTTPS_PROXY": "http://127.0.0.1:9"}[name]
		}
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		execute(ctx, a, args)
		return out.String()
	}
	check := func(args ...string) {
		t.Helper()
		for _, args := range [][]string{args, append(slices.Clone(args), "--json")} {
			out := invoke(args...)
			if strings.Contains(out, key) {
				t.Errorf("authsome %s prints the key:\n%s", strings.Join(args, " "), out)
			}
			_, hint, _ := strings.Cut(out, "hint: ")
			hint, _, _ = strings.Cut(hint, "\n")
			if !strings.HasPrefix(hint, "authsome ") {
				continue
			}
			if err := parseInvocation(hint); err != nil {
				t.Errorf("authsome %s: hint %s: %v", strings.Join(args, " "), hint, err)
			}
		}
	}
	for _, cmd := range commands() {
		words := strings.Fields(cmd.CommandPath())[1:]
		if cmd.Name() == "demo" || cmd.Name() == "man" { // they create directories
			continue
		}
		check(append(slices.Clone(words), key)...)
		if cmd.Name() != "proxy" && cmd.Name() != "run" {
			check(append(slices.Clone(words), "openai", key)...)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" || cmd.Name() == "proxy" && f.Name != "listen" && f.Name != "provider" {
				return
			}
			check(append(slices.Clone(words), "openai", "--"+f.Name, key)...)
			check(append(slices.Clone(words), "openai", "--"+f.Name+"="+key)...)
			check(append(slices.Clone(words), "--"+f.Name, "x="+key)...)
		})
	}
	check(key)
	check("--"+key, "list")
	check("--profile", key, "list")
	if found := findSecret(filepath.Join(dir, "home"), key); len(found) > 0 {
		t.Errorf("stored: %v", found)
	}
}

// What may be a key in the place of the name of a provider is not printed either, also if it
// has a shape that other arguments have without being secret.
func TestKeyAsAProviderIsNotEchoed(t *testing.T) {
	skipCommands(t)
	home := t.TempDir()
	for _, key := range []string{"550e8400-e29b-41d4-a716-446655440000", "0123456789abcdef0123", "ATATT3xFf_ghi-jk=ABCD1234", "1//0gAbC-dEf_GhI", "YWJjZGVmZ2hp.a2xtbm9wcXJz/abc"} {
		for _, cmd := range commands() {
			words := append(strings.Fields(cmd.CommandPath())[1:], key)
			if !strings.Contains(cmd.Use, " PROVIDER") && !strings.Contains(cmd.Use, "[PROVIDER]") && cmd.Name() != "list" {
				continue
			}
			if strings.Contains(cmd.Use, " CONNECTION") {
				words = append(words, "x")
			}
			if cmd.Flags().Lookup("to") != nil {
				words = append(words, "--to", "second")
			}
			for _, args := range [][]string{words, append(slices.Clone(words), "--json")} {
				var out bytes.Buffer
				a := newApp()
				a.In, a.Out, a.Err = strings.NewReader(""), &out, &out
				a.Getenv = func(name string) string { return map[string]string{"AUTHSOME_HOME": home}[name] }
				execute(t.Context(), a, args)
				if strings.Contains(out.String(), key) {
					t.Errorf("authsome %s prints it:\n%s", strings.Join(args, " "), out.String())
				}
			}
		}
	}
}

// The hint for a key on the command line of a login is the login that reads it.
func TestLoginWithAKeyAsAnArgument(t *testing.T) {
	home := t.TempDir()
	for line, want := range map[string]string{
		"login sk-proj-4f7a9c1e2b8d6035aabbccdd":                                   "login openai --key-stdin < FILE",
		"login openai sk-proj-4f7a9c1e2b8d6035aabbccdd":                            "login openai --key-stdin < FILE",
		"login sk-ant-api03-4f7a9c1e2b8d6035aabb claude":                           "login anthropic --key-stdin < FILE",
		"login ghp_0123456789abcdefghij0123":                                       "login github-pat --key-stdin < FILE",
		"login github ghp_0123456789abcdefghij0123":                                "login github-pat --key-stdin < FILE",
		"login resend notshapedlikeone":                                            "login resend --key-stdin < FILE",
		"login 0123456789abcdef0123456789abcdef":                                   "login PROVIDER --key-stdin < FILE",
		"login openai --api-key=sk-proj-4f7a9c1e2b8d6035":                          "login openai --key-stdin < FILE",
		"login mcp --redirect-url https://x.test/sk-proj-4f7a9c1e2b8d6035aabbccdd": "login --help",
		"login slack --connection sk-proj-4f7a9c1e2b8d6035aabbccdd":                "login slack-token --key-stdin < FILE",
		"login groq --connection gsk_0123456789abcdef":                             "login groq --key-stdin < FILE",
		"login 550e8400-e29b-41d4-a716-446655440000":                               "login PROVIDER --key-stdin < FILE",
	} {
		var out bytes.Buffer
		a := newApp()
		a.In, a.Out, a.Err = strings.NewReader(""), &out, &out
		a.Getenv = func(name string) string { return map[string]string{"AUTHSOME_HOME": home}[name] }
		execute(t.Context(), a, strings.Fields(line))
		if !strings.HasSuffix(out.String(), "authsome: hint: authsome "+want+"\n") {
			t.Errorf("%s: %s", line, out.String())
		}
	}
}
