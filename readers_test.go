package authsome_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// opening are the functions that open a file. One that is not a regular file could
// stop the program; package regular has what to use instead.
var opening = []string{"os.Open", "os.OpenFile", "os.ReadFile", "os.Create", "flock.New", "ioutil.ReadFile"}

// opensDirectly are the files that use them, and why that is safe.
var opensDirectly = map[string]string{
	"internal/regular/regular.go":                "the package itself",
	"internal/durable/sync_unix.go":              "the directory of a file that was just written",
	"internal/audit/rotate.go":                   "open for reading and writing, which does not wait; a pipe is refused by cmd/authsome/internal/opener",
	"internal/child/process_unix.go":             "/dev/tty",
	"cmd/authsome/internal/terminal/terminal.go": "/dev/tty",
	"cmd/authsome/internal/signin/signin.go":     "/proc",
	"vault/holder_linux.go":                      "/proc",
	"internal/pythonhome/process_linux.go":       "/proc",
	"intercept/peer_linux.go":                    "/proc",
	"internal/isolate/aliases_linux.go":          "/proc",
	"internal/isolate/diagnose_linux.go":         "/proc",
	"internal/isolate/surroundings_linux.go":     "/proc, and directories",
	"internal/isolate/mounts_linux.go":           "with O_PATH, which opens nothing",
	"internal/runs/process_linux.go":             "/proc",
	"internal/runs/runs_linux.go":                "open for reading and writing, which does not wait, and never read",
	"cmd/authsome/internal/opener/logfile.go":    "the same; the file was opened by package regular before",
	"cmd/authsome/log.go":                        "creates a file that must not exist",
	"internal/home/access_unix.go":               "a directory, with O_DIRECTORY",
}

// Only package regular opens files of the home, and files that users name.
func TestOnlyRegularOpensFiles(t *testing.T) {
	used := make(map[string]bool)
	for _, files := range packages(t) {
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				call, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				function := fmt.Sprint(call.X, ".", call.Sel.Name)
				if !slices.Contains(opening, function) {
					return true
				}
				used[name] = true
				if opensDirectly[name] == "" {
					t.Errorf("%s uses %s: use package regular", name, function)
				}
				return true
			})
		}
	}
	for name := range opensDirectly {
		if !used[name] {
			t.Errorf("%s opens no file: remove it from the list", name)
		}
	}
}
