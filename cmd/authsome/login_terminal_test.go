//go:build unix

package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// A terminal asks for the key, and asks again if it is invalid. It shows only stars.
func TestKeyTypedOnATerminal(t *testing.T) {
	b := newBench(t)
	s := onScreen(t, b.command("login", "openai", "--no-verify"))
	s.expect(`Create a key at https://platform.openai.com/api-keys\r\n`)
	s.expect(`API key for OpenAI \(hidden\): `)
	s.enter("wrong\r")
	s.expect(`this does not look like the API key for OpenAI`)
	s.expect(`API key for OpenAI \(hidden\): `)
	s.enter("mistyped\x15sk-typed_0123456789abcdefghij\x1b[D\x7fjx\x7f\r")
	if code := s.end(); code != 0 || !strings.Contains(s.seen.String(), "authsome: connected openai/default") || !strings.Contains(s.seen.String(), "***") {
		t.Errorf("exit code %d; the screen: %q", code, s.seen.String())
	}
	s.wantNot("sk-typed", "mistyped", "wrong")
	out, err := b.command("get", "openai", "--field", "api_key", "--show-secret").Output()
	if string(out) != "sk-typed_0123456789abcdefghij\n" || err != nil {
		t.Errorf("stored %q, %v", out, err)
	}
}

// However the question of a login ends, the terminal is in its former state.
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
		s.expect(`\(hidden\): `)
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
			t.Errorf("%s: the terminal is in another state: %v", name, err)
		}
		master.Close()
	}
}

// serverFor starts a signIn and registers one of its providers.
func (b *bench) serverFor(provider string) {
	b.t.Helper()
	server := httptest.NewServer(&signIn{codes: make(map[string]url.Values)})
	b.t.Cleanup(server.Close)
	b.run(definitions(server.URL)[provider], "register", "-", "--force", "--yes")
}

// browserElsewhere signs in at the printed address, as a browser on another machine
// does, and returns the address of its last page.
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

// Over SSH the user pastes the address of the browser's last page, or the browser reaches
// the login through a forwarded port.
func TestSignInOverSSH(t *testing.T) {
	for _, forwarded := range []bool{false, true} {
		b := newBench(t)
		b.serverFor("acme")
		cmd := b.command("login", "acme", "--client-id", "client-1")
		cmd.Env = append(cmd.Env, "SSH_CONNECTION=10.0.0.1 1 10.0.0.2 22", "DISPLAY=localhost:10")
		s := onScreen(t, cmd)
		s.expect(`Client secret for Acme \(hidden, Enter if there is none\): `)
		s.enter("\r")
		address := s.expect(`(http://127.0.0.1:\d+/authorize\?[^\s]+)`)[1]
		s.expect(`\r\n  ssh -L \d+:127.0.0.1:\d+ HOST\r\n`)
		s.expect(`Address of the last page \(hidden\): `)
		ended := browserElsewhere(t, address)
		if forwarded {
			response, err := http.Get(ended)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		} else {
			s.enter("http://127.0.0.1/callback?code=code-canary-9&state=guessed\r")
			s.expect(`That is not the address of this login's last page, which begins with\s+http://127.0.0.1:\d+/callback\r\n`)
			s.expect(`Address of the last page \(hidden\): `)
			s.enter(ended + "\r")
		}
		s.expect(`authsome: connected acme/default, account kim@acme.test`)
		if code := s.end(); code != 0 {
			t.Errorf("exit code %d: %q", code, s.seen.String())
		}
		s.wantNot("canary")
	}
}

// The device flow shows the address, the code, a QR code and the time that is left.
// Ctrl-C ends it at once.
func TestDeviceCodeOnATerminal(t *testing.T) {
	b := newBench(t)
	b.serverFor("acme-both")
	s := onScreen(t, b.command("login", "acme-both", "--flow", "device_code", "--no-browser"))
	s.expect(`sign in to Acme \(scopes: read\): open\s+http://127.0.0.1:\d+/enter\s+and\s+enter\s+the\s+code`)
	s.expect(`WDJB-MJHT`)
	s.expect(`[█▀▄]{7}`)
	s.expect(`Waiting for approval… the code expires in 1[45]:\d\d`)
	s.enter("\x03")
	if code := s.end(); code != 130 || !strings.Contains(s.seen.String(), "authsome: login cancelled; nothing was changed") {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	s.wantNot("device-canary")

	s = onScreen(t, b.command("login", "acme-both", "--no-browser"))
	s.expect(`using\s+a\s+sign-in\s+code`)
	s.expect(`authsome: connected acme-both/default, account kim@acme.test`)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// Login without a provider offers to store the keys in the environment.
func TestLoginOffersToImport(t *testing.T) {
	const key = "sk-offered_0123456789abcdefghij"
	for _, answer := range []string{"n", "y"} {
		b := newBench(t)
		cmd := b.command("login")
		cmd.Env = append(cmd.Env, "OPENAI_API_KEY="+key)
		s := onScreen(t, cmd)
		s.expect(`OPENAI_API_KEY +authsome login openai`)
		s.expect(`Store them all now\? \[y/N\] `)
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
