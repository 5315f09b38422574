//go:build unix

package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
)

// On a terminal the key is asked for, and what is typed is not echoed.
func TestKeyTypedOnATerminal(t *testing.T) {
	b := newBench(t)
	cmd := b.command("login", "resend", "--no-verify")
	cmd.Stderr = nil
	tty, err := pty.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	time.AfterFunc(limit, func() { tty.Close() })
	var screen bytes.Buffer
	for !strings.Contains(screen.String(), "(not shown): ") {
		if _, err := io.CopyN(&screen, tty, 1); err != nil {
			t.Fatalf("no question: %q, %v", screen.String(), err)
		}
	}
	io.WriteString(tty, "re_typed_0123456789\n")
	io.Copy(&screen, tty) // ends with an error when the other side is closed
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, screen.String())
	}
	if s := screen.String(); strings.Contains(s, "re_typed") || !strings.Contains(s, "resend is connected") {
		t.Errorf("the screen: %q", s)
	}
	out, err := b.command("get", "resend", "--field", "api_key", "--show-secret").Output()
	if string(out) != "re_typed_0123456789\n" || err != nil {
		t.Errorf("stored %q, %v", out, err)
	}
}
