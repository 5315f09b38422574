//go:build unix

package main

import (
	"strings"
	"testing"
)

// newPassphraseBench is a home whose master key a passphrase protects.
func newPassphraseBench(t *testing.T) (b *bench, passphrase string) {
	t.Helper()
	b, passphrase = newBench(t), "correct horse battery"
	b.run("re_stored_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	s := onScreen(t, b.command("key", "mode", "passphrase"))
	s.expect(`New passphrase: `)
	s.enter("größere\r") // 7 characters, 9 bytes
	s.expect(`use at least 8 characters`)
	s.expect(`New passphrase: `)
	s.enter(passphrase + "\r")
	s.expect(`Repeat the passphrase: `)
	s.enter(passphrase + "\r")
	if code := s.end(); code != 0 {
		t.Fatalf("exit code %d: %q", code, s.seen.String())
	}
	s.wantNot(passphrase, "größere")
	return b, passphrase
}

// A passphrase is asked for until it is right, and the screen shows only stars.
func TestPassphraseOnATerminal(t *testing.T) {
	b, passphrase := newPassphraseBench(t)
	s := onScreen(t, b.command("list", "--connected"))
	s.expect(`^Passphrase of the master key: `)
	s.enter("wrong horse\r")
	s.expect(`Wrong passphrase. Passphrase of the master key: `)
	s.enter(passphrase + "\r")
	s.expect(`resend`)
	if code := s.end(); code != 0 {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	s.wantNot(passphrase, "wrong horse")
}

// Ctrl-C at the passphrase ends the command at once: it is asked for only once.
func TestCtrlCAtThePassphrase(t *testing.T) {
	b, _ := newPassphraseBench(t)
	for _, args := range [][]string{{"list", "--connected"}, {"login", "openai", "--no-browser"}, {"import", "--env"}, {"get", "resend"}} {
		cmd := b.command(args...)
		cmd.Env = append(cmd.Env, "GROQ_API_KEY=gsk_0123456789-0123456789")
		s := onScreen(t, cmd)
		s.expect(`^Passphrase of the master key: `)
		s.enter("corr\x03")
		code := s.end()
		if seen := s.seen.String(); code != 130 || !strings.Contains(seen, "cancelled") || strings.Count(seen, "Passphrase") != 1 {
			t.Errorf("%v: exit code %d: %q", args, code, seen)
		}
	}
}
