package providers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	custom := fmt.Sprintf(sample, "")
	if _, err := Install(dir, []byte(custom), false); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(dir, []byte(custom), false); !errors.Is(err, ErrInstalled) {
		t.Errorf("again: %v", err)
	}
	override := strings.Replace(custom, `"name":"sample"`, `"name":"openai"`, 1)
	if _, err := Install(dir, []byte(override), true); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other-name.json"), []byte(custom), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := s.Lookup("openai"); err != nil || d.Source != Custom || d.DisplayName != "Sample" {
		t.Errorf("the override: %+v, %v", d, err)
	}
	if len(s.Problems) != 2 {
		t.Errorf("problems: %v", s.Problems)
	}
	if info, err := os.Stat(filepath.Join(dir, "sample.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("installed as %v, %v", info.Mode(), err)
	}
	if err := Uninstall(dir, "openai"); err != nil {
		t.Fatal(err)
	}
	if err := Uninstall(dir, "../../etc/passwd"); err == nil {
		t.Error("a path was taken for a name")
	}
	if s, _ = Load(dir); s.byName["openai"].Source != Bundled {
		t.Error("the bundled definition is not back")
	}
}

func TestNear(t *testing.T) {
	s := bundledSet(t)
	for typed, want := range map[string]string{"opnai": "openai", "githb": "github", "GitHub": "github", "zzzzzz": ""} {
		_, err := s.Lookup(typed)
		var missing *NotFoundError
		if !errors.As(err, &missing) || missing.Near != want {
			t.Errorf("%s: %+v", typed, missing)
		}
	}
}

func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	for b.Loop() {
		if _, err := Load(dir); err != nil {
			b.Fatal(err)
		}
	}
}
