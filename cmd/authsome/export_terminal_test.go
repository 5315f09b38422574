//go:build unix

package main

import (
	"strings"
	"testing"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// Several secrets are printed to a terminal only with --yes.
func TestExportToATerminal(t *testing.T) {
	b := newBench(t)
	b.run("re_one_0123456789", "login", "resend", "--key-stdin")
	b.run("re_two_0123456789", "login", "resend", "--connection", "work", "--key-stdin")
	s := onScreen(t, b.command("export"))
	if code := s.end(); code != exit.Usage || !strings.Contains(s.seen.String(), "authsome export --yes") {
		t.Errorf("exit %d, screen: %q", code, s.seen.String())
	}
	s.wantNot("re_one", "re_two")
	s = onScreen(t, b.command("export", "--yes"))
	if code := s.end(); code != 0 || !strings.Contains(s.seen.String(), "RESEND_API_KEY_RESEND_WORK=re_two_0123456789") {
		t.Errorf("exit %d, screen: %q", code, s.seen.String())
	}
}
