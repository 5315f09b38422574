package authsome_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The limits. A test function may be longer, for its table of cases; the length of a
// test file and the parameters of its functions are not limited.
const (
	maxFunctionLines     = 66
	maxTestFunctionLines = 120
	maxFileLines         = 385
	maxParameters        = 5 // the receiver is not counted
)

// TestSizes checks every Go file of the repository, those of other modules
// included.
func TestSizes(t *testing.T) {
	files := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			files++
			checkSizes(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 300 {
		t.Fatalf("checked only %d files", files)
	}
}

func checkSizes(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	test, maxLines := strings.HasSuffix(path, "_test.go"), maxFunctionLines
	if test {
		maxLines = maxTestFunctionLines
	}
	if n := set.File(file.Pos()).LineCount(); n > maxFileLines && !test {
		t.Errorf("%s: %d lines, the limit is %d", path, n, maxFileLines)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		var name string
		var signature *ast.FuncType
		switch n := n.(type) {
		case *ast.FuncDecl:
			name, signature = n.Name.Name, n.Type
		case *ast.FuncLit:
			name, signature = "function literal", n.Type
		default:
			return true
		}
		at := set.Position(n.Pos())
		if lines := set.Position(n.End()).Line - at.Line + 1; lines > maxLines {
			t.Errorf("%s: %s: %d lines, the limit is %d", at, name, lines, maxLines)
		}
		if parameters := signature.Params.NumFields(); parameters > maxParameters && !test {
			t.Errorf("%s: %s: %d parameters, the limit is %d", at, name, parameters, maxParameters)
		}
		return true
	})
}
