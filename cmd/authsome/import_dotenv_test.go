//go:build unix

package main

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// dotenvBench returns a .env file with one key, and the path of its backup.
func dotenvBench(t *testing.T) (b *bench, path, backup, text, key string) {
	t.Helper()
	key = "mistral" + rand.Text()
	text = "# mine\nMISTRAL_API_KEY='" + key + "'\r\n"
	path = filepath.Join(t.TempDir(), ".env")
	writeText(t, path, text)
	b = newBench(t)
	return b, path, filepath.Join(b.home, "backups", strings.ReplaceAll(path, "/", "%")), text, key
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func wantText(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s has %q, %v; want %q", path, got, err, want)
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	names, err := fs.Glob(os.DirFS(dir), "*")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(names, " "); got != strings.Join(want, " ") {
		t.Errorf("the directory has %s, want %v", got, want)
	}
}

// A terminal asks two questions. If the second one is declined, the key is stored all the
// same.
func TestImportDotenvAsks(t *testing.T) {
	b, path, backup, text, key := dotenvBench(t)
	s := onScreen(t, b.command("import", "--dotenv", path))
	s.expect(`MISTRAL_API_KEY mist… \(\d+ characters\)`)
	s.expect(`Import 1 item\? \[y/N\] `)
	s.enter("y\n")
	s.expect(`Replace MISTRAL_API_KEY in .*\.env by placeholders\? \[y/N\] `)
	s.enter("n\n")
	if code := s.end(); code != 0 || !strings.Contains(s.seen.String(), "imported") {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	s.wantNot(key)
	wantText(t, path, text)
	wantNames(t, filepath.Dir(path), ".env")

	// The key is stored already, and only the second question is asked.
	seen, code := b.typed("by placeholders? [y/N] ", "y\n", "import", "--dotenv", path)
	if code != 0 || strings.Contains(seen, "Import 1 item") || strings.Contains(seen, key) {
		t.Errorf("exit code %d: %q", code, seen)
	}
	wantText(t, path, "# mine\nMISTRAL_API_KEY='authsome-proxy-managed'\r\n")
	wantText(t, backup, text)
	wantNames(t, filepath.Dir(path), ".env")
	if err := os.Remove(backup); err != nil {
		t.Error(err)
	}
	if found := findSecret(b.home, key); len(found) > 0 {
		t.Errorf("the key is in %v", found)
	}
}

// A file that another program changes while the question is open is not overwritten.
func TestImportDotenvFileChangedByAnotherProgram(t *testing.T) {
	b, path, _, text, _ := dotenvBench(t)
	b.run("", "import", "--dotenv", path, "--yes")
	s := onScreen(t, b.command("import", "--dotenv", path))
	s.expect(`by placeholders\? \[y/N\] `)
	writeText(t, path, text+"MORE=1\n")
	s.enter("y\n")
	if code := s.end(); code != 1 || !strings.Contains(s.seen.String(), path+" could not be changed: another program changed it at the same time") {
		t.Errorf("exit code %d: %q", code, s.seen.String())
	}
	wantText(t, path, text+"MORE=1\n")
	wantNames(t, filepath.Dir(path), ".env")
}

// Root can import the .env file of another user. The new file belongs to that user; the
// backup, in root's home, to root.
func TestImportDotenvKeepsTheOwner(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can change the owner of a file")
	}
	const nobody = 65534
	b, path, backup, _, _ := dotenvBench(t)
	if err := os.Chown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	b.run("", "import", "--dotenv", path, "--yes", "--placeholders")
	for name, want := range map[string]struct {
		id   uint32
		mode os.FileMode
	}{path: {nobody, 0o644}, backup: {0, 0o600}} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if s := info.Sys().(*syscall.Stat_t); s.Uid != want.id || s.Gid != want.id || info.Mode().Perm() != want.mode {
			t.Errorf("%s: %d:%d, mode %o", name, s.Uid, s.Gid, info.Mode().Perm())
		}
	}
}
