//go:build unix

package main

import (
	"strings"
	"testing"
)

// guidedLogin starts a login to a provider that needs a token or a client, on a terminal
// without a browser.
func guidedLogin(t *testing.T, more ...string) (*bench, *screen) {
	t.Helper()
	b := newBench(t)
	b.serverFor("acme-token")
	b.serverFor("acme-guided")
	s := onScreen(t, b.command(append([]string{"login", "acme-guided", "--no-browser"}, more...)...))
	s.expect(`Acme needs a token or an OAuth app of yours. How do you want to connect\?`)
	s.expect(`\r\n  1\. Paste a token\.`)
	s.expect(`\r\n  2\. Create an OAuth app\.`)
	s.expect(`\r\n  3\. Use a device code\.`)
	s.expect(`Choose 1 to 3 \[1\]: `)
	return b, s
}

// wantNarrow checks that what a person reads fits in 80 columns. Addresses cannot be
// broken.
func (s *screen) wantNarrow() {
	s.t.Helper()
	for line := range strings.FieldsFuncSeq(s.seen.String(), func(r rune) bool { return r == '\r' || r == '\n' }) {
		if len([]rune(line)) > 80 && !strings.Contains(line, "://") {
			s.t.Errorf("%d columns: %q", len([]rune(line)), line)
		}
	}
}

// The terminal offers a token, which is stored for the provider that takes it.
func TestGuidedToken(t *testing.T) {
	b, s := guidedLogin(t)
	s.enter("7\r")
	s.expect(`not a number from 1 to 3\r\n`)
	s.expect(`Choose 1 to 3 \[1\]: `)
	s.enter("\r")
	s.expect(`Create a key at https://acme.test/tokens\r\n`)
	s.expect(`Token for Acme \(hidden\): `)
	s.enter("at-canary-1\r")
	s.expect(`authsome: connected acme-token/default`)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.wantNot("canary")
	s.wantNarrow()
	if out, err := b.command("list", "--connected").Output(); err != nil || !strings.Contains(string(out), "acme-token") || strings.Contains(string(out), "acme-guided") {
		t.Errorf("%s, %v", out, err)
	}
}

// The terminal has the numbered steps to create a client, and asks for its secret.
func TestGuidedApp(t *testing.T) {
	_, s := guidedLogin(t)
	s.enter("2\r")
	s.expect(`Create an OAuth app at Acme:\r\n`)
	s.expect(`  1\. Open https://acme.test/apps\r\n`)
	s.expect(`  2\. Enter any name, and select the scopes read, write\r\n`)
	redirectURL := s.expect(`  3\. Set the callback URL to (http://127.0.0.1:\d+/callback)\r\n`)[1]
	s.expect(`  4\. Copy the client ID and the client secret\r\n`)
	s.expect(`Client ID for Acme: `)
	s.enter("client-1\r")
	s.expect(`Client secret for Acme \(hidden\): `)
	s.enter(signInSecret + "\r")
	s.expect(`authsome: the OAuth app's redirect URL must be ` + redirectURL + `\r\n`)
	address := s.expect(`(http://127.0.0.1:\d+/authorize\?[^\s]+)`)[1]
	s.expect(`Address of the last page \(hidden\): `)
	s.enter(browserElsewhere(t, address) + "\r")
	s.expect(`authsome: connected acme-guided/default`)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	s.wantNot("canary")
	s.wantNarrow()
}

// A code needs a client too, but no redirect URL, and a secret only if there is one.
func TestGuidedDeviceCode(t *testing.T) {
	_, s := guidedLogin(t)
	s.enter("3\r")
	s.expect(`  3\. Turn on sign-in codes\r\n`)
	s.expect(`Client ID for Acme: `)
	s.enter("client-1\r")
	s.expect(`Client secret for Acme \(hidden, Enter if there is none\): `)
	s.enter("\r")
	s.expect(`WDJB-MJHT`)
	s.expect(`authsome: connected acme-guided/default`)
	if code := s.end(); code != 0 || strings.Contains(s.seen.String(), "redirect URL") {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	s.wantNarrow()
}

// The question can be cancelled, and does not wait for a person who is gone.
func TestGuidedQuestionEnds(t *testing.T) {
	for key, want := range map[string]struct {
		code int
		says string
	}{
		"\x03": {130, "authsome: login cancelled; nothing was changed"},
		"\x04": {4, " authsome login acme-guided --no-browser --client-id ID --key-stdin < FILE\r\n"},
	} {
		_, s := guidedLogin(t)
		s.enter(key)
		if code := s.end(); code != want.code || !strings.Contains(s.seen.String(), want.says) {
			t.Errorf("%q: exit code %d: %q", key, code, s.seen.String())
		}
	}
}
