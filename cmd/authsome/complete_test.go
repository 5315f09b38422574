package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/internal/audit"
)

// Every flag whose help lists its values completes exactly those.
func TestListedValuesAreCompleted(t *testing.T) {
	t.Setenv("AUTHSOME_HOME", filepath.Join(t.TempDir(), "home"))
	root := newRootCmd(newApp())
	checked := 0
	for cmd := range everyCommand(root) {
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			value, usage := pflag.UnquoteUsage(f)
			var want []string
			if strings.Contains(value, "|") {
				want = strings.Split(value, "|")
			} else if _, values, ok := strings.Cut(usage, "print as "+value+": "); ok {
				values, _, _ = strings.Cut(strings.ReplaceAll(values, ", which", " which"), " which")
				want = strings.Split(strings.ReplaceAll(values, " or ", ", "), ", ")
			}
			if want == nil {
				return
			}
			checked++
			complete, ok := cmd.GetFlagCompletionFunc(f.Name)
			if !ok {
				t.Errorf("%s --%s has no completion", cmd.CommandPath(), f.Name)
				return
			}
			got, _ := complete(cmd, nil, "")
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s --%s completes %v, its help says %v", cmd.CommandPath(), f.Name, got, want)
			}
		})
	}
	if checked < 5 {
		t.Errorf("found only %d flags", checked)
	}
}

// A value that is not the name of a file does not complete the names of files.
func TestOnlyFilesCompleteFiles(t *testing.T) {
	t.Setenv("AUTHSOME_HOME", filepath.Join(t.TempDir(), "home"))
	root := newRootCmd(newApp())
	for cmd := range everyCommand(root) {
		cmd.SetContext(t.Context())
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			value, _ := pflag.UnquoteUsage(f)
			complete, ok := cmd.GetFlagCompletionFunc(f.Name)
			if !ok {
				t.Errorf("%s --%s has no completion", cmd.CommandPath(), f.Name)
				return
			}
			if value == "FILE" || value == "DIR" || f.NoOptDefVal == "true" {
				return
			}
			if _, directive := complete(cmd, nil, ""); directive&cobra.ShellCompDirectiveNoFileComp == 0 {
				t.Errorf("%s --%s completes files", cmd.CommandPath(), f.Name)
			}
		})
	}
}

// get completes every field that it can print.
func TestFieldsAreCompleted(t *testing.T) {
	text, err := os.ReadFile("testdata/json/get.json")
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		if !slices.Contains(fieldNames, name) {
			t.Errorf("%s is not completed", name)
		}
	}
}

// log completes every kind of event.
func TestEventsAreCompleted(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../internal/audit/event.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, decl := range f.Decls {
		constants, ok := decl.(*ast.GenDecl)
		if !ok || constants.Tok != token.CONST {
			continue
		}
		for _, spec := range constants.Specs {
			kind, err := strconv.Unquote(spec.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			found++
			if !slices.Contains(audit.Events, kind) {
				t.Errorf("%s is not completed", kind)
			}
		}
	}
	if found != len(audit.Events) {
		t.Errorf("%d events, %d completed", found, len(audit.Events))
	}
}
