//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Only y and yes confirm a deletion.
func TestConfirm(t *testing.T) {
	b := newBench(t)
	b.run("", "profile", "create", "work")
	for _, tt := range []struct {
		answer  string
		code    int
		deleted bool
	}{{"n\n", 1, false}, {"\n", 1, false}, {"yess\n", 1, false}, {"\x04", 1, false}, {"y\x03", 130, false}, {"Y\n", 0, true}} {
		screen, code := b.typed("Delete profile work with all its connections? [y/N] ", tt.answer, "profile", "delete", "work")
		if code != tt.code {
			t.Errorf("%q: exit %d: %s", tt.answer, code, screen)
		}
		if !tt.deleted && !strings.Contains(screen, "cancelled; nothing was changed\r\n") {
			t.Errorf("%q: %s", tt.answer, screen)
		}
		if _, err := os.Stat(filepath.Join(b.home, "profiles", "work")); (err != nil) != tt.deleted {
			t.Errorf("%q: the profile: %v", tt.answer, err)
		}
	}
}

// A person is asked before all of a provider is deleted, and not with --yes or if there
// is nothing to delete.
func TestConfirmRevokeAndRemove(t *testing.T) {
	b := newBench(t)
	for _, command := range []string{"revoke", "remove"} {
		for _, connection := range []string{"default", "work"} {
			b.run("re_stored_0123456789", "login", "resend", "--connection", connection, "--key-stdin", "--no-verify")
		}
		before := b.stored()
		screen, code := b.typed(" all that is stored of resend, the connections default, work? [y/N] ", "n\n", command, "resend")
		if code != 1 || !strings.Contains(screen, "cancelled; nothing was changed\r\n") || b.stored() != before {
			t.Errorf("%s: exit %d: %s", command, code, screen)
		}
		if screen, code = b.typed("? [y/N] ", "y\n", command, "resend"); code != 0 || !strings.Contains(screen, "the service still accepts the keys until you delete them at https://resend.com/api-keys\r\n") {
			t.Errorf("%s: exit %d: %s", command, code, screen)
		}
		for _, args := range [][]string{{command, "resend"}, {command, "resend", "--yes"}} {
			s := onScreen(t, b.command(args...))
			if code := s.end(); code != 0 || strings.Contains(s.seen.String(), "y/N") {
				t.Errorf("%v: exit %d: %q", args, code, s.seen.String())
			}
			b.run("re_stored_0123456789", "login", "resend", "--key-stdin", "--no-verify")
		}
		b.run("", command, "resend", "-y")
	}
}

// The question before remove says that it also deletes a definition that was registered;
// revoke keeps the definition, and does not ask if nothing else is stored.
func TestConfirmDefinition(t *testing.T) {
	b := newBench(t)
	b.run(`{"schema_version":2,"name":"acme","flows":["api_key"],"hosts":["api.acme.test"]}`, "register", "-", "--yes")
	s := onScreen(t, b.command("revoke", "acme"))
	if code := s.end(); code != 0 || strings.Contains(s.seen.String(), "y/N") {
		t.Errorf("revoke asked: exit %d: %q", code, s.seen.String())
	}
	ask := func(question, command string) {
		t.Helper()
		if screen, code := b.typed(question+" [y/N] ", "n\n", command, "acme"); code != 1 {
			t.Errorf("%s: exit %d: %s", command, code, screen)
		}
	}
	ask("Delete the registered definition of acme?", "remove")
	b.run("key-one-0123456789", "login", "acme", "--key-stdin", "--no-verify")
	ask("Delete acme/default and its registered definition?", "remove")
	ask("Revoke and delete acme/default?", "revoke")
	b.run("key-two-0123456789", "login", "acme", "--connection", "two", "--key-stdin", "--no-verify")
	ask("Delete all that is stored of acme, the connections default, two, and its registered definition?", "remove")
}

// Ctrl-C at a confirmation has exit code 130, says that nothing was changed, and is
// right about it.
func TestCtrlCAtAConfirmation(t *testing.T) {
	b := newBench(t)
	b.run("re_stored_0123456789", "login", "resend", "--key-stdin", "--no-verify")
	b.run("", "ca", "show")
	definition := filepath.Join(t.TempDir(), "acme.json")
	writeText(t, definition, definitions("http://127.0.0.1:1")["acme"])
	dotenv := filepath.Join(t.TempDir(), ".env")
	const text = "MISTRAL_API_KEY=mistral-0123456789-0123456789-ab\n"
	writeText(t, dotenv, text)
	b.more = []string{"GROQ_API_KEY=gsk_0123456789-0123456789"}
	writeText(t, filepath.Join(b.home, "providers", "resend.json"), `{"schema_version":2,"name":"resend","flows":["api_key"],"hosts":["api.resend.com","added.example.com"]}`)
	before := b.stored()
	for _, tt := range []struct {
		question string
		args     []string
	}{
		{"Import 1 item? [y/N] ", []string{"import", "--env"}},
		{"Import 1 item? [y/N] ", []string{"import", "--dotenv", dotenv, "--placeholders"}},
		{"Store them all now? [y/N] ", []string{"login"}},
		{"Install acme? [y/N] ", []string{"register", definition}},
		{"[y/N] ", []string{"ca", "rotate"}},
		{"Let resend/default use this definition? [y/N] ", []string{"connection", "accept", "resend"}},
		{"Revoke and delete resend/default? [y/N] ", []string{"revoke", "resend"}},
		{"Delete resend/default and its registered definition? [y/N] ", []string{"remove", "resend"}},
	} {
		screen, code := b.typed(tt.question, "y\x03", tt.args...)
		if code != 130 || !strings.HasSuffix(screen, "\r\nauthsome: \x1b[31;1merror:\x1b[0m cancelled; nothing was changed\r\n") {
			t.Errorf("%v: exit code %d: %q", tt.args, code, screen)
		}
		if after := b.stored(); after != before {
			t.Errorf("%v: the home had\n%s\nand has\n%s", tt.args, before, after)
		}
	}
	wantText(t, dotenv, text)

	// The second question of an import comes after the keys were stored.
	s := onScreen(t, b.command("import", "--dotenv", dotenv))
	s.expect(`Import 1 item\? \[y/N\] `)
	s.enter("y\r")
	s.expect(`by placeholders\? \[y/N\] `)
	s.enter("\x03")
	if code := s.end(); code != 130 || !strings.Contains(s.seen.String(), "imported\r\n") || !strings.Contains(s.seen.String(), "cancelled; "+dotenv+" was not changed\r\n") {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	wantText(t, dotenv, text)
	wantNames(t, filepath.Dir(dotenv), ".env")
}
