package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/authsome/authsome/ca"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// limit is how long tests wait for the program.
const limit = 30 * time.Second

// connect sends CONNECT to the proxy at addr and returns the status and the reason.
func connect(addr, target, header string) string {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(limit))
	fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", target, target, header)
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return err.Error()
	}
	return response.Status + " " + response.Header.Get("X-Authsome-Error")
}

// service is an HTTPS service that keeps the Authorization headers that it received.
type service struct {
	host string
	addr string
	ca   string // the file with the certificate of its authority

	mu   sync.Mutex // guards seen
	seen []string
}

func startService(t *testing.T) *service {
	t.Helper()
	authority, err := ca.New(ca.Options{CommonName: "service authority"})
	if err != nil {
		t.Fatal(err)
	}
	s := &service{host: "api.resend.com", ca: filepath.Join(t.TempDir(), "ca.pem")}
	if err := os.WriteFile(s.ca, authority.CertificatePEM(), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	server := &http.Server{
		TLSConfig: &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) }},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.seen = append(s.seen, r.Header.Get("Authorization"))
			fmt.Fprint(w, "fine")
		}),
	}
	go server.ServeTLS(l, "", "")
	t.Cleanup(func() { server.Close() })
	return s
}

// flags are the flags with which the proxy reaches the service and trusts it.
func (s *service) flags() []string {
	_, port, _ := net.SplitHostPort(s.addr)
	return []string{"--connect-to", s.host + ":443:127.0.0.1:" + port, "--upstream-ca", s.ca}
}

func (s *service) authorizations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen
}

// bench is a home and the program, for tests that need more than one process.
type bench struct {
	t      *testing.T
	home   string
	binary string
	more   []string     // additional variables
	out    bytes.Buffer // what all processes printed
	mu     sync.Mutex   // guards out
}

func newBench(t *testing.T) *bench {
	t.Helper()
	binary, err := exec.LookPath("authsome") // testscript put it into PATH
	if err != nil {
		t.Fatal(err)
	}
	return &bench{t: t, home: filepath.Join(t.TempDir(), "home"), binary: binary}
}

func (b *bench) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.Write(p)
}

func (b *bench) command(args ...string) *exec.Cmd {
	cmd := exec.Command(b.binary, args...)
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasSuffix(strings.ToUpper(name), "_PROXY") && !strings.HasPrefix(name, "AUTHSOME_") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Env = append(append(cmd.Env, "AUTHSOME_HOME="+b.home), b.more...)
	cmd.Stderr = b
	return cmd
}

func (b *bench) run(stdin string, args ...string) {
	b.t.Helper()
	cmd := b.command(args...)
	cmd.Stdin, cmd.Stdout = strings.NewReader(stdin), b
	if err := cmd.Run(); err != nil {
		b.t.Fatalf("authsome %v: %v\n%s", args, err, b.out.String())
	}
}

