package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// outcome is what happens to a client under `authsome run`.
type outcome string

const (
	ok     outcome = "ok"     // its request arrives with the credential
	safe   outcome = "safe"   // it fails, and nothing reaches the real address
	bypass outcome = "bypass" // it connects to the real address, with a placeholder
	optIn  outcome = "opt-in" // ok with --trust
)

// client is one line of the matrix: a program, and what happens to it.
type client struct {
	group   string // of the page
	name    string
	runtime string // "Node 22"; empty if the program needs none
	version string // where the version is found; see version
	want    outcome
	trust   string // the client is ok with --trust of this, and without it as want says
	note    string // for the page

	argv   []string
	env    []string          // in addition to what authsome sets
	files  map[string]string // in HOME, which is the working directory too
	before string            // a shell script that runs without a proxy
	stdin  string
	logins []string // providers; default "upstream"
	hosts  []string // whose real address is the trap; default routeHost
	prints string   // part of what a client prints that works; default "hello from"
}

func (c client) String() string {
	name := c.group + "/" + c.name
	if c.runtime != "" {
		name += "/" + c.runtime
	}
	return strings.ReplaceAll(name, " ", "_")
}

// matrix is every client of the page docs/clients.md, in its order.
func matrix() []client {
	all := slices.Concat(tools, goClients, pythonClients, nodeClients(), runtimeClients, agentClients)
	for i := range all {
		all[i] = all[i].complete()
	}
	return all
}

// complete sets what most clients have in common.
func (c client) complete() client {
	if c.logins == nil {
		c.logins = []string{"upstream"}
	}
	if c.hosts == nil {
		c.hosts = []string{routeHost}
	}
	if c.prints == "" {
		c.prints = "hello from"
	}
	return c
}

// TestMatrix runs every client of the matrix with the built binary, and compares
// what happens with what the matrix says. With -update, it writes docs/clients.md.
func TestMatrix(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("run this as root: each client gets a network in which the real address is a trap")
	}
	homes := newHomes(t)
	all := matrix()
	var mu sync.Mutex // guards measured
	measured := make(map[string]client)
	t.Run("clients", func(t *testing.T) {
		for _, c := range all {
			t.Run(c.String(), func(t *testing.T) {
				t.Parallel()
				c.want = c.measure(t, homes.with(c.logins))
				mu.Lock()
				defer mu.Unlock()
				measured[c.String()] = c
			})
		}
	})
	if len(measured) < len(all) {
		return // -run selects some of the clients, or one could not be measured
	}
	comparePage(t, all, measured)
}

// measure runs the client, without --trust and with it, and checks what happened. It
// returns the measured outcome without --trust.
func (c client) measure(t *testing.T, home string) outcome {
	t.Helper()
	got, why := c.try(t, home, 0).outcome(c)
	if got != c.want {
		t.Errorf("%s, want %s:\n%s", got, c.want, why)
	}
	if c.trust != "" {
		if trusted, why := c.try(t, home, 0, "--trust", c.trust).outcome(c); trusted != ok {
			t.Errorf("%s with --trust %s, want %s:\n%s", trusted, c.trust, ok, why)
		}
	}
	return got
}

// trial is one run of a client in a network without an outside.
type trial struct {
	Dir, Home string
	Argv      []string
	Env       []string
	Files     map[string]string
	Before    string
	Stdin     string
	Hosts     []string
	Run       []string // flags of authsome run
	UID       int      // who runs authsome
	Binary    string
}

// result is what a trial saw.
type result struct {
	Output   string // of the client and of authsome
	Exit     int    // -1: ended after the limit
	Seconds  float64
	Arrived  []string // requests with the credential
	Naked    []string // requests that reached the service without it
	Trapped  []string // intercepted hosts that the client connected to itself
	Outside  []string // other hosts that it connected to, through the proxy or not
	Problems []string // of the test
}

func (r result) outcome(c client) (outcome, string) {
	why := fmt.Sprintf("exit %d after %.1f s; arrived %q, without credential %q, trapped %q, other hosts %q\n%s", r.Exit, r.Seconds, r.Arrived, r.Naked, r.Trapped, r.Outside, r.Output)
	works := r.Exit == 0 && strings.Contains(r.Output, c.prints)
	switch {
	case len(r.Problems) > 0:
		return "broken test", strings.Join(r.Problems, "\n")
	case len(r.Trapped) > 0:
		return bypass, why
	case works && len(r.Arrived) > 0 && len(r.Naked) == 0:
		return ok, why
	case !works && len(r.Arrived) == 0 && len(r.Naked) == 0:
		return safe, why
	default:
		return "neither", why
	}
}

