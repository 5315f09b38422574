//go:build unix

package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/authsome/authsome/internal/runs"
)

// homeless runs commands without a home, which may ask a proxy.
type homeless struct {
	*bench
	proxy string   // the value of HTTPS_PROXY; empty if it is not set
	env   []string // more variables
}

// do runs a command in a home that does not exist, and returns what it printed and its
// exit code. It reports whether the home exists afterwards.
func (a *homeless) do(args ...string) (stdout, stderr string, code int, created bool) {
	a.t.Helper()
	home := filepath.Join(a.t.TempDir(), "none")
	cmd := exec.Command(a.binary, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "AUTHSOME_HOME=" + home, "HTTPS_PROXY=" + a.proxy, "GORACE=" + raceOptions}, a.env...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&out, a), io.MultiWriter(&problems, a)
	cmd.Run()
	_, err := os.Stat(home)
	return out.String(), problems.String(), cmd.ProcessState.ExitCode(), err == nil
}

// startSidecar starts a proxy with a token, and returns its address and its certificate.
func startSidecar(t *testing.T, flags ...string) (b *bench, proxy, certificate, key string) {
	t.Helper()
	b, key = newBench(t), "re_"+rand.Text()
	b.run(key, "login", "resend", "--key-stdin", "--no-verify")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("the-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate = filepath.Join(t.TempDir(), "ca.pem")
	_, proxy, _ = b.proxy(append(flags, "--token-file", token, "--require-token", "--ca-out", certificate)...)
	return b, proxy, certificate, key
}

// A client of the sidecar that has no home asks the proxy: over loopback without a
// certificate, and otherwise with TLS.
func TestSidecarAnswersForTheHome(t *testing.T) {
	t.Parallel()
	b, proxy, certificate, key := startSidecar(t, "--unmatched", "deny")
	_, port, _ := strings.Cut(proxy, ":")
	for name, a := range map[string]homeless{
		"over loopback": {b, "http://authsome:the-token@" + proxy, nil},
		// Not a loopback address for the client, so that it uses TLS.
		"over TLS": {b, "http://authsome:the-token@0.0.0.0:" + port, []string{"SSL_CERT_FILE=" + certificate}},
	} {
		for line, want := range map[string]string{
			"list --connected":                "resend    default (default)  connected",
			"list resend --json":              `"connection_name": "default"`,
			"why https://nowhere.example/":    "host_denied",
			"why api.resend.com/emails":       "remove the entry if the host is intercepted",
			"why api.resend.com/ --json":      `"no_proxy": [` + "\n" + `    "resend.com"`,
			"status resend":                   "connected, not checked",
			"whoami":                          "this process is a client of authsome proxy",
			"whoami --json":                   `"home": "` + b.home + `"`,
			"doctor":                          "home           " + b.home + ", profile default",
			"doctor --json":                   `"home_exists": true`,
			"status nonsense":                 "hint: authsome list",
			"--profile default list resend":   "resend",
			"--profile other list":            "the proxy serves the profile default, and no other",
			"list --category llm --connected": "authsome: no connected provider matches in category llm",
		} {
			a.env = append(a.env[:len(a.env):len(a.env)], "NO_PROXY=resend.com")
			stdout, stderr, _, created := a.do(strings.Fields(line)...)
			if !strings.Contains(stdout+stderr, want) || created {
				t.Errorf("%s: %s: home created: %v\n%s%s", name, line, created, stdout, stderr)
			}
		}
	}
	b.noLeaks(map[string]string{}, key, "the-token")
}

// A client that may not use the sidecar is told so. Any other proxy changes nothing: the
// command works in a new home, as without a proxy.
func TestClientsThatTheSidecarDoesNotAnswer(t *testing.T) {
	t.Parallel()
	b, proxy, _, _ := startSidecar(t)
	_, port, _ := strings.Cut(proxy, ":")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	defer other.Close()
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	const own = "no connections yet: authsome login PROVIDER"
	for _, tt := range []struct {
		name, proxy, want string
		code              int
		created           bool
	}{
		{"no token", "http://" + proxy, "error: the authsome proxy at " + proxy + " does not run the command: it needs its token, as the password in the proxy URL\n", 1, false},
		{"no token, TLS", "http://0.0.0.0:" + port, "it needs its token, as the password in the proxy URL\nauthsome: hint: set HTTPS_PROXY to http://authsome:TOKEN@0.0.0.0:" + port, 1, false},
		{"wrong token", "http://authsome:wrong@" + proxy, "the password in the proxy URL is not its token\n", 1, false},
		{"no certificate", "http://authsome:the-token@0.0.0.0:" + port, own, 0, true},
		{"another proxy", other.URL, own, 0, true},
		{"a proxy that does not answer", silent.URL, own, 0, true},
		{"another proxy, TLS", strings.Replace(other.URL, "127.0.0.1", "0.0.0.0", 1), own, 0, true},
		{"nothing", "http://127.0.0.1:1", own, 0, true},
		{"SOCKS", "socks5://127.0.0.1:1", own, 0, true},
		{"not a URL", "::", own, 0, true},
		{"no proxy", "", own, 0, true},
	} {
		a := homeless{b, tt.proxy, []string{"SSL_CERT_FILE=" + testRoots}}
		stdout, stderr, code, created := a.do("list", "--connected")
		if code != tt.code || created != tt.created || !strings.Contains(stderr, tt.want) || strings.Contains(stdout+stderr, "wrong") {
			t.Errorf("%s: exit code %d, home created: %v\n%s%s", tt.name, code, created, stdout, stderr)
		}
	}
	// In a run, the proxy is the run's: it serves another home than this one.
	a := homeless{b, "http://authsome:the-token@" + proxy, []string{"AUTHSOME_PROXY_MODE=true", "AUTHSOME_RUN_HOMES=" + b.home}}
	if _, stderr, _, created := a.do("list", "--connected"); !created || !strings.Contains(stderr, own) {
		t.Errorf("in a run: home created: %v\n%s", created, stderr)
	}
}

// Clients get no secret, and can name nothing but what is listed, whatever they send and
// however many they are.
func TestHostileClientsOfTheHome(t *testing.T) {
	t.Parallel()
	b, s := newBench(t), startService(t)
	key := "re_" + rand.Text()
	b.run(key, "login", "resend", "--key-stdin", "--no-verify")
	b.run("", "profile", "create", "other")
	_, proxy, admin := b.proxy(s.flags()...)
	c := client(t, proxy, admin)
	before := filesOf(t, b.home)
	texts := make(map[string]string)
	for path, want := range map[string]int{
		"whoami": 200, "whoami?json=true": 200, "list?json=true": 200, "list?text=resend": 200, "status?json=true": 200, "status?provider=resend": 200, "doctor?json=true": 200, "doctor": 200,
		"why?url=https://api.resend.com/emails&json=true": 200, "why?url=" + key: 200, "status?provider=" + key: 200, "list?text=" + url.QueryEscape("--profile=other"): 200,
		"why": 200, "why?url=x&method=%20": 200, "list?connected=maybe": 200, "status?provider=--show-secret": 200,
		"get?provider=resend&show-secret=true": 404, "export": 404, "log": 404, "../../v1/export": 404, "login?provider=resend": 404, "": 404, "whoami/..%2fexport": 404,
		"doctor?report=-": 400, "list?profile=other": 400, "whoami?profile=other": 400, "whoami?log-file=" + url.QueryEscape(filepath.Join(b.home, "config.json")): 400, "whoami?home=/": 400, "whoami?verbose=true": 400,
	} {
		status, body := fetch(t, c, "https://proxy.authsome.invalid/v1/"+path)
		if status != want {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if strings.Contains(body, `profile\":\"other`) || strings.Contains(body, `"profile":"other"`) {
			t.Errorf("%s: another profile: %s", path, body)
		}
		texts[path] = body
	}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			path := []string{"whoami", "list", "status", "doctor", "why?url=api.resend.com"}[i%5]
			if status, body := fetch(t, c, "https://proxy.authsome.invalid/v1/"+path); status != 200 || !strings.Contains(body, `"exit_code":0`) {
				t.Errorf("%s: %d %s", path, status, body)
			}
		})
	}
	all.Wait()
	if after := filesOf(t, b.home); after != before {
		t.Errorf("the home was changed:\n%s\nand is now:\n%s", before, after)
	}
	if n := len(s.authorizations()); n != 0 {
		t.Errorf("the service got %d requests", n)
	}
	b.noLeaks(texts, key)
}

