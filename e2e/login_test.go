package e2e

import (
	"bytes"
	"strings"
	"testing"
)

// A key that the service refuses is not stored, and the hint says how it could be;
// the one that it takes needs no hint.
func TestRefusedKey(t *testing.T) {
	r := newRig(t)
	r.authsome(`{"schema_version":2,"name":"checked","flows":["api_key"],"hosts":["`+otherHost+`"],"verify":{"url":"https://`+otherHost+`/verify"}}`, "register", "-", "--yes")
	// Behind a run only because that knows where the host is.
	login := func(key string) (string, error) {
		cmd := r.command(nil, binary, "login", "checked", "--key-stdin")
		var problems bytes.Buffer
		cmd.Stdin, cmd.Stderr = strings.NewReader(key), &problems
		err := cmd.Run()
		return problems.String(), err
	}
	said, err := login("wrong-0123456789")
	if err == nil || !strings.Contains(said, "authsome: error: checked: ") || !strings.Contains(said, "authsome: hint: authsome login checked --key-stdin < FILE --no-verify\n") {
		t.Errorf("%v: %s", err, said)
	}
	if out := r.authsome("", "list", "--connected"); strings.Contains(out, "checked") {
		t.Errorf("it was stored: %s", out)
	}
	if said, err := login(r.key); err != nil || strings.Contains(said, "could not test") {
		t.Errorf("the right key: %v: %s", err, said)
	}
	for _, a := range r.arrivals() {
		if a.Path != "/verify" || a.Authorizations != 1 {
			t.Errorf("arrived: %+v", a)
		}
	}
}