// try runs the client once, as a user and with flags of authsome run. It does so in a
// process that is the first of its network, its mounts and its processes: when it ends, the
// kernel ends all that the client has started.
func (c client) try(t *testing.T, home string, uid int, flags ...string) result {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := slices.Clone(c.argv)
	if i := slices.Index(argv, goProgramMark); i >= 0 {
		argv[i] = goProgram()
	}
	dir, err := os.MkdirTemp("", "trial-") // short, for the sockets of browsers
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	spec := trial{Dir: dir, Home: home, Argv: argv, Env: c.env, Files: c.files, Before: c.before, Stdin: c.stdin, Hosts: c.hosts, Run: flags, UID: uid, Binary: binary}
	input, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*longest)
	defer cancel()
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), "E2E_ROLE=trial", "LANG=C.UTF-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("the trial: %v\n%s%s", err, out, &stderr)
	}
	var r result
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("the trial printed %s: %v", out, err)
	}
	t.Logf("%.1f s, other hosts %q", r.Seconds, r.Outside)
	if testing.Verbose() && os.Getenv("E2E_MATRIX_OUTPUT") != "" {
		_, why := r.outcome(c)
		t.Log(why)
	}
	return r
}

// account is how a provider of the matrix is connected.
type account struct {
	definition string // of a provider that is not bundled
	login      []string
	stdin      string
	secret     string // must arrive
}

// accounts have fixed keys: nothing leaves the trial's network.
var accounts = map[string]account{
	"upstream": {definition: `{"schema_version":2,"name":"upstream","flows":["api_key"],"hosts":["` + routeHost + `"],"inject":[{"in":"header","name":"Authorization","value":"Bearer {api_key}"}],"env":[{"name":"` + variable + `","value":"{api_key}"}]}`,
		stdin: "uk-real0123456789abcdefghij", secret: "uk-real0123456789abcdefghij"},
	"git": {definition: `{"schema_version":2,"name":"git","flows":["api_key"],"hosts":["` + otherHost + `"],"inject":[{"in":"header","name":"Authorization","value":"Basic {api_key}"}]}`,
		stdin: "Z2l0OnJlYWwwMTIzNDU2Nzg5", secret: "Z2l0OnJlYWwwMTIzNDU2Nzg5"},
	"openai":        {stdin: "sk-proj-real0123456789abcdefghij", secret: "sk-proj-real0123456789abcdefghij"},
	"anthropic":     {stdin: "sk-ant-api03-real0123456789abcd", secret: "sk-ant-api03-real0123456789abcd"},
	"google-gemini": {stdin: "AIzareal0123456789abcdefghijklmnopqrstu", secret: "AIzareal0123456789abcdefghijklmnopqrstu"},
	"github-pat":    {stdin: "ghp_real0123456789abcdefghijklmnopqrstuv", secret: "ghp_real0123456789abcdefghijklmnopqrstuv"},
	"npm":           {stdin: "npm_real0123456789abcdefghijklmnopqrstuv", secret: "npm_real0123456789abcdefghijklmnopqrstuv"},
	"brave-search":  {stdin: "BSAreal0123456789abcdefghijklmn", secret: "BSAreal0123456789abcdefghijklmn"},
	"aws":           {login: []string{"--param", "access_key_id=" + awsID, "--secrets-stdin"}, stdin: "secret_access_key=" + awsSecret + "\n"},
}

// homes are homes with connected providers, one for each set of providers.
type homes struct {
	t    *testing.T
	mu   sync.Mutex // guards made
	made map[string]string
}

func newHomes(t *testing.T) *homes { return &homes{t: t, made: make(map[string]string)} }

func (h *homes) with(providers []string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := strings.Join(providers, " ")
	if dir := h.made[key]; dir != "" {
		return dir
	}
	dir := filepath.Join(h.t.TempDir(), "home")
	authsome := func(stdin string, args ...string) {
		cmd := exec.Command(binary, args...)
		cmd.Env, cmd.Stdin = []string{"AUTHSOME_HOME=" + dir, "HOME=" + filepath.Dir(dir), "PATH=" + os.Getenv("PATH")}, strings.NewReader(stdin)
		if out, err := cmd.CombinedOutput(); err != nil {
			h.t.Errorf("authsome %v: %v\n%s", args, err, out)
		}
	}
	for _, name := range providers {
		a, found := accounts[name]
		if !found {
			h.t.Errorf("the matrix has no account for %s", name)
		}
		if a.definition != "" {
			authsome(a.definition, "register", "-", "--yes")
		}
		login := a.login
		if login == nil {
			login = []string{"--key-stdin"}
		}
		authsome(a.stdin, append([]string{"login", name, "--no-verify"}, login...)...)
	}
	h.made[key] = dir
	return dir
}

// testScripts is the directory with the scripts and packages of the clients.
var testScripts = func() string {
	dir, err := filepath.Abs("matrix")
	if err != nil {
		panic(err)
	}
	return dir
}()

// script is the argv of a client in a file of testScripts.
func script(interpreter, file string, args ...string) []string {
	return append([]string{interpreter, filepath.Join(testScripts, file)}, args...)
}

// longest is the time that one client may take.
const longest = 2 * time.Minute