// filesOf lists the files of a home except the log, with sizes and times.
func filesOf(t *testing.T, home string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(path, ".log") {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&all, path, info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// What a proxy sends cannot move the cursor: it may be another program.
func TestAnswerIsMadeVisible(t *testing.T) {
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, `{"program":"authsome","home":"/","profile":"default","stdout":"a\u001b[2Jb\u202e\nc","stderr":"\u0007","exit_code":6}`)
	}))
	defer fake.Close()
	a := homeless{newBench(t), fake.URL, nil}
	stdout, stderr, code, _ := a.do("list")
	if stdout != "a\\u001b[2Jb\\u202e\nc" || stderr != `\u0007` || code != 6 {
		t.Errorf("%q, %q, %d", stdout, stderr, code)
	}
}

// The proxy makes a table as wide as the terminal of the client, and whole for a program.
func TestAnswerFitsTheTerminal(t *testing.T) {
	widths := make(chan string, 1)
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { widths <- r.URL.Query().Get("width") }))
	defer fake.Close()
	u, err := url.Parse(fake.URL)
	if err != nil {
		t.Fatal(err)
	}
	text, err := runs.FormatIsolated(u)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t)
	b.home = t.TempDir()
	if err := os.WriteFile(filepath.Join(b.home, runs.IsolatedFile), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := b.command("list")
	cmd.Stdout = b
	cmd.Run()
	if got := <-widths; got != "" {
		t.Errorf("a program's width is %q", got)
	}
	s := onScreen(t, b.command("list"))
	if got := <-widths; got != "100" {
		t.Errorf("the terminal's width is %q", got)
	}
	s.expect("the proxy of this isolated run does not answer: another program is at its address")
}