// proxy starts `authsome proxy` and returns its addresses when it serves.
func (b *bench) proxy(args ...string) (cmd *exec.Cmd, proxy, admin string) {
	b.t.Helper()
	cmd = b.command(append([]string{"proxy", "--json", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var said struct{ Proxy, Admin string }
	if err := json.NewDecoder(io.TeeReader(out, b)).Decode(&said); err != nil {
		b.t.Fatalf("the proxy did not start: %v\n%s", err, b.out.String())
	}
	return cmd, said.Proxy, said.Admin
}

// client returns a client that uses the proxy and trusts its authority.
func client(t *testing.T, proxy, admin string) *http.Client {
	t.Helper()
	response, err := http.Get("http://" + admin + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	pem, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatalf("no certificate in %q", pem)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: limit}
}

func fetch(t *testing.T, c *http.Client, u string) (int, string) {
	t.Helper()
	response, err := c.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// eventually waits until a condition holds that another process brings about.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("this did not happen within %v: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A proxy starts, serves requests, follows the changes of other processes, and ends on
// SIGTERM. No output and no file contains the key.
func TestProxyLife(t *testing.T) {
	b, s := newBench(t), startService(t)
	key := "re_" + rand.Text()
	b.run(key, "login", "resend", "--key-stdin", "--no-verify")
	caOut := filepath.Join(t.TempDir(), "ca.pem")
	cmd, proxy, admin := b.proxy(append(s.flags(), "--ca-out", caOut)...)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if status, body := fetch(t, http.DefaultClient, "http://"+admin+path); status != 200 || body != want {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	if info, err := os.Stat(caOut); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("--ca-out: %v, %v", info, err)
	}
	c := client(t, proxy, admin)
	if status, body := fetch(t, c, "https://"+s.host+"/emails?secret=query"); status != 200 || body != "fine" {
		t.Fatalf("%d %q", status, body)
	}
	if seen := s.authorizations(); len(seen) != 1 || seen[0] != "Bearer "+key {
		t.Errorf("the service was sent %d requests", len(seen))
	}

	// Another process logs out: the next request is refused, and says what to do.
	b.run("", "logout", "resend")
	var body string
	eventually(t, "the logout is noticed", func() bool {
		status := 0
		status, body = fetch(t, c, "https://"+s.host+"/emails")
		return status == 403
	})
	if !strings.Contains(body, "login_required") || !strings.Contains(body, "authsome login resend") {
		t.Errorf("after the logout: %s", body)
	}
	// And logs in with another key, which is used without a restart.
	second := "re_" + rand.Text()
	b.run(second, "login", "resend", "--key-stdin", "--no-verify")
	eventually(t, "the login is noticed", func() bool {
		status, _ := fetch(t, c, "https://"+s.host+"/emails")
		return status == 200
	})
	if seen := s.authorizations(); seen[len(seen)-1] != "Bearer "+second {
		t.Error("the service did not receive the new key")
	}

	_, metrics := fetch(t, http.DefaultClient, "http://"+admin+"/metrics")
	for _, want := range []string{`authsome_requests_total{code="2xx",provider="resend"}`, "authsome_injections_total", "authsome_leaves_minted_total 1", "authsome_reloads_total", "go_goroutines", "process_cpu_seconds_total"} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics do not contain %s", want)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, b.out.String())
	}
	audited, err := os.ReadFile(filepath.Join(b.home, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"event":"injection"`, `"event":"refusal"`, `"event":"login"`, `"path":"/emails"`, `"event":"run_end"`, `"mac":`} {
		if !strings.Contains(string(audited), want) {
			t.Errorf("the audit log does not contain %s", want)
		}
	}
	if strings.Contains(string(audited), "secret=query") {
		t.Error("the audit log contains a query string")
	}
	for _, k := range []string{key, second} {
		for where, text := range map[string]string{"metrics": metrics, "an answer": body, "output": b.out.String()} {
			if found := leaks([]byte(text), k); len(found) > 0 {
				t.Errorf("%s contains the key: %v", where, found)
			}
		}
		if found := findSecret(b.home, k); len(found) > 0 {
			t.Errorf("files contain the key: %v", found)
		}
	}
}

// A child cannot find the key in its environment, command line or those of its parents.
func TestRunHidesTheKey(t *testing.T) {
	b := newBench(t)
	key := "re_" + rand.Text()
	b.run(key, "login", "resend", "--key-stdin", "--no-verify")
	cmd := b.command("run", "--", "sh", "-c", "cat /proc/self/environ /proc/$PPID/environ /proc/self/cmdline /proc/$PPID/cmdline; env")
	cmd.Stdout = b
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, b.out.String())
	}
	if !strings.Contains(b.out.String(), "RESEND_API_KEY=re_authsome-proxy-managed") {
		t.Error("the child's environment has no placeholder")
	}
	if found := leaks(b.out.Bytes(), key); len(found) > 0 {
		t.Errorf("the child could read the key: %v", found)
	}
}

func TestProxyRequiresToken(t *testing.T) {
	b, s := newBench(t), startService(t)
	b.run("re_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("the-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, proxy, _ := b.proxy(append(s.flags(), "--token-file", token, "--require-token")...)
	if got := connect(proxy, s.host+":443", ""); got != "407 Proxy Authentication Required proxy_auth_required" {
		t.Errorf("without a token: %s", got)
	}
	if got := connect(proxy, s.host+":443", "Proxy-Authorization: Bearer wrong\r\n"); !strings.HasPrefix(got, "407") {
		t.Errorf("with a wrong token: %s", got)
	}
	if got := connect(proxy, s.host+":443", "Proxy-Authorization: Bearer the-token\r\n"); !strings.HasPrefix(got, "200") {
		t.Errorf("with the token: %s", got)
	}
}

// A proxy that others could use does not start without a token.
func TestProxyDoesNotStartUnguarded(t *testing.T) {
	b := newBench(t)
	for _, args := range [][]string{
		{"proxy", "--listen", "0.0.0.0:0"}, {"proxy", "--listen", ":0"}, {"proxy", "--listen", "[::]:0"}, {"proxy", "--listen", "127.0.0.1:0", "--require-token"},
	} {
		cmd := b.command(args...)
		out, err := cmd.Output()
		if failed, ok := err.(*exec.ExitError); !ok || failed.ExitCode() != exit.Usage {
			t.Errorf("%v: %v %s", args, err, out)
		}
	}
	if got := strings.Count(b.out.String(), "no token is set, neither by --token-file nor by AUTHSOME_PROXY_TOKEN"); got != 4 {
		t.Errorf("%d of 4 errors name the token: %s", got, b.out.String())
	}
}

// Another user of the machine can neither use the proxy nor read the home. The same
// program can, if it runs as the user who started the proxy.
func TestAnotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can start a process as another user")
	}
	b, s := newBench(t), startService(t)
	b.run("re_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	_, proxy, _ := b.proxy(s.flags()...)
	open, err := os.MkdirTemp("", "authsome-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(open) })
	os.Chmod(open, 0o755)
	for _, name := range []string{"agent", "authsome"} {
		if out, err := exec.Command("cp", b.binary, filepath.Join(open, name)).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	theirs := filepath.Join(open, "theirs")
	if out, err := exec.Command("cp", "-a", b.home, theirs).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	as := func(uid uint32, home string, args ...string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		cmd := exec.CommandContext(ctx, filepath.Join(open, args[0]), args[1:]...)
		cmd.Dir = open
		cmd.Env = []string{"AUTHSOME_HOME=" + home, "PATH=/usr/bin:/bin"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	const nobody = 65534
	if got, _ := as(nobody, "", "agent", "connect", proxy, s.host+":443"); got != "403 Forbidden not_your_proxy" {
		t.Errorf("another user: %s", got)
	}
	if got, _ := as(0, "", "agent", "connect", proxy, s.host+":443"); !strings.HasPrefix(got, "200") {
		t.Errorf("the same user: %s", got)
	}
	if got, err := as(nobody, theirs, "authsome", "list"); err == nil {
		t.Errorf("another user could read the home: %s", got)
	}
	own := filepath.Join(open, "own")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	os.Chown(own, nobody, nobody)
	if got, err := as(nobody, own, "authsome", "list", "--json"); err != nil {
		t.Errorf("another user's own home: %v: %s", err, got)
	}
	// Root does not use the home of another user, who could change the files in it.
	if got, err := as(0, own, "authsome", "list"); err == nil || !strings.Contains(got, "error:") {
		t.Errorf("root used the home of another user: %v: %s", err, got)
	}
}
