//go:build unix

package main

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// cancelledLogin is a login that waits for the user, and what it waits with.
type cancelledLogin struct {
	name    string
	args    []string
	browser bool   // a browser is open; otherwise the terminal asks
	asks    string // what it asks first, and what is left empty; may be empty
	waiting string // what the screen has then
}

const nothingChanged = "login cancelled; nothing was changed"

var cancelledLogins = []cancelledLogin{
	{name: "key on the terminal", args: []string{"openai"}, waiting: `\(hidden\): `},
	{name: "replacing a connection", args: []string{"resend", "--force"}, waiting: `\(hidden\): `},
	{name: "form in the browser", args: []string{"openai"}, browser: true, waiting: `opened your browser`},
	{name: "client form in the browser", args: []string{"acme"}, browser: true, waiting: `opened your browser`},
	{name: "sign-in code", args: []string{"acme-both", "--flow", "device_code"}, waiting: `the code expires in`},
	{name: "sign-in with a new client", args: []string{"acme", "--client-id", "client-canary-1"}, asks: `Client secret for Acme \(.*\): `, waiting: `Address of the last page \(hidden\): `},
}

// newCancelBench is a home with providers and one connection.
func newCancelBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.serverFor("acme")
	b.serverFor("acme-both")
	b.run("re_stored_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	return b
}

// logIn starts the login on a terminal, and waits until it waits.
func (l cancelledLogin) logIn(t *testing.T, b *bench, more ...string) *screen {
	t.Helper()
	args := append([]string{"login"}, append(l.args, more...)...)
	if !l.browser {
		args = append(args, "--no-browser")
	}
	cmd := b.command(args...)
	cmd.Env = append(cmd.Env, "BROWSER=true")
	s := onScreen(t, cmd)
	if l.asks != "" {
		s.expect(l.asks)
		s.enter("\r")
	}
	s.expect(l.waiting)
	return s
}

// After Ctrl-C at any point of a login, the exit code is 130, one line says so, the audit
// log has it, and the vault and the providers are as they were.
func TestCancelledLoginChangesNothing(t *testing.T) {
	t.Parallel()
	for _, l := range cancelledLogins {
		t.Run(l.name, func(t *testing.T) {
			b := newCancelBench(t)
			before := b.stored()
			if !strings.Contains(before, "/vault/") || !strings.Contains(before, "acme.json") {
				t.Fatalf("the home has %q", before)
			}
			s := l.logIn(t, b)
			s.enter("\x03")
			code := s.end()
			seen := s.seen.String()
			if code != 130 || !strings.Contains(seen, "authsome: "+nothingChanged+"\r\n") || strings.Contains(seen, "error") || strings.Contains(seen, "hint") {
				t.Errorf("exit code %d: %q", code, seen)
			}
			if after := b.stored(); after != before {
				t.Errorf("the home had\n%s\nand has\n%s", before, after)
			}
			out, err := b.command("log", "--event", "login", "-n", "1", "--jsonl").Output()
			var e struct{ Outcome, Provider string }
			if err != nil || json.Unmarshal(out, &e) != nil || e.Outcome != "cancelled" || e.Provider != l.args[0] {
				t.Errorf("the audit log: %s%v", out, err)
			}
		})
	}
}

// stored is the content of a home's vaults and providers.
func (b *bench) stored() string {
	b.t.Helper()
	var all strings.Builder
	for _, dir := range []string{"providers", "profiles"} {
		err := filepath.WalkDir(filepath.Join(b.home, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			all.WriteString(path + " " + string(text) + "\n")
			return err
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
	return all.String()
}

// With --json, a cancelled login is an error as others are.
func TestCancelledLoginIsJSON(t *testing.T) {
	b := newCancelBench(t)
	s := cancelledLogins[0].logIn(t, b, "--json")
	s.enter("\x03")
	code := s.end()
	_, answer, found := strings.Cut(s.seen.String(), "{")
	var e struct{ Error, Message string }
	if err := json.Unmarshal([]byte("{"+answer), &e); !found || err != nil || e.Error != "Cancelled" || e.Message != nothingChanged || code != 130 {
		t.Errorf("exit code %d, %v: %q", code, err, s.seen.String())
	}
}

// SIGTERM cancels a login as Ctrl-C does.
func TestTerminatedLogin(t *testing.T) {
	b := newCancelBench(t)
	for _, l := range cancelledLogins[:3] {
		s := l.logIn(t, b)
		s.cmd.Process.Signal(syscall.SIGTERM)
		if code := s.end(); code != 130 || !strings.Contains(s.seen.String(), nothingChanged) {
			t.Errorf("%s: exit code %d: %q", l.name, code, s.seen.String())
		}
	}
}
