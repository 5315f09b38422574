// Package e2e tests the built binary with unmodified client programs. Their upstream
// is a separate process.
package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// limit bounds every step that waits for another process.
const limit = 60 * time.Second

const (
	routeHost = "api.upstream.test"   // of the connected provider
	otherHost = "other.upstream.test" // of no provider
	variable  = "UPSTREAM_API_KEY"
	authority = "e2e upstream authority"
)

var (
	binary string // the program under test
	built  string // the directory of programs that the tests build; every user can run them
)

// roles are the other processes of the tests. The test binary runs the one that
// E2E_ROLE names, instead of the tests.
var roles = map[string]func(){"upstream": upstream, "go": goClient, "events": eventsClient, "chunks": chunksClient, "socket": socketClient, "grpc": grpcClient, "transfer": transferClient, "hold": hold, "details": detailsClient, "trial": runTrial,
	"yard": runYard, "neighbor": beNeighbor, "attackers": attackAll, "attack": attackOnce, "key": keepKey, "published": publishedServer, "many": manyClient, "nonamespaces": withoutNamespaces}

func TestMain(m *testing.M) {
	if role := os.Getenv("E2E_ROLE"); role != "" {
		roles[role]()
		os.Exit(0)
	}
	var err error
	if built, err = os.MkdirTemp("", "authsome-e2e-"); err != nil {
		panic(err)
	}
	check(os.Chmod(built, 0o755))
	binary = os.Getenv("AUTHSOME_BINARY")
	if binary == "" {
		binary = filepath.Join(built, "authsome")
		build := exec.Command("go", "build", "-o", binary, "./cmd/authsome")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%s", out)
			os.Exit(1)
		}
	}
	code := m.Run()
	os.RemoveAll(built)
	os.Exit(code)
}

// rig is a home with one connected provider, and the upstream of that provider.
type rig struct {
	t       *testing.T
	home    string
	tmp     string
	key     string
	tls     string // address of the upstream
	control string // base URL of the upstream's control port
	ca      string // file with the upstream's authority

	timeout time.Duration // of a client; 0 means limit
	uid     int           // whose home it is, and who runs the clients
}

// arrival is a request as the upstream received it.
type arrival struct {
	Host, Method, Path, Proto string
	Authorized                bool // exactly one Authorization, and the right one
	Authorizations            int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, home: filepath.Join(t.TempDir(), "home"), tmp: t.TempDir()}
	r.prepare()
	return r
}

// prepare starts the upstream, and connects the provider.
func (r *rig) prepare() {
	t := r.t
	t.Helper()
	r.key = "uk-" + rand.Text() + rand.Text()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), "E2E_ROLE=upstream", "E2E_DIR="+r.tmp)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close(); cmd.Process.Kill(); cmd.Wait() })
	fmt.Fprintln(stdin, r.key) // not in the environment, where clients search for it
	var at struct{ TLS, Control, CA string }
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		t.Fatalf("the upstream did not start: %v", err)
	}
	r.tls, r.control, r.ca = at.TLS, "http://"+at.Control, at.CA
	r.authsome(`{"schema_version":1,"name":"upstream","display_name":"Upstream","auth_type":"api_key","flow":"api_key","host_url":"`+routeHost+
		`","api_key":{"env_var":"`+variable+`"}}`, "register", "-", "--yes")
	r.authsome(r.key, "login", "upstream", "--key-stdin")
}

// environment returns a clean environment, without proxies and keys that are set
// where the tests run.
func (r *rig) environment(more ...string) []string {
	return append([]string{"AUTHSOME_HOME=" + r.home, "TMPDIR=" + r.tmp, "HOME=" + r.tmp, "PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + r.ca, "LANG=C"}, more...)
}

// authsome runs a command that must succeed, and returns what it printed.
func (r *rig) authsome(stdin string, args ...string) string {
	r.t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env, cmd.Stdin, cmd.Dir, cmd.SysProcAttr = r.environment(), strings.NewReader(stdin), r.tmp, asUser(r.uid)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("authsome %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// command returns an `authsome run` of a client, which is not started yet. Flags of
// run may precede the client.
func (r *rig) command(env []string, client ...string) *exec.Cmd {
	_, port, _ := net.SplitHostPort(r.tls)
	args := []string{"run", "--upstream-ca", r.ca}
	for _, host := range []string{routeHost, otherHost} {
		args = append(args, "--connect-to", host+":443:127.0.0.1:"+port)
	}
	for strings.HasPrefix(client[0], "-") {
		args, client = append(args, client[0]), client[1:]
	}
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(r.timeout, limit))
	r.t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, binary, append(append(args, "--"), client...)...)
	cmd.Env, cmd.Dir, cmd.SysProcAttr = r.environment(env...), r.tmp, asUser(r.uid)
	return cmd
}

// run runs a client under `authsome run`, and returns what it printed.
func (r *rig) run(env []string, client ...string) string {
	r.t.Helper()
	cmd := r.command(env, client...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%v: %v\n%s%s", client, err, out.String(), stderr.String())
	}
	return out.String()
}

// self runs a role of the test binary as the client.
func (r *rig) self(role string, env ...string) string {
	r.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.run(append(env, "E2E_ROLE="+role, "E2E_CONTROL="+r.control), exe)
}

// arrivals returns the requests that arrived at the upstream since the last call.
func (r *rig) arrivals() []arrival {
	r.t.Helper()
	response, err := http.Post(r.control+"/arrivals", "", nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var all []arrival
	if err := json.NewDecoder(response.Body).Decode(&all); err != nil {
		r.t.Fatal(err)
	}
	return all
}

// wantOnce checks that exactly one request arrived, with the credential.
func (r *rig) wantOnce(proto string) {
	r.t.Helper()
	all := r.arrivals()
	if len(all) != 1 || !all[0].Authorized || all[0].Host != routeHost || proto != "" && all[0].Proto != proto {
		r.t.Errorf("arrived: %+v", all)
	}
}

// report tells the upstream that the client received event n, or returns when the
// upstream has received chunk n.
func report(control, what string, n int) {
	response, err := http.Post(fmt.Sprintf("%s/%s?n=%d", control, what, n), "", nil)
	if err != nil {
		panic(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}
