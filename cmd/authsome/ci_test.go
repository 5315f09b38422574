package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// job is a CI job on a new machine: it has a directory and the variables that the test
// gives it, and neither a home directory, nor a terminal, nor a keyring.
type job struct {
	t    *testing.T
	dir  string
	env  []string
	said bytes.Buffer
}

func newJob(t *testing.T) *job {
	t.Helper()
	b := newBench(t)
	j := &job{t: t, dir: t.TempDir()}
	j.env = []string{
		"PATH=" + filepath.Dir(b.binary) + ":/usr/bin:/bin", "RUNNER_TEMP=" + j.dir, "GORACE=" + raceOptions,
		"HTTPS_PROXY=http://127.0.0.1:9", // keys are not checked with the real services
	}
	return j
}

// script runs a script of the job.
func (j *job) script(text string, env ...string) error {
	cmd := exec.Command("sh", "-eu", "-c", text)
	cmd.Dir, cmd.Env = j.dir, append(j.env, env...)
	cmd.Stdout, cmd.Stderr = &j.said, &j.said
	return cmd.Run()
}

// The scripts in docs/ci.md work on a new machine that has only the variables and files
// which the page names, and show no key.
func TestScriptsForCI(t *testing.T) {
	const key = "sk-canary0123456789abcdefghij"
	page, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts := regexp.MustCompile("(?s)```sh\n(.+?)```").FindAllStringSubmatch(string(page), -1)
	if len(scripts) < 4 {
		t.Fatalf("found only %d scripts", len(scripts))
	}
	backup, identity := preparedVault(t, key)
	for _, script := range scripts {
		j := newJob(t)
		for name, text := range map[string]string{
			"agent": "#!/bin/sh\nenv\n", "openai-key": key + "\n", "identity": identity, "ci.age": backup,
		} {
			must(t, os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o700))
		}
		if err := j.script(script[1], "OPENAI_API_KEY="+key); err != nil {
			t.Errorf("%v:\n%s\n%s", err, script[1], &j.said)
			continue
		}
		said := j.said.String()
		if !strings.Contains(said, "AUTHSOME_PROXY_MODE=true") {
			t.Errorf("the agent did not run:\n%s\n%s", script[1], said)
		}
		if connects := !strings.Contains(script[1], "doctor"); connects && !strings.Contains(said, "OPENAI_API_KEY=sk-authsome-proxy-managed") {
			t.Errorf("the agent has no placeholder:\n%s\n%s", script[1], said)
		} else if found := leaks(j.said.Bytes(), key); connects && len(found) > 0 {
			t.Errorf("the job's output has the key %v:\n%s", found, script[1])
		}
	}
}

// preparedVault makes a backup of a profile ci with one connection, and the identity that
// opens it.
func preparedVault(t *testing.T, key string) (backup, identity string) {
	t.Helper()
	b := newBench(t)
	b.run("", "profile", "create", "ci")
	b.run(key, "--profile", "ci", "login", "openai", "--key-stdin", "--no-verify")
	file := filepath.Join(t.TempDir(), "ci.age")
	b.run("", "--profile", "ci", "vault", "backup", file, "--recipient", "age1trapze6xlg06mxa5h6mnk20pel2vcg38nn2fwrx74phknrf6uu4qjcftlv")
	data, err := os.ReadFile(file)
	must(t, err)
	return string(data), "AGE-SECRET-KEY-1F7TYNAUZGJEM4YQ9GMLK6AE2U6SDPT8W3KXPVMWPL2VRFZZMSL4Q305P42\n"
}

// In a job, the credential reaches the service and nothing else, and nothing is asked.
func TestJobInCI(t *testing.T) {
	const key = "re_canary0123456789abcdef"
	j, s := newJob(t), startService(t)
	run := "export AUTHSOME_HOME=$RUNNER_TEMP/home\n"
	must(t, j.script(run+"authsome login resend", "RESEND_API_KEY="+key))
	_, port, _ := strings.Cut(s.addr, ":")
	if err := j.script(run + "unset HTTPS_PROXY\nauthsome run --connect-to api.resend.com:443:127.0.0.1:" + port + " --upstream-ca " + s.ca + " -- agent get https://api.resend.com/"); err != nil {
		t.Fatalf("%v: %s", err, &j.said)
	}
	if seen := s.authorizations(); len(seen) != 1 || seen[0] != "Bearer "+key || !strings.Contains(j.said.String(), "200 fine") {
		t.Errorf("the service saw %q: %s", seen, &j.said)
	}
	if found := leaks(j.said.Bytes(), key); len(found) > 0 {
		t.Errorf("the job's output has the key %v: %s", found, &j.said)
	}
	for _, script := range []string{"authsome login github", "authsome login openai", "authsome profile delete nobody", "authsome key mode passphrase"} {
		j.said.Reset()
		err := j.script(run + script)
		if err == nil || strings.Contains(j.said.String(), "panic") || !strings.Contains(j.said.String(), "hint: ") {
			t.Errorf("%s: %v: %s", script, err, &j.said)
		}
	}
	// Without a home directory, it says what is missing.
	j.said.Reset()
	if err := j.script("authsome list"); err == nil || !strings.Contains(j.said.String(), "set AUTHSOME_HOME or HOME") {
		t.Errorf("%v: %s", err, &j.said)
	}
}
