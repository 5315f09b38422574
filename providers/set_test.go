package providers

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func lookup(t *testing.T, s *Set, name string) *Definition {
	t.Helper()
	d, err := s.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestInstall(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	custom := fmt.Sprintf(sample, "")
	if _, err := Install(dir, []byte(custom), false); err != nil {
		t.Fatal(err)
	}
	if _, err := Install(dir, []byte(custom), false); !errors.Is(err, ErrInstalled) {
		t.Errorf("second Install: %v, want ErrInstalled", err)
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
		t.Errorf("openai is not the custom definition: %+v, %v", d, err)
	}
	if len(s.Problems) != 2 {
		t.Errorf("problems %v, want 2", s.Problems)
	}
	if info, err := os.Stat(filepath.Join(dir, "sample.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("installed as %v, %v", info.Mode(), err)
	}
	if err := Uninstall(dir, "openai"); err != nil {
		t.Fatal(err)
	}
	if err := Uninstall(dir, "../../etc/passwd"); err == nil {
		t.Error("Uninstall accepted a path")
	}
	if s, _ = Load(dir); lookup(t, s, "openai").Source != Bundled {
		t.Error("Uninstall did not restore the bundled definition")
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

// BenchmarkLoad measures what definitions cost a command at its start: Lookup of one,
// WithVariable for the environment, and All for list and run.
func BenchmarkLoad(b *testing.B) {
	dir := b.TempDir()
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			s, err := Load(dir)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := s.Lookup("github"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("variables", func(b *testing.B) {
		for b.Loop() {
			s, err := Load(dir)
			if err != nil {
				b.Fatal(err)
			}
			s.WithVariable(func(name string) bool { return name == "HOME" || name == "GITHUB_TOKEN" })
		}
	})
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			s, err := Load(dir)
			if err != nil {
				b.Fatal(err)
			}
			if len(s.All()) == 0 {
				b.Fatal("no definitions")
			}
		}
	})
}

// TestWithVariableFindsEveryDefinition checks that each definition is found by each of
// its variables, although not every file is decoded.
func TestWithVariableFindsEveryDefinition(t *testing.T) {
	s := bundledSet(t)
	for _, d := range s.All() {
		for _, e := range d.Env {
			found := s.WithVariable(func(name string) bool { return name == e.Name })
			if !slices.ContainsFunc(found, func(f *Definition) bool { return f.Name == d.Name }) {
				t.Errorf("%s is not found by %s", d.Name, e.Name)
			}
		}
	}
	if found := s.WithVariable(func(name string) bool { return name == "GITHUB_TOKENS" || name == "name" }); len(found) > 0 {
		t.Errorf("found %d definitions, want none", len(found))
	}
}

func BenchmarkParse(b *testing.B) {
	data, err := bundled.ReadFile("bundled/github.json")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

// A file that an editor on Windows wrote is read, in the home too.
func TestDefinitionWithByteOrderMark(t *testing.T) {
	dir := t.TempDir()
	custom := fmt.Sprintf(sample, "")
	if err := os.WriteFile(filepath.Join(dir, "sample.json"), []byte("\ufeff"+custom), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Load(dir)
	if err != nil || len(s.Problems) > 0 {
		t.Fatalf("%v, problems %v", err, s.Problems)
	}
	d := lookup(t, s, "sample")
	plain, err := Parse([]byte(custom))
	if err != nil || len(d.Pin().File) == 0 || !bytes.Equal(d.Pin().File, plain.Pin().File) {
		t.Errorf("the pin is %s: %v", d.Pin().File, err)
	}
}

// Without a directory, files in the working directory are not definitions.
func TestLoadWithoutDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("package.json", []byte(`{"name": "package"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := Load("")
	if err != nil || len(set.Problems) > 0 || len(set.All()) < 100 {
		t.Errorf("%v, %+v", err, set)
	}
}
