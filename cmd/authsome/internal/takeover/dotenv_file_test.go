package takeover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
)

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

// After a failed write, no temporary file is left.
func TestFailedDotenvWriteLeavesNoFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".env")
	if err := os.WriteFile(path, []byte("A=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := readDotenv(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	save := func(string, []byte) (string, error) { return "", errors.New("must not be called") }
	if err := f.write("new", save); err == nil {
		t.Error("wrote a file that no longer exists")
	}
	wantNames(t, filepath.Dir(path))
	if err := os.WriteFile(path, []byte("A=1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f.path = filepath.Join(path, "below")
	if err := f.write("new", save); err == nil {
		t.Error("wrote below a file")
	}
	wantNames(t, filepath.Dir(path), ".env")
	f.path = path
	if err := f.write("new", save); err == nil {
		t.Error("wrote without a backup")
	}
	wantNames(t, filepath.Dir(path), ".env")
}

func TestDotenvReplacementsKeepTheRest(t *testing.T) {
	const text = "A=1 # 1\nB='22'\nA=\"333\""
	all, _ := parseDotenv(text)
	f := &dotenvFile{text: text, replacements: []replacement{{all[0], "aaaa"}, {all[2], ""}}}
	if got, want := f.replaced(), "A=aaaa # 1\nB='22'\nA=\"\""; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := f.names(); got != "A" {
		t.Errorf("names %s", got)
	}
}

// All placeholders for keys of bundled providers can be written into a .env file without
// quotes.
func TestPlaceholdersArePlain(t *testing.T) {
	set, err := providers.Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	params := strings.NewReplacer("{", "", "}", "")
	for _, d := range set.All() {
		for _, v := range d.Variables() {
			if d.HasFlow(providers.FlowAPIKey) && v.Secret && v.Value != "" && !IsPlainValue(params.Replace(v.Placeholder)) {
				t.Errorf("%s: %s has the placeholder %q", d.Name, v.Name, v.Placeholder)
			}
		}
	}
}
