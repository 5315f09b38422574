package authsome_test

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/authsome/authsome/"

// allowed is every import of one of our packages by another. A package that is
// not a key here is unknown: adding one is a decision about the design.
var allowed = map[string][]string{
	"cmd/authsome": {"audit", "auth", "ca", "child", "flows", "home", "intercept", "legacy", "metrics", "providers", "routing", "secret", "sidecar", "vault"},
	"sidecar":      {"audit", "auth", "ca", "home", "intercept", "metrics", "providers", "routing", "secret", "vault"},
	"child":        {"ca", "secret"},
	"intercept":    {"providers", "routing", "secret"},
	"routing":      {"providers"},
	"auth":         {"flows", "providers", "secret", "vault"},
	"flows":        {"providers", "secret"},
	"providers":    {"secret"},
	"vault":        {"secret"},
	"ca":           {"secret"},
	"metrics":      {"secret"},
	"audit":        {"secret"},
	"home":         {"secret"},
	"legacy":       {"secret"},
	"secret":       {},
}

// modules of their own: what they need stays out of this one.
var apart = []string{"bench", "e2e"}

func TestImportsPointOneWay(t *testing.T) {
	for dir, files := range packages(t) {
		edges, known := allowed[dir]
		if !known {
			t.Errorf("%s: unknown package; its place in the design is decided in this test", dir)
			continue
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				if to, ours := strings.CutPrefix(path, module); ours && !slices.Contains(edges, to) {
					t.Errorf("%s imports %s", name, to)
				}
			}
		}
	}
}

func TestOnePackageComment(t *testing.T) {
	for dir, files := range packages(t) {
		var documented []string
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			if f.Doc != nil {
				documented = append(documented, name)
			}
		}
		if len(documented) != 1 {
			t.Errorf("%s: %d files have a package comment: %v", dir, len(documented), documented)
		}
	}
}

// packages maps each directory with Go files to those files, tests left out.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	found := make(map[string][]string)
	err := filepath.WalkDir(".", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || slices.Contains(apart, path)) {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			dir := filepath.ToSlash(filepath.Dir(path))
			found[dir] = append(found[dir], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 10 {
		t.Fatalf("found only %v", slices.Sorted(maps.Keys(found)))
	}
	return found
}
