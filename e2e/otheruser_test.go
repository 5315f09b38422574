package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestOtherUserIsRefused checks that a process of another user cannot use the proxy of
// a run, even if it knows the address.
func TestOtherUserIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("run this as root: the test changes its user")
	}
	setpriv, curl := need(t, "setpriv"), need(t, "curl")
	for uid, want := range map[string]struct{ head, reason string }{
		"65534": {"HTTP/1.1 403", "X-Authsome-Error: not_your_proxy"},
		"0":     {"HTTP/1.1 200", "hello from " + routeHost}, // the control
	} {
		t.Run("uid "+uid, func(t *testing.T) {
			r := newRig(t)
			// curl -i also prints the head of a response from the proxy itself.
			cmd := r.command(nil, setpriv, "--reuid="+uid, "--regid="+uid, "--clear-groups", curl, "-sSi", "https://"+routeHost+"/x")
			var out, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &stderr, "/"
			var failed *exec.ExitError
			if err := cmd.Run(); err != nil && !errors.As(err, &failed) {
				t.Fatal(err)
			}
			if !strings.HasPrefix(out.String(), want.head) || !strings.Contains(out.String(), want.reason) {
				t.Errorf("want %s and %q, got\n%s%s", want.head, want.reason, &out, &stderr)
			}
			if uid == "0" {
				r.wantOnce("")
			} else if all := r.arrivals(); len(all) != 0 {
				t.Errorf("arrived: %+v", all)
			}
		})
	}
}
