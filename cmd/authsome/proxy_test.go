package main

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// A proxy starts, serves requests, follows the changes of other processes, and ends on
// SIGTERM. No output and no file contains the key.
func TestProxyServesUntilSIGTERM(t *testing.T) {
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
	if !strings.Contains(body, "login_required") || !strings.Contains(body, `"fix":"ask the person to run, in another terminal: authsome login resend","who":"person"`) {
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
	contains(t, "metrics", metrics, `authsome_requests_total{code="2xx",provider="resend"}`, "authsome_injections_total",
		"authsome_leaves_minted_total 1", "authsome_reloads_total", "go_goroutines", "process_cpu_seconds_total")
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, b.out.String())
	}
	audited := b.auditLog()
	contains(t, "audit log", audited, `"event":"injection"`, `"event":"refusal"`, `"event":"login"`, `"path":"/emails"`, `"event":"run_end"`, `"mac":`)
	if strings.Contains(audited, "secret=query") {
		t.Error("the audit log contains a query string")
	}
	b.noLeaks(map[string]string{"metrics": metrics, "an answer": body}, key, second)
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
	if got := connect(proxy, s.host+":443", ""); got != "407 proxy_auth_required (authsome) proxy_auth_required" {
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
	if got, _ := as(nobody, "", "agent", "connect", proxy, s.host+":443"); got != "403 not_your_proxy (authsome) not_your_proxy" {
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

// The admin port answers for known hosts only, and is not reachable through the proxy.
func TestAdminPortIsGuarded(t *testing.T) {
	b := newBench(t)
	b.run("", "init")
	_, proxy, admin := b.proxy("--admin-host", "metrics.example.com")
	_, port, err := net.SplitHostPort(admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]"} {
		if got := connect(proxy, host+":"+port, ""); got != "403 private_target (authsome) private_target" {
			t.Errorf("CONNECT %s: %s", host, got)
		}
	}
	for host, want := range map[string]int{"": 200, "authsome": 200, "metrics.example.com": 200, "evil.example": 421} {
		q, err := http.NewRequest("GET", "http://"+admin+"/metrics", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = host
		response, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, response.StatusCode, want)
		}
	}
}
