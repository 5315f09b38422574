package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// keyringSession runs a script with a Secret Service of its own, as a desktop
// session has one: a bus, and a keyring that is unlocked.
func (r *rig) keyringSession(script string, env ...string) string {
	r.t.Helper()
	dbus, daemon := need(r.t, "dbus-run-session"), need(r.t, "gnome-keyring-daemon")
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	unlock := `printf keyring-password | "$DAEMON" --unlock --components=secrets >/dev/null` + "\n"
	cmd := exec.CommandContext(ctx, dbus, "--", "sh", "-euc", unlock+script)
	runtime := filepath.Join(r.tmp, "runtime")
	if err := os.MkdirAll(runtime, 0o700); err != nil {
		r.t.Fatal(err)
	}
	cmd.Env = r.environment(append(env, "DAEMON="+daemon, "AUTHSOME="+binary, "XDG_RUNTIME_DIR="+runtime, "XDG_DATA_HOME="+filepath.Join(r.tmp, "data"))...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%v\n%s%s", err, &out, &problems)
	}
	return out.String()
}

// The master key moves into a real Secret Service, is replaced there, and comes
// back; each time the vault opens, and the old key is gone.
func TestKeyring(t *testing.T) {
	r := newRig(t)
	old, err := os.ReadFile(filepath.Join(r.home, "master.key"))
	if err != nil {
		t.Fatal(err)
	}
	out := r.keyringSession(`
"$AUTHSOME" key mode keyring
"$AUTHSOME" key status --json
"$AUTHSOME" get upstream --field api_key --show-secret
"$AUTHSOME" key rotate --reseal
"$AUTHSOME" get upstream --field api_key --show-secret
test ! -e "$AUTHSOME_HOME/master.key"
`)
	if strings.Count(out, r.key) != 2 || !strings.Contains(out, `"mode": "keyring"`) {
		t.Errorf("in the keyring: %s", out)
	}
	// Outside of the session there is no keyring, and nothing opens.
	cmd := exec.Command(binary, "list", "--json")
	cmd.Env = append(r.environment(), "DBUS_SESSION_BUS_ADDRESS=unix:path="+filepath.Join(r.tmp, "none"))
	answer, err := cmd.Output()
	var failure struct{ Error, Message, Hint string }
	if json.Unmarshal(answer, &failure); err == nil || cmd.ProcessState.ExitCode() != 7 || failure.Error != "StoreUnavailable" || failure.Hint == "" {
		t.Errorf("without a keyring: %v, %s", err, answer)
	}
	// A second session with the same keyring file: the key has lasted. Each change
	// took away the entry before it.
	out = r.keyringSession(`
"$AUTHSOME" get upstream --field api_key --show-secret
secret-tool search --all service authsome 2>/dev/null | grep -c '^label' || true
"$AUTHSOME" key mode local_key
"$AUTHSOME" get upstream --field api_key --show-secret
secret-tool search --all service authsome 2>/dev/null | grep -c '^label' || true
`)
	if lines := strings.Fields(out); len(lines) != 4 || lines[0] != r.key || lines[1] != "1" || lines[2] != r.key || lines[3] != "0" {
		t.Errorf("in the second session: %q", lines)
	}
	now, err := os.ReadFile(filepath.Join(r.home, "master.key"))
	if err != nil || bytes.Equal(now, old) {
		t.Errorf("master.key: %v, or it is the first one again", err)
	}
}
