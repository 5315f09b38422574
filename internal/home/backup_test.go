package home_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Backups of one file do not overwrite each other, and their names tell which file it
// was.
func TestSaveBackup(t *testing.T) {
	h := mustOpen(t, filepath.Join(t.TempDir(), "home"))
	dir := t.TempDir()
	t.Chdir(dir)
	deep := filepath.Join(dir, strings.Repeat("ü", 150), ".env")
	for _, tt := range []struct{ of, ends string }{
		{".env", filepath.Base(dir) + "%.env"},
		{filepath.Join(dir, ".env"), filepath.Base(dir) + "%.env.2"},
		{".env", filepath.Base(dir) + "%.env.3"},
		{deep, "üü%.env"},
		{deep, "üü%.env.2"},
	} {
		path, err := h.SaveBackup(tt.of, []byte(tt.ends))
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(path) != filepath.Join(h.Dir, "backups") || !strings.HasSuffix(path, tt.ends) || len(filepath.Base(path)) > 210 {
			t.Errorf("%s: saved as %s", tt.of, path)
		}
		got, err := os.ReadFile(path)
		if info, _ := os.Stat(path); err != nil || string(got) != tt.ends || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}
	if info, err := os.Stat(filepath.Join(h.Dir, "backups")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory: %v, %v", info, err)
	}
}
