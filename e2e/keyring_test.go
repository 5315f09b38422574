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

// keyringSession runs a script in a new D-Bus session with an unlocked keyring, as a
// desktop session has.
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
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%v\n%s%s", err, &out, &stderr)
	}
	return out.String()
}

// TestKeyring moves the master key into a real Secret Service, replaces it there, and
// moves it back. After each step the vault opens, and the old key is deleted.
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
	// Outside the session the keyring is missing, so the vault does not open.
	cmd := exec.Command(binary, "list", "--json")
	cmd.Env = append(r.environment(), "DBUS_SESSION_BUS_ADDRESS=unix:path="+filepath.Join(r.tmp, "none"))
	answer, err := cmd.Output()
	var failure struct{ Error, Message, Hint string }
	if json.Unmarshal(answer, &failure); err == nil || cmd.ProcessState.ExitCode() != 7 || failure.Error != "StoreUnavailable" || failure.Hint == "" {
		t.Errorf("without a keyring: %v, %s", err, answer)
	}
	// A second session with the same keyring file still has the key. Each change has
	// deleted the previous entry.
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
		t.Errorf("master.key: %v, or it is the old key", err)
	}
}
