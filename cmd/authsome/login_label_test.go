//go:build unix

package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// A label that begins with a letter of several bytes is whole in prompts and errors. A
// param without a label is asked for by its name.
func TestPromptsHaveTheWholeLabel(t *testing.T) {
	for label, inSentence := range map[string]string{"Über-Schlüssel": "über-Schlüssel", "Ключ": "ключ", "密钥": "密钥"} {
		b := newBench(t)
		b.run(fmt.Sprintf(`{"schema_version":2,"name":"labelled","display_name":"Ärzte","flows":["api_key"],"hosts":["api.labelled.test"],
			"params":[{"name":"tenant_id"},{"name":"api_key","label":%q,"secret":true,"pattern":"k-[0-9]+"}],
			"inject":[{"in":"basic","username":"{tenant_id}","password":"{api_key}"}]}`, label), "register", "-", "--yes")
		s := onScreen(t, b.command("login", "labelled", "--no-browser"))
		s.expect(`Tenant id for Ärzte: `)
		s.enter("7\r")
		s.expect(regexp.QuoteMeta("\n" + label + " for Ärzte (hidden): "))
		s.enter("wrong\r")
		s.expect(regexp.QuoteMeta("\nthis does not look like the " + label + " for Ärzte\r\n"))
		s.expect(`^` + regexp.QuoteMeta(label+" for Ärzte (hidden): "))
		s.enter("\x04")
		s.expect(regexp.QuoteMeta("labelled: " + inSentence + ": nothing was entered\r\n"))
		s.expect(`authsome login labelled --no-browser --param tenant_id=VALUE --key-stdin < FILE\r\n`)
		if code := s.end(); code != 4 {
			t.Errorf("exit code %d: %q", code, s.seen.String())
		}
	}
}

// After Ctrl-D at any question, the hint has the flags for all values that are missing.
func TestHintAfterCtrlD(t *testing.T) {
	b := newBench(t)
	b.serverFor("acme")
	for _, tt := range []struct{ provider, question, message, hint string }{
		{"resend", "API key for Resend (hidden): ", "resend: API key: nothing was entered", "authsome login resend --no-browser --key-stdin < FILE"},
		{"acme", "Client ID for Acme: ", "acme: client ID: nothing was entered", "authsome login acme --no-browser --client-id ID"},
		{"twilio", "Account SID for ", "twilio: account SID: nothing was entered", "authsome login twilio --no-browser --param account_sid=VALUE --key-stdin < FILE"},
	} {
		screen, code := b.typed(tt.question, "\x04", "login", tt.provider, "--no-browser")
		if code != 4 || !strings.Contains(screen, tt.message+"\r\n") || !strings.Contains(screen, tt.hint+"\r\n") {
			t.Errorf("%s: exit code %d: %q", tt.provider, code, screen)
		}
	}
}
