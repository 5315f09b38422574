package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A report has what somebody needs who reads a bug report, and nothing that must not
// leave the machine, even if the log and the environment have it.
func TestReportIsRedacted(t *testing.T) {
	const (
		key   = "re_canary-5d41402abc4b2a76b9719d911017c592"
		token = "sk-canary-7d793037a0760186574b0282f2f435e7"
		pass  = "hunter2-canary"
	)
	b := newBench(t)
	b.run(key, "login", "resend", "--connection", "acmecorp", "--key-stdin", "--no-verify")
	b.run("", "profile", "create", "initech")
	b.run(token, "--profile", "initech", "login", "openai", "--key-stdin", "--no-verify")
	// What is in a definition is not in the report, not even if it is a fault.
	writeText(t, filepath.Join(b.home, "providers", "wonka.json"), `{"schema_version": 2, "name": "wonka", "cyberdyne": true}`)
	writeText(t, filepath.Join(b.home, "providers", "soylent.json"), `{"schema_version": 2, "name": "soylent", "flows": ["api_key"], "hosts": ["api.soylent.test"]}`)
	b.run(key, "--profile", "initech", "login", "soylent", "--key-stdin", "--no-verify")
	writeText(t, filepath.Join(b.home, "providers", "soylent.json"), `{"schema_version": 2, "name": "soylent", "flows": ["api_key"], "hosts": ["{cyberdyne}.soylent.test"], "params": [{"name": "api_key", "label": "Key", "secret": true}, {"name": "cyberdyne", "label": "Cyberdyne"}]}`)
	b.run("", "--profile", "initech", "connection", "accept", "soylent", "--yes", "--host", "{cyberdyne}.soylent.test")
	var log strings.Builder
	for name, form := range forms(key) {
		fmt.Fprintf(&log, "time=2026-11-30T00:00:00Z level=INFO msg=%q err=\"before %s after\"\n", name, form)
	}
	for name, form := range forms(token) {
		fmt.Fprintf(&log, "time=2026-11-30T00:00:00Z level=INFO msg=%q err=\"before %s after\"\n", name, form)
	}
	log.WriteString("time=2026-11-30T00:00:00Z level=INFO msg=\"no response from upstream\" host=git.umbrella.example port=443 err=\"get https://git.umbrella.example/wayne/x: 10.9.8.7:443\"\n")
	if err := os.WriteFile(filepath.Join(b.home, "logs", "authsome.log"), []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	user := filepath.Join(t.TempDir(), "stark")
	if err := os.Mkdir(user, 0o700); err != nil {
		t.Fatal(err)
	}
	b.more = []string{
		"HTTPS_PROXY=http://wayne:" + pass + "@127.0.0.1:9", "GITHUB_TOKEN=" + token, "OSCORP_PASSWORD=" + pass, "HOME=" + user, "NO_PROXY=git.umbrella.example",
		"LANG=C.UTF-8", "AUTHSOME_PROFILE=initech",
	}
	for _, args := range [][]string{{"doctor", "--report"}, {"doctor", "--report", "--json"}} {
		out, err := b.command(args...).Output()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, b.out.String())
		}
		for _, secret := range []string{key, token, pass} {
			// A half of a secret may be left where the log has only that half.
			for _, form := range leaks(out, secret) {
				t.Errorf("%v contains a secret %s", args, form)
			}
		}
		for _, name := range []string{"acmecorp", "initech", "umbrella", "wayne", "stark", "10.9.8.7", "oscorp", "OSCORP", "cyberdyne", "CYBERDYNE", b.home} {
			if strings.Contains(string(out), name) {
				t.Errorf("%v contains %s", args, name)
			}
		}
		for _, want := range []string{"no response from upstream", "<host-1>", "<address-1>", "<profile-1>", "HTTPS_PROXY", "http proxy, port 9, with credentials", "local_key", "profiles/<profile-1>/vault.json", "C.UTF-8", "<home>/providers/wonka.json; the reason is not in the report", "requests to soylent/default get no credential"} {
			if !strings.Contains(string(out), want) {
				t.Errorf("%v does not contain %s:\n%s", args, want, out)
			}
		}
		if strings.Contains(strings.Join(args, " "), "--json") && !json.Valid(out) {
			t.Errorf("not JSON: %s", out)
		}
	}
}
