package authsome_test

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/authsome/authsome/"

// imports is every import of one of our packages by another, no more and no
// fewer. Adding a package or an edge is a decision about the design.
var imports = map[string][]string{
	"auth":                           {"flows", "internal/regular", "providers", "routing", "secret", "vault"},
	"ca":                             {"internal/regular"},
	"cmd/authsome":                   {"auth", "ca", "cmd/authsome/internal/console", "cmd/authsome/internal/demo", "cmd/authsome/internal/doctor", "cmd/authsome/internal/exit", "cmd/authsome/internal/explain", "cmd/authsome/internal/guard", "cmd/authsome/internal/opener", "cmd/authsome/internal/remote", "cmd/authsome/internal/show", "cmd/authsome/internal/signin", "cmd/authsome/internal/suggest", "cmd/authsome/internal/takeover", "cmd/authsome/internal/terminal", "flows", "intercept", "internal/audit", "internal/bom", "internal/child", "internal/durable", "internal/home", "internal/hosts", "internal/isolate", "internal/keyfiles", "internal/near", "internal/proxyenv", "internal/pythonhome", "internal/regular", "internal/runs", "internal/sidecar", "metrics", "providers", "providers/draft", "routing", "secret", "vault"},
	"cmd/authsome/internal/console":  {"cmd/authsome/internal/exit", "cmd/authsome/internal/show", "cmd/authsome/internal/suggest", "cmd/authsome/internal/terminal", "secret"},
	"cmd/authsome/internal/demo":     {"ca", "cmd/authsome/internal/show", "internal/child", "internal/regular", "secret"},
	"cmd/authsome/internal/doctor":   {"auth", "ca", "cmd/authsome/internal/console", "cmd/authsome/internal/exit", "cmd/authsome/internal/explain", "cmd/authsome/internal/opener", "cmd/authsome/internal/show", "cmd/authsome/internal/suggest", "intercept", "internal/audit", "internal/child", "internal/home", "internal/isolate", "internal/mask", "internal/proxyenv", "internal/regular", "internal/runs", "providers", "routing", "vault"},
	"cmd/authsome/internal/exit":     {"auth", "ca", "cmd/authsome/internal/suggest", "cmd/authsome/internal/terminal", "internal/home", "internal/regular", "providers", "vault"},
	"cmd/authsome/internal/explain":  {"cmd/authsome/internal/show", "cmd/authsome/internal/suggest", "intercept", "internal/isolate", "providers", "routing"},
	"cmd/authsome/internal/guard":    {"internal/child", "internal/runs"},
	"cmd/authsome/internal/opener":   {"auth", "cmd/authsome/internal/exit", "internal/audit", "internal/home", "internal/near", "internal/pythonhome", "internal/regular", "internal/rejection", "internal/runs", "internal/sidecar", "providers", "routing", "secret", "vault"},
	"cmd/authsome/internal/remote":   {"intercept", "internal/hosts"},
	"cmd/authsome/internal/show":     {},
	"cmd/authsome/internal/signin":   {"auth", "cmd/authsome/internal/console", "cmd/authsome/internal/exit", "cmd/authsome/internal/show", "cmd/authsome/internal/suggest", "cmd/authsome/internal/terminal", "flows", "internal/bom", "internal/home", "internal/hosts", "internal/loopback", "providers", "secret"},
	"cmd/authsome/internal/suggest":  {"auth", "cmd/authsome/internal/guard"},
	"cmd/authsome/internal/takeover": {"auth", "cmd/authsome/internal/console", "cmd/authsome/internal/exit", "cmd/authsome/internal/opener", "cmd/authsome/internal/show", "cmd/authsome/internal/suggest", "cmd/authsome/internal/terminal", "internal/audit", "internal/durable", "internal/home", "internal/pythonhome", "internal/regular", "providers", "secret", "vault"},
	"cmd/authsome/internal/terminal": {"secret"},
	"flows":                          {"internal/bom", "internal/hosts", "internal/proxyenv", "providers", "secret"},
	"intercept":                      {"internal/hosts", "internal/mask", "providers", "routing", "secret"},
	"internal/audit":                 {"internal/durable", "internal/regular"},
	"internal/bom":                   {},
	"internal/child":                 {"ca", "internal/isolate", "internal/regular"},
	"internal/durable":               {"internal/regular"},
	"internal/home":                  {"internal/bom", "internal/durable", "internal/near", "internal/regular"},
	"internal/hosts":                 {},
	"internal/isolate":               {"internal/hosts", "internal/regular"},
	"internal/keyfiles":              {"internal/hosts", "internal/regular"},
	"internal/loopback":              {"flows", "secret"},
	"internal/mask":                  {},
	"internal/near":                  {},
	"internal/proxyenv":              {},
	"internal/pythonhome":            {"internal/regular", "secret"},
	"internal/pythonhome/hometest":   {},
	"internal/regular":               {},
	"internal/rejection":             {"internal/durable", "internal/regular"},
	"internal/runs":                  {"internal/regular"},
	"internal/sidecar":               {"auth", "ca", "intercept", "internal/audit", "internal/durable", "internal/hosts", "internal/regular", "internal/rejection", "metrics", "providers", "routing", "secret", "vault"},
	"metrics":                        {"auth", "intercept", "routing", "vault"},
	"providers":                      {"internal/bom", "internal/durable", "internal/hosts", "internal/mask", "internal/near", "internal/regular", "secret"},
	"providers/draft":                {"providers"},
	"routing":                        {"internal/hosts", "providers"},
	"secret":                         {},
	"vault":                          {"internal/durable", "internal/regular", "secret"},
	"vault/vaulttest":                {"vault"},
}

// apart lists the directories that are separate modules, so that their
// dependencies stay out of this one.
var apart = []string{"bench", "e2e"}

func TestImportsAreAsDesigned(t *testing.T) {
	found := make(map[string][]string)
	for dir, files := range packages(t) {
		edges := []string{}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, spec := range f.Imports {
				path := strings.Trim(spec.Path.Value, `"`)
				if to, ours := strings.CutPrefix(path, module); ours && !slices.Contains(edges, to) {
					edges = append(edges, to)
				}
			}
		}
		slices.Sort(edges)
		found[dir] = edges
	}
	if diff := cmp.Diff(imports, found); diff != "" {
		t.Errorf("imports differ from the design (-design +code):\n%s", diff)
	}
}

// docs/how-it-works.md has one line for each package.
func TestPackageMap(t *testing.T) {
	page, err := os.ReadFile("docs/how-it-works.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "## Packages")
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\| .+ \\|$").FindAllStringSubmatch(section, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(imports)), listed); diff != "" {
		t.Errorf("the map differs from the packages (-packages +map):\n%s", diff)
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
