//go:build unix

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
)

// screen is a terminal with a command on it.
type screen struct {
	t    *testing.T
	tty  *os.File
	cmd  *exec.Cmd
	seen bytes.Buffer
	from int // what follows was not looked at yet
}

func onScreen(t *testing.T, cmd *exec.Cmd) *screen {
	t.Helper()
	cmd.Stderr = nil
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	time.AfterFunc(limit, func() { cmd.Process.Kill() }) // which ends the reading
	return &screen{t: t, tty: tty, cmd: cmd}
}

// expect waits until the pattern is on the screen, behind what was expected
// before, and returns what it matched.
func (s *screen) expect(pattern string) []string {
	s.t.Helper()
	expr := regexp.MustCompile(pattern)
	buffer := make([]byte, 4096)
	for {
		if m := expr.FindSubmatchIndex(s.seen.Bytes()[s.from:]); m != nil {
			found := expr.FindStringSubmatch(s.seen.String()[s.from:])
			s.from += m[1]
			return found
		}
		n, err := s.tty.Read(buffer)
		s.seen.Write(buffer[:n])
		if err != nil && n == 0 {
			s.t.Fatalf("no %s on the screen: %q, %v", pattern, s.seen.String(), err)
		}
	}
}

func (s *screen) enter(text string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// end reads to the end and returns the exit code.
func (s *screen) end() int {
	s.t.Helper()
	s.seen.ReadFrom(s.tty) // ends with an error when the other side is closed
	if err := s.cmd.Wait(); err != nil {
		if _, ok := err.(*exec.ExitError); !ok {
			s.t.Fatal(err)
		}
	}
	return s.cmd.ProcessState.ExitCode()
}

func (s *screen) wantNot(secrets ...string) {
	s.t.Helper()
	for _, secret := range secrets {
		if strings.Contains(s.seen.String(), secret) {
			s.t.Errorf("the screen shows %q: %q", secret, s.seen.String())
		}
	}
}

// On a terminal the key is asked for, again if it is wrong, and what is typed is
// not echoed.
func TestKeyTypedOnATerminal(t *testing.T) {
	b := newBench(t)
	s := onScreen(t, b.command("login", "openai", "--no-verify"))
	s.expect(`API key for OpenAI \(not shown\): `)
	s.enter("wrong\r")
	s.expect(`looks? like`)
	s.expect(`\(not shown\): `)
	s.enter("mistyped\x15sk-typed_0123456789abcdefghij\x1b[D\x7fjx\x7f\r")
	if code := s.end(); code != 0 || !strings.Contains(s.seen.String(), "openai is connected") || !strings.Contains(s.seen.String(), "***") {
		t.Errorf("exit code %d; the screen: %q", code, s.seen.String())
	}
	s.wantNot("sk-typed", "mistyped", "wrong")
	out, err := b.command("get", "openai", "--field", "api_key", "--show-secret").Output()
	if string(out) != "sk-typed_0123456789abcdefghij\n" || err != nil {
		t.Errorf("stored %q, %v", out, err)
	}
}

// However a question ends, the terminal is as it was.
func TestTerminalIsRestored(t *testing.T) {
	b := newBench(t)
	for name, interrupt := range map[string]func(*screen){
		"Ctrl-C":  func(s *screen) { s.enter("re_\x03") },
		"SIGTERM": func(s *screen) { s.cmd.Process.Signal(syscall.SIGTERM) },
		"Enter":   func(s *screen) { s.enter("re_typed_0123456789\r") },
	} {
		master, slave, err := pty.Open()
		if err != nil {
			t.Fatal(err)
		}
		defer slave.Close()
		before, err := term.GetState(int(slave.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		cmd := b.command("login", "resend", "--no-verify", "--force")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		s := &screen{t: t, tty: master, cmd: cmd}
		time.AfterFunc(limit, func() { cmd.Process.Kill() })
		s.expect(`\(not shown\): `)
		interrupt(s)
		want := 130
		if name == "Enter" {
			want = 0
		}
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != want {
			t.Errorf("%s: exit code %d, want %d", name, code, want)
		}
		if after, err := term.GetState(int(slave.Fd())); err != nil || !reflect.DeepEqual(before, after) {
			t.Errorf("%s: the terminal was left in another state: %v", name, err)
		}
		master.Close()
	}
}

// serverFor starts a signIn and registers its provider.
func (b *bench) serverFor(provider string) {
	b.t.Helper()
	server := httptest.NewServer(&signIn{codes: make(map[string]url.Values)})
	b.t.Cleanup(server.Close)
	b.run(definitions(server.URL)[provider], "register", "-", "--force", "--yes")
}

// browserElsewhere signs in at the printed address, as a browser on another
// machine does, and returns the address that it ends at.
func browserElsewhere(t *testing.T, address string) string {
	t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.Header.Get("Location")
}

// Over SSH the address that the browser ended at is pasted back, or comes by
// itself over a forwarded port.
func TestSignInOverSSH(t *testing.T) {
	for _, forwarded := range []bool{false, true} {
		b := newBench(t)
		b.serverFor("acme")
		cmd := b.command("login", "acme", "--client-id", "client-1")
		cmd.Env = append(cmd.Env, "SSH_CONNECTION=10.0.0.1 1 10.0.0.2 22", "DISPLAY=localhost:10")
		s := onScreen(t, cmd)
		address := s.expect(`(http://127.0.0.1:\d+/authorize\?[^\s]+)`)[1]
		s.expect(`ssh -L \d+:127.0.0.1:\d+`)
		s.expect(`the address that the browser ended at|address that the browser ended at`)
		ended := browserElsewhere(t, address)
		if forwarded {
			response, err := http.Get(ended)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		} else {
			s.enter("http://127.0.0.1/callback?code=code-canary-9&state=guessed\r")
			s.expect(`this is not the address that this login ends with: it begins with http://127.0.0.1:\d+/callback/`)
			s.expect(`ended at`)
			s.enter(ended + "\r")
		}
		s.expect(`acme is connected as default, account kim@acme.test`)
		if code := s.end(); code != 0 {
			t.Errorf("exit code %d: %q", code, s.seen.String())
		}
		s.wantNot("canary")
	}
}

func TestCtrlCEndsALogin(t *testing.T) {
	b := newBench(t)
	b.serverFor("acme")
	s := onScreen(t, b.command("login", "acme", "--client-id", "client-1", "--no-browser"))
	s.expect(`ended at`)
	s.enter("\x03")
	if code := s.end(); code != 130 || !strings.Contains(s.seen.String(), "cancelled, and nothing was stored") || strings.Contains(s.seen.String(), "error") {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	if out, err := b.command("log", "--event", "login").Output(); err != nil || !strings.Contains(string(out), "cancelled") {
		t.Errorf("the audit log: %s%v", out, err)
	}
}

// The device flow shows the code, the address, a QR code and the time that is
// left, and Ctrl-C ends it at once.
func TestDeviceCodeOnATerminal(t *testing.T) {
	b := newBench(t)
	b.serverFor("acme-both")
	s := onScreen(t, b.command("login", "acme-both", "--flow", "device_code", "--no-browser"))
	s.expect(`sign in to Acme \(scopes: read\): open http://127.0.0.1:\d+/enter and enter the code`)
	s.expect(`WDJB-MJHT`)
	s.expect(`[█▀▄]{7}`)
	s.expect(`the code is good for 1[45]:\d\d`)
	s.enter("\x03")
	if code := s.end(); code != 130 || !strings.Contains(s.seen.String(), "cancelled") {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	s.wantNot("device-canary")

	s = onScreen(t, b.command("login", "acme-both", "--no-browser"))
	s.expect(`sign in by a code`)
	s.expect(`acme-both is connected as default, account kim@acme.test`)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestQRCode(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(terminal.QR("https://acme.test/device?code=WDJB-MJHT", 80)), "\n")
	for _, line := range lines {
		drawn := strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[38;5;16;48;5;231m"), "\x1b[0m")
		if n := len([]rune(drawn)); n != 2*len(lines) && n != 2*len(lines)-1 {
			t.Errorf("%d columns in %d lines", n, len(lines))
		}
	}
	if terminal.QR("https://acme.test/device?code=WDJB-MJHT", 20) != "" {
		t.Error("a code that does not fit is drawn")
	}
}

// typed runs a command on a terminal, types the answer once the question is
// there, and gives the screen and the exit code.
func (b *bench) typed(question, answer string, args ...string) (seen string, code int) {
	b.t.Helper()
	s := onScreen(b.t, b.command(args...))
	s.expect(regexp.QuoteMeta(question))
	s.enter(answer)
	code = s.end()
	return s.seen.String(), code
}

// Login without a provider offers to store what the environment has.
func TestLoginOffersToImport(t *testing.T) {
	const key = "sk-offered_0123456789abcdefghij"
	for _, answer := range []string{"n", "y"} {
		b := newBench(t)
		cmd := b.command("login")
		cmd.Env = append(cmd.Env, "OPENAI_API_KEY="+key)
		s := onScreen(t, cmd)
		s.expect(`OPENAI_API_KEY +authsome login openai`)
		s.expect(`store them all now\? \[y/N\] `)
		s.enter(answer + "\n")
		if code := s.end(); code != 0 {
			t.Errorf("%s: exit code %d; the screen: %q", answer, code, s.seen.String())
		}
		s.wantNot(key)
		out, _ := b.command("list", "--connected").Output()
		if stored := strings.Contains(string(out), "openai"); stored != (answer == "y") {
			t.Errorf("%s: %s", answer, out)
		}
	}
}
