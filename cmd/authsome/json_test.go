package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "rewrite testdata/json and the tables of docs/reference.md")

// varying is what differs in the output from run to run and from machine to machine.
// The names of members, their order, types and nesting never differ.
var varying = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{16,}\b`), "HEX"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{100,}=*`), "BASE64"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]{2,}`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`("(version|authsome_version|revision|go|platform|actor|id|vault|run)": ?)"[^"]*"`), `${1}"…"`},
	{regexp.MustCompile(`("(lines|chains|line|seq|generation|records|providers_count|pages)": ?)\d+`), "${1}1"},
	{regexp.MustCompile(`("check": "isolation"),[^}]*?(\s+\})`), "${1}${2}"}, // it depends on the machine
	{regexp.MustCompile(`deleted in [0-9.a-zµ]+|\d+ (certificates|providers|lines)`), "…"},
}

// normalise replaces what varies in the output of a command. The output is one JSON
// document, or one on each line.
func normalise(answer, dir string) (string, error) {
	d := json.NewDecoder(strings.NewReader(answer))
	for n := 0; ; n++ {
		var v any
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF) && n > 0:
			text := strings.ReplaceAll(answer, dir, "$WORK")
			for _, v := range varying {
				text = v.pattern.ReplaceAllString(text, v.with)
			}
			return text, nil
		case err != nil:
			return "", fmt.Errorf("not JSON: %w", err)
		}
	}
}

// compareGolden compares the output of a command with testdata/json/NAME.json. With
// -update it rewrites that file.
func compareGolden(name, answer, dir string) error {
	got, err := normalise(answer, dir)
	if err != nil {
		return err
	}
	file := filepath.Join("testdata", "json", name+".json")
	if *update {
		return os.WriteFile(file, []byte(got), 0o644)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if got != string(want) {
		return fmt.Errorf("%s differs (go test ./cmd/authsome -run 'JSON|Scripts/json' -update rewrites it):\n%swant\n%s", file, got, want)
	}
	return nil
}

// golden NAME: the output of the last command is that in testdata/json.
func golden(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: golden NAME")
	}
	ts.Check(compareGolden(args[0], ts.ReadFile("stdout"), ts.MkAbs(".")))
}

// proxy is the only command that prints its JSON before it ends.
func TestJSONOfProxy(t *testing.T) {
	b := newBench(t)
	b.proxy()
	if err := compareGolden("proxy", b.out.String(), b.home); err != nil {
		t.Error(err)
	}
}

// noJSON are the commands whose output with --json is not frozen, and why.
var noJSON = map[string]string{
	"authsome run":        "it prints the output of another command",
	"authsome demo":       "it shows steps to a person",
	"authsome help":       "it prints help",
	"authsome completion": "it prints a script",
}

// noGolden are the classes of errors that json.txtar cannot produce, and why.
var noGolden = map[string]string{
	"Cancelled":      "it needs a terminal",
	"MoveIncomplete": "it needs a move that fails between two writes",
	"ConnectionBusy": "it needs a refresh that takes longer than the command waits",
}

// The output of each command is frozen in testdata/json, from a run of that command,
// and so is the output for each class of errors.
func TestJSONIsFrozenForAllCommands(t *testing.T) {
	frozen := map[string]string{"proxy": "authsome proxy"}
	for name, line := range scriptLines(t, "json.txtar", "golden") {
		frozen[name] = commandOf(t, line)
	}
	for _, cmd := range commands() {
		path := cmd.CommandPath()
		name := strings.ReplaceAll(strings.TrimPrefix(path, "authsome "), " ", "-")
		_, exempt := noJSON[path]
		if got := frozen[name]; (got == path) == exempt {
			t.Errorf("%s: golden %s of json.txtar is from %q; is the command in noJSON: %v", path, name, got, exempt)
		}
	}
	for _, class := range errorClasses(t) {
		_, exempt := noGolden[class]
		if (frozen["error-"+class] == "") != exempt {
			t.Errorf("json.txtar has a golden error-%s: %v; is the class in noGolden: %v", class, !exempt, exempt)
		}
	}
	files, err := filepath.Glob("testdata/json/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); frozen[name] == "" {
			t.Errorf("no test compares with %s", file)
		}
	}
}

// commands returns all commands except those that only group others.
func commands() []*cobra.Command {
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.HasAvailableSubCommands() {
			all = append(all, c)
			return // its hidden commands are internal
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCmd(newApp()))
	return all
}

// scriptLines returns the line of a script before each `word ARGUMENT`, by argument.
func scriptLines(t *testing.T, script, word string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "script", script))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	before := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if _, argument, ok := strings.Cut(line, word+" "); ok && !strings.HasPrefix(line, "#") {
			all[argument] = before
		}
		before = line
	}
	return all
}

// commandOf returns the path of the command that a line of a script runs.
func commandOf(t *testing.T, line string) string {
	t.Helper()
	_, rest, ok := strings.Cut(line, "authsome ")
	if !ok {
		t.Errorf("the line before golden has no authsome command: %s", line)
		return ""
	}
	cmd, _, err := newRootCmd(newApp()).Find(strings.Fields(rest))
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return ""
	}
	return cmd.CommandPath()
}

// errorClass matches the name in a verdict, which is the member "error" of --json.
var errorClass = regexp.MustCompile(`Verdict\{(?:Code: [^,]+, Name: |\w+, |exit\.\w+, )"(\w+)"`)

// errorClasses returns the names of all verdicts in the source.
func errorClasses(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("internal/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	own, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"StoreUnavailable"} // made in a function
	for _, file := range append(files, own...) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range errorClass.FindAllSubmatch(source, -1) {
			all = append(all, string(m[1]))
		}
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) < 20 {
		t.Fatalf("only %v", all)
	}
	return all
}

// A member that is renamed, moved or of another type is a difference; a time is not.
func TestNormalise(t *testing.T) {
	of := func(s string) string {
		text, err := normalise(s, "/tmp/x")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	want := of(`{"at":"2026-01-02T03:04:05Z","file":"/tmp/x/a","n":1}`)
	if got := of(`{"at":"2027-01-02T03:04:05.5+02:00","file":"/tmp/x/a","n":1}`); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for _, other := range []string{`{"At":"2026-01-02T03:04:05Z","file":"/tmp/x/a","n":1}`, `{"at":"2026-01-02T03:04:05Z","file":"/tmp/x/a","n":"1"}`, `{"at":"2026-01-02T03:04:05Z","n":1,"file":"/tmp/x/a"}`} {
		if of(other) == want {
			t.Errorf("%s is not distinguished from %s", other, want)
		}
	}
	if _, err := normalise(`{"a":1} and words`, "/tmp/x"); err == nil {
		t.Error("words are accepted as JSON")
	}
	if _, err := normalise("", "/tmp/x"); err == nil {
		t.Error("empty output is accepted as JSON")
	}
}
