package e2e

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// TestRefusedKey checks that a key which the service refuses is not stored, and that
// the hint names the command that stores it without asking the service. A key that the
// service accepts is stored without a hint.
func TestRefusedKey(t *testing.T) {
	r := newRig(t)
	// In another home, because a run refuses commands that store a credential in its own.
	served, other := r.home, filepath.Join(r.tmp, "other")
	r.home = other
	r.authsome(`{"schema_version":2,"name":"checked","flows":["api_key"],"hosts":["`+otherHost+`"],"verify":{"url":"https://`+otherHost+`/verify"}}`, "register", "-", "--yes")
	// Under authsome run, because only its proxy knows the address of the host.
	login := func(key string) (string, error) {
		r.home = served
		cmd := r.command(nil, "env", "AUTHSOME_HOME="+other, binary, "login", "checked", "--key-stdin")
		r.home = other
		var stderr bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader(key), &stderr
		err := cmd.Run()
		return stderr.String(), err
	}
	output, err := login("wrong-0123456789")
	if err == nil || !strings.Contains(output, "authsome: error: checked: ") || !strings.Contains(output, "authsome: hint: authsome login checked --key-stdin < FILE\n") {
		t.Errorf("%v: %s", err, output)
	}
	if out := r.authsome("", "list", "--connected"); strings.Contains(out, "checked") {
		t.Errorf("the refused key was stored: %s", out)
	}
	if output, err := login(r.key); err != nil || strings.Contains(output, "could not test") {
		t.Errorf("the right key: %v: %s", err, output)
	}
	for _, a := range r.arrivals() {
		if a.Path != "/verify" || a.Authorizations != 1 {
			t.Errorf("arrived: %+v", a)
		}
	}
}
