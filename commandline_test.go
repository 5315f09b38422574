package authsome_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestOnlyCmdKnowsTheCommandLine checks that packages outside cmd name none of the
// program's commands and flags: what to type next is for package suggest to say, which
// knows the profile. The commands and flags are those of docs/reference.md, which
// another test compares with the program.
func TestOnlyCmdKnowsTheCommandLine(t *testing.T) {
	page, err := os.ReadFile("docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range regexp.MustCompile("\\*\\*`authsome ([a-z-]+)").FindAllStringSubmatch(string(page), -1) {
		names = append(names, m[1])
	}
	var flags []string
	for _, m := range regexp.MustCompile("\\| `(?:-., )?--([a-z-]+)").FindAllStringSubmatch(string(page), -1) {
		flags = append(flags, m[1])
	}
	if len(names) < 20 || len(flags) < 40 {
		t.Fatalf("found only %d commands and %d flags", len(names), len(flags))
	}
	ours := regexp.MustCompile(`\bauthsome (` + strings.Join(names, "|") + `)\b|(^|[ (])--(` + strings.Join(flags, "|") + `)\b`)
	// A page of the proxy, and a part of the vault's format.
	notCommands := []string{"authsome proxy\n", "authsome vault %d %s"}
	for dir, files := range packages(t) {
		if strings.HasPrefix(dir, "cmd/") {
			continue
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if err == nil && ours.MatchString(text) && !slices.Contains(notCommands, text) {
					t.Errorf("%s: %q names a command or flag of the program", name, text)
				}
				return true
			})
		}
	}
}
