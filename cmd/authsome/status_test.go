package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
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

// forwardProxy is a proxy that connects every CONNECT to address. It returns its URL.
func forwardProxy(t *testing.T, address string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	forward := func(c net.Conn) {
		defer c.Close()
		r := bufio.NewReader(c)
		if q, err := http.ReadRequest(r); err != nil || q.Method != http.MethodConnect {
			return
		}
		up, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer up.Close()
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { io.Copy(up, r); up.Close() }()
		io.Copy(c, up)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go forward(c)
		}
	}()
	return "http://" + l.Addr().String()
}

const (
	goodKey = "good-canary-0f6a7d1be3"
	deadKey = "dead-canary-9c41e27a50"
)

// statusDefinition is a provider with a check, or without one if verify is empty.
func statusDefinition(name, verify string) string {
	return `{"schema_version":2,"name":"` + name + `","display_name":"Acme","category":"other","flows":["api_key"],"hosts":["api.` + name + `.test"],
		"params":[{"name":"api_key","label":"API key","secret":true}],"env":[{"name":"ACME_KEY","value":"{api_key}"}]` + verify + `}`
}

// statusBench is a home with the provider acme, whose service knows one key, and a
// service that status reaches through an upstream proxy.
func statusBench(t *testing.T) (*bench, *service) {
	b, s := newBench(t), startService(t)
	s.host = "api.acme.test"
	s.answer = func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+goodKey {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"login":"octocat"}`)
	}
	b.more = []string{"HTTPS_PROXY=" + forwardProxy(t, s.addr), "SSL_CERT_FILE=" + s.ca}
	b.run(statusDefinition("acme", `,"verify":{"url":"https://api.acme.test/me","label":"login"}`), "register", "-", "--yes")
	return b, s
}

// answer runs a command and returns what it prints and its exit code.
func (b *bench) answer(args ...string) (stdout, stderr string, code int) {
	b.t.Helper()
	cmd := b.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, b), io.MultiWriter(&errs, b)
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		b.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// Status asks each service, says which keys work, whose they are and how to replace the
// others, and lets list know without a request.
func TestStatus(t *testing.T) {
	b, s := statusBench(t)
	b.run(statusDefinition("plain", ""), "register", "-", "--yes")
	b.run(goodKey, "login", "acme", "--key-stdin", "--no-verify")
	b.run(deadKey, "login", "acme", "--connection", "work", "--key-stdin", "--no-verify")
	b.run(deadKey, "login", "plain", "--key-stdin", "--no-verify")
	if out, _, code := b.answer("list", "--connected"); code != 0 || strings.Contains(out, "rejected") || len(s.authorizations()) > 0 {
		t.Errorf("before: exit code %d: %s", code, out)
	}

	out, said, code := b.answer("status")
	if code != 4 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, strings.Join(strings.Fields(out), " "), "CONNECTION ACCOUNT STATUS EXPIRES", "acme/default octocat works", "acme/work rejected", "plain/default connected, not checked")
	if want := "authsome: warning: acme/work does not work: the service refused the credential (status 401): authsome login acme --connection work --force\n"; said != want {
		t.Errorf("it says %q, want %q", said, want)
	}
	for line := range strings.Lines(out) {
		if len(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("wider than 80 columns: %s", line)
		}
	}

	asked := len(s.authorizations())
	out, said, _ = b.answer("list", "--connected")
	contains(t, out, strings.Join(strings.Fields(out), " "), "acme work rejected", "acme default (default) connected")
	contains(t, said, said, "authsome: acme/work was rejected by its service", "check it: authsome status acme\n")
	out, _, _ = b.answer("doctor")
	contains(t, out, out, "acme/work was rejected by its service")
	if len(s.authorizations()) != asked {
		t.Error("list or doctor asked the service")
	}

	var v struct {
		OK          bool
		Connections []struct {
			Provider       string
			Name           string `json:"connection_name"`
			Account, Check string
			Detail, Fix    string
			Rejected       time.Time `json:"rejected_since"`
		}
	}
	out, said, code = b.answer("status", "acme", "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || said != "" || code != 4 || v.OK || len(v.Connections) != 2 {
		t.Fatalf("exit code %d, %v: %s%s", code, err, out, said)
	}
	if c := v.Connections[0]; c.Check != "works" || c.Account != "octocat" || c.Fix != "" || !c.Rejected.IsZero() {
		t.Errorf("the key that works: %+v", c)
	}
	if c := v.Connections[1]; c.Check != "rejected" || c.Fix != "authsome login acme --connection work --force" || time.Since(c.Rejected) > limit {
		t.Errorf("the key that does not: %+v", c)
	}

	b.run(goodKey, "login", "acme", "--connection", "work", "--force", "--key-stdin", "--no-verify")
	if out, _, _ := b.answer("list", "--connected"); strings.Contains(out, "rejected") {
		t.Errorf("a new key is rejected: %s", out)
	}
	if out, said, code := b.answer("status"); code != 0 || said != "" {
		t.Errorf("with a new key, exit code %d: %s%s", code, out, said)
	}
	audited := b.auditLog()
	contains(t, "the audit log", audited, `"event":"check","profile":"default","provider":"acme","connection":"work","outcome":"rejected"`, `"outcome":"works"`)
	b.noLeaks(map[string]string{}, goodKey, deadKey)
}

// The account that a login finds out is stored with the key, and goes with it.
func TestAccountOfAKeyIsStored(t *testing.T) {
	b, _ := statusBench(t)
	b.run(goodKey, "login", "acme", "--key-stdin")
	b.more[0] = "HTTPS_PROXY=http://127.0.0.1:9"
	for _, args := range [][]string{{"list", "--connected"}, {"list", "--json", "--connected"}, {"get", "acme"}, {"get", "acme", "--json"}, {"status"}} {
		if out, said, _ := b.answer(args...); !strings.Contains(out, "octocat") {
			t.Errorf("authsome %v: %s%s", args, out, said)
		}
	}
	b.run(deadKey, "login", "acme", "--force", "--key-stdin", "--no-verify")
	if out, _, _ := b.answer("get", "acme"); strings.Contains(out, "octocat") {
		t.Errorf("the next key has the account of the first: %s", out)
	}
}

// A service that cannot be asked says nothing about the credential.
func TestStatusWithoutAnAnswer(t *testing.T) {
	b, s := statusBench(t)
	b.run(goodKey, "login", "acme", "--key-stdin", "--no-verify")
	s.mu.Lock()
	s.answer = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	s.mu.Unlock()
	for name, proxy := range map[string]string{"the service answered with status 502": b.more[0], "api.acme.test cannot be reached": "HTTPS_PROXY=http://127.0.0.1:9"} {
		b.more[0] = proxy
		out, said, code := b.answer("status")
		if want := "authsome: acme/default was not checked: " + name + "\n"; code != 0 || said != want || !strings.Contains(out, "not checked") {
			t.Errorf("exit code %d: %s%q, want %q", code, out, said, want)
		}
	}
}

// Status asks services at the same time, but only some of them.
func TestStatusAsksSeveralServices(t *testing.T) {
	b, s := statusBench(t)
	const all = 2 * maxChecks
	for i := range all {
		b.run(goodKey, "login", "acme", "--connection", fmt.Sprint("c", i), "--key-stdin", "--no-verify")
	}
	var mu sync.Mutex // guards all below
	var arrived, open, most int
	full := make(chan struct{}) // closed when a group of maxChecks requests has arrived
	arrive := func() (wait chan struct{}) {
		mu.Lock()
		defer mu.Unlock()
		arrived, open, wait = arrived+1, open+1, full
		if most = max(most, open); arrived%maxChecks == 0 {
			close(full)
			full = make(chan struct{})
		}
		return wait
	}
	b.more[0] = "HTTPS_PROXY=" + forwardProxy(t, s.startAnother(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-arrive():
		case <-r.Context().Done():
		}
		mu.Lock()
		open--
		mu.Unlock()
		fmt.Fprint(w, `{"login":"octocat"}`)
	}))
	out, said, code := b.answer("status")
	if n := strings.Count(out, "works"); code != 0 || n != all {
		t.Errorf("exit code %d, %d of %d work: %s%s", code, n, all, out, said)
	}
	if most != maxChecks {
		t.Errorf("%d requests at a time", most)
	}
}

// Behind the proxy, where an agent controls the variables that name proxies and trusted
// certificates, no credential is sent. What is known is shown.
func TestStatusBehindTheProxy(t *testing.T) {
	b, s := statusBench(t)
	b.run(goodKey, "login", "acme", "--key-stdin", "--no-verify")
	steal := "HTTPS_PROXY=" + strings.TrimPrefix(b.more[0], "HTTPS_PROXY=")
	out, said, code := b.answer("run", "--", "env", steal, "SSL_CERT_FILE="+s.ca, b.binary, "status", "--json")
	if code != 0 || !strings.Contains(out, `"check": "skipped"`) || !strings.Contains(out, `"status": "connected"`) || said != "" {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	if seen := s.authorizations(); len(seen) > 0 {
		t.Errorf("the service got %d requests", len(seen))
	}
}

// In a home that cannot be written, status works.
func TestStatusInAReadOnlyHome(t *testing.T) {
	b, s := statusBench(t)
	b.run(goodKey, "login", "acme", "--key-stdin", "--no-verify")
	b.run(deadKey, "login", "acme", "--connection", "work", "--key-stdin", "--no-verify")
	cmd := b.command("status", "--json")
	if os.Getuid() == 0 {
		b.asNobody(cmd, s.ca)
	}
	if out, err := exec.Command("chmod", "-R", "a-w", b.home).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("chmod", "-R", "u+w", b.home).Run() })
	var out bytes.Buffer
	cmd.Stdout = &out
	if cmd.Run(); cmd.ProcessState.ExitCode() != 4 || !strings.Contains(out.String(), `"check": "works"`) || !strings.Contains(out.String(), `"check": "rejected"`) {
		t.Errorf("exit code %d: %s%s", cmd.ProcessState.ExitCode(), out.String(), b.said())
	}
}

// A key that its service no longer accepts is shown after the proxy has seen that, by
// every command and the metrics, and is still used. The next success clears it.
func TestProxySeesADeadKey(t *testing.T) {
	b, s := statusBench(t)
	b.run(deadKey, "login", "acme", "--key-stdin", "--no-verify")
	flags := s.flags()
	b.more = nil
	_, proxy, admin := b.proxy(flags...)
	c := client(t, proxy, admin)
	listed := func() string {
		out, _, _ := b.answer("list", "--connected")
		return strings.Join(strings.Fields(out), " ")
	}
	ask := func() int {
		status, _ := fetch(t, c, "https://api.acme.test/me")
		return status
	}
	rejected := func() bool { return strings.Contains(listed(), "acme default (default) rejected") }
	if status := ask(); status != http.StatusUnauthorized {
		t.Fatalf("status %d", status)
	}
	eventually(t, "list shows it", rejected)
	_, metrics := fetch(t, http.DefaultClient, "http://"+admin+"/metrics")
	contains(t, "metrics", metrics, `authsome_connection_rejected_since_seconds{connection="default",provider="acme"} 1.`)
	out, _, _ := b.answer("why", "https://api.acme.test/me")
	contains(t, "why", out, "intercepted, with the credential of acme/default", "rejected by the service")
	if status := ask(); status != http.StatusUnauthorized {
		t.Errorf("the key is not used any more: status %d", status)
	}
	s.mu.Lock()
	s.answer = nil
	s.mu.Unlock()
	if status := ask(); status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	// A run of another process ends with a success, too, and stores it at once.
	out, said, code := b.answer(append(append([]string{"run"}, flags...), "--", "agent", "get", "https://api.acme.test/me")...)
	if code != 0 || out != "200 fine <nil>\n" || !strings.Contains(said, "authsome: agent: 1 request with a credential (acme): authsome log --run ") {
		t.Errorf("exit code %d: %s%s", code, out, said)
	}
	eventually(t, "list shows that it works", func() bool { return !rejected() })
	if files, _ := filepath.Glob(filepath.Join(b.home, "profiles", "default", "rejected", "*")); len(files) > 0 {
		t.Errorf("left behind: %v", files)
	}
}

// startAnother starts a server with the service's certificates, which may serve several
// requests at a time. It returns its address.
func (s *service) startAnother(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(h)
	server.TLS = s.tls.Clone()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// asNobody makes a command of the bench run as another user, who owns the home.
func (b *bench) asNobody(cmd *exec.Cmd, readable ...string) {
	b.t.Helper()
	const nobody = 65534
	dir, err := os.MkdirTemp("/tmp", "authsome-test-") // t.TempDir is closed to other users
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { os.RemoveAll(dir) })
	binary := filepath.Join(dir, "authsome")
	for _, args := range [][]string{
		{"cp", "-L", b.binary, binary}, {"cp", "-a", b.home, filepath.Join(dir, "home")}, append(append([]string{"cp"}, readable...), dir), {"chown", "-R", fmt.Sprint(nobody), dir},
	} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			b.t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	b.home = filepath.Join(dir, "home")
	cmd.Path, cmd.Dir = binary, dir
	cmd.Env = append(cmd.Env, "AUTHSOME_HOME="+b.home)
	for _, name := range readable {
		for i, v := range cmd.Env {
			cmd.Env[i] = strings.ReplaceAll(v, name, filepath.Join(dir, filepath.Base(name)))
		}
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// A token that has expired is refreshed before it is checked. If that is refused, the
// connection needs a login.
func TestStatusRefreshesTokens(t *testing.T) {
	b, p := newBench(t), startProvider(t)
	b.run("", "init")
	b.more = []string{"all_proxy=" + forwardProxy(t, p.addr), "SSL_CERT_FILE=" + p.ca}
	p.logIn(b, time.Now().Add(-time.Second))
	if out, said, code := b.answer("status"); code != 0 || !strings.Contains(out, "works") || p.asked() != 1 {
		t.Errorf("exit code %d, %d refreshes: %s%s", code, p.asked(), out, said)
	}
	if out, _, code := b.answer("status"); code != 0 || p.asked() != 1 {
		t.Errorf("the second time, exit code %d, %d refreshes: %s", code, p.asked(), out)
	}
	p.logIn(b, time.Now().Add(-time.Second))
	p.set(func() { p.refresh = "" })
	out, said, code := b.answer("status")
	if want := "authsome: warning: live/default does not work: invalid since "; code != 4 || !strings.Contains(out, "invalid") || !strings.HasPrefix(said, want) || !strings.HasSuffix(said, ": authsome login live\n") {
		t.Errorf("without a valid refresh token, exit code %d: %s%s", code, out, said)
	}
	b.noLeaks(map[string]string{}, providerAccess, providerRefresh, providerClient)
}

// A token that the service refuses before its time is refreshed and checked again, as the
// proxy does. Only a connection that needs a login does not work.
func TestStatusRefreshesARefusedToken(t *testing.T) {
	b, p := newBench(t), startProvider(t)
	b.run("", "init")
	b.more = []string{"HTTPS_PROXY=" + forwardProxy(t, p.addr), "SSL_CERT_FILE=" + p.ca}
	old := time.Now().Add(-10 * time.Minute).UTC().Format(time.RFC3339)
	refused := func() {
		p.logIn(b, time.Now().Add(time.Hour))
		p.age(b, old)
		p.set(func() { p.alive = "another" })
	}
	refused()
	if out, said, code := b.answer("status"); code != 0 || !strings.Contains(out, "works") || said != "" || p.asked() != 1 {
		t.Errorf("exit code %d, %d refreshes: %s%s", code, p.asked(), out, said)
	}
	p.set(func() { p.alive = "another" })
	if out, said, code := b.answer("status"); code != 4 || !strings.Contains(out, "rejected") || p.asked() != 1 {
		t.Errorf("a new token that is refused: exit code %d, %d refreshes: %s%s", code, p.asked(), out, said)
	}
	refused()
	p.set(func() { p.down = true })
	out, said, code := b.answer("status")
	if want := "authsome: live/default was not checked: the service refused its token, and refreshing it failed: "; code != 0 || !strings.HasPrefix(said, want) || strings.Contains(said, "login") {
		t.Errorf("while the token endpoint is down: exit code %d: %s%s", code, out, said)
	}
	p.set(func() { p.down, p.refresh = false, "" })
	out, said, code = b.answer("status", "--json")
	if code != 4 || !strings.Contains(out, `"check": "unusable"`) || !strings.Contains(out, `"fix": "authsome login live"`) {
		t.Errorf("without a valid refresh token: exit code %d: %s%s", code, out, said)
	}
	b.noLeaks(map[string]string{}, providerAccess, providerRefresh, providerClient)
}

// Status shows what several connections cover, as list does.
func TestStatusShowsSharedHosts(t *testing.T) {
	b, _ := statusBench(t)
	b.run(strings.Replace(statusDefinition("twin", ""), "api.twin.test", "api.acme.test", 1), "register", "-", "--yes")
	for _, provider := range []string{"acme", "twin"} {
		b.run(goodKey, "login", provider, "--key-stdin", "--no-verify")
	}
	var v struct {
		Connections []struct{ Shared []sharedView }
	}
	out, _, code := b.answer("status", "acme", "--json")
	if err := json.Unmarshal([]byte(out), &v); err != nil || code != 0 || len(v.Connections) != 1 || len(v.Connections[0].Shared) != 1 {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	if s := v.Connections[0].Shared[0]; !slices.Equal(s.Hosts, []string{"api.acme.test"}) || !slices.Equal(s.With, []string{"twin/default"}) {
		t.Errorf("%+v", s)
	}
	_, listed, _ := b.answer("list", "--connected")
	if _, said, _ := b.answer("status"); said != listed || !strings.Contains(said, "api.acme.test") {
		t.Errorf("status says %q, and list %q", said, listed)
	}
}
