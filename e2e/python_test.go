package e2e

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pythonWriter is a Python program that writes a home of the Python authsome from JSON
// on standard input, prints "open", and keeps the vault open until its input ends.
const pythonWriter = `
import json, os, sqlite3, sys
home, given = sys.argv[1], json.loads(sys.stdin.readline())
os.makedirs(os.path.join(home, "profiles", "default"), 0o700)
def write(name, text):
    with os.fdopen(os.open(os.path.join(home, name), os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
        f.write(text)
write("master.key", json.dumps({"version": 1, "key": given["key"], "algorithm": "AES-256-GCM"}, indent=2))
write("config.json", json.dumps({"spec_version": 1, "default_profile": "default", "encryption": {"mode": "local_key"}}))
db = sqlite3.connect(os.path.join(home, "profiles", "default", "store.db"))
assert db.execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)
db.execute("CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
for item in given["values"].items():
    db.execute("INSERT OR REPLACE INTO kv (key, value) VALUES (?, ?)", item)
db.commit()
print("open", flush=True)
sys.stdin.read()
`

// sealForPython encrypts values as the Python authsome does. It returns the input of
// pythonWriter.
func sealForPython(values map[string]string) ([]byte, error) {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	given := struct {
		Key    string            `json:"key"`
		Values map[string]string `json:"values"`
	}{base64.StdEncoding.EncodeToString(key), make(map[string]string)}
	for name, value := range values {
		nonce := make([]byte, 12)
		rand.Read(nonce)
		given.Values[name] = base64.StdEncoding.EncodeToString(nonce) + "." + base64.StdEncoding.EncodeToString(aead.Seal(nil, nonce, []byte(value), nil))
	}
	var b bytes.Buffer
	err = json.NewEncoder(&b).Encode(given)
	return bytes.TrimSpace(b.Bytes()), err
}

// contents returns the modification time and the content of each file below a
// directory.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = info.ModTime().String() + string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestPythonVault imports a vault that Python's SQLite keeps open in WAL mode, and
// checks that the import changes none of its files. Go encrypts the values, Python
// stores them.
func TestPythonVault(t *testing.T) {
	r := newRig(t)
	python := need(t, "python3")
	dir := filepath.Join(r.tmp, "python")
	cmd := exec.Command(python, "-c", pythonWriter, dir)
	values, err := sealForPython(map[string]string{
		"profile:default:resend:connection:default": `{"schema_version": 2, "auth_type": "api_key", "status": "connected", "expires_at": null, "obtained_at": "2026-01-02T03:04:05+00:00", "api_key": "` + r.key + `"}`,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer stdin.Close()
	if _, err := stdin.Write(append(values, '\n')); err != nil {
		t.Fatal(err)
	}
	if line := make([]byte, 8); !func() bool { n, _ := stdout.Read(line); return strings.HasPrefix(string(line[:n]), "open") }() {
		t.Fatal("Python did not write its vault")
	}
	before := contents(t, dir)
	if len(before) != 5 { // config, key, store.db, -wal, -shm
		t.Fatalf("%d files", len(before))
	}
	if out := r.authsome("", "import", "--authsome", dir, "--yes"); !strings.Contains(out, "imported") {
		t.Errorf("import: %s", out)
	}
	if got := strings.TrimSpace(r.authsome("", "get", "resend", "--field", "api_key", "--show-secret")); got != r.key {
		t.Errorf("another key was imported")
	}
	for name, was := range contents(t, dir) {
		if before[name] != was {
			t.Errorf("%s was created or changed", name)
		}
	}
}
