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

// What differs from run to run and from machine to machine in an answer. Names of
// members, their order, types and nesting never do.
var varying = []struct {
	pattern *regexp.Regexp
	with    string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\b[0-9a-f]{16,}\b`), "HEX"},
	{regexp.MustCompile(`[A-Za-z0-9+/]{100,}=*`), "BASE64"},
	{regexp.MustCompile(`127\.0\.0\.1:[0-9]{2,}`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`("(version|revision|go|platform|actor|id|vault|run)": ?)"[^"]*"`), `${1}"…"`},
	{regexp.MustCompile(`("(lines|chains|line|seq|generation|records)": ?)\d+`), "${1}1"},
	{regexp.MustCompile(`deleted in [0-9.a-zµ]+|\d+ (certificates|providers|lines)`), "…"},
}

// normal is an answer without what varies. The answer is one JSON document, or
// one on each line.
func normal(answer, dir string) (string, error) {
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
			return "", fmt.Errorf("no JSON: %w", err)
		}
	}
}

// compareGolden compares an answer with testdata/json/NAME.json, or rewrites that.
func compareGolden(name, answer, dir string) error {
	got, err := normal(answer, dir)
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
		return fmt.Errorf("%s is another now (go test ./cmd/authsome -run 'JSON|Scripts/json' -update rewrites it):\n%swant\n%s", file, got, want)
	}
	return nil
}

// golden NAME: the answer of the last command is the one in testdata/json.
func golden(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: golden NAME")
	}
	ts.Check(compareGolden(args[0], ts.ReadFile("stdout"), ts.MkAbs(".")))
}

// The one command that says something before it ends.
func TestJSONOfProxy(t *testing.T) {
	b := newBench(t)
	b.proxy()
	if err := compareGolden("proxy", b.out.String(), b.home); err != nil {
		t.Error(err)
	}
}

// Commands whose answer with --json is not frozen, and why.
var noJSON = map[string]string{
	"authsome run":  "the output is its command's",
	"authsome demo": "it shows steps to a person",
	"authsome man":  "it writes pages, not an answer",
}

// Each command's answer is in testdata/json, from a run of that command, and so is
// each class of errors.
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
			t.Errorf("%s: golden %s of json.txtar is of %q; a reason in noJSON: %v", path, name, got, exempt)
		}
	}
	for _, class := range errorClasses(t) {
		if frozen["error-"+class] == "" {
			t.Errorf("json.txtar has no golden error-%s", class)
		}
	}
	files, err := filepath.Glob("testdata/json/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".json"); frozen[name] == "" {
			t.Errorf("nothing compares with %s", file)
		}
	}
}

// commands are all that do something by themselves: groups show their help.
func commands() []*cobra.Command {
	var all []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if !c.HasAvailableSubCommands() {
			all = append(all, c)
			return // what only the demo runs is below it
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRootCmd(newApp()))
	return all
}

// scriptLines are the lines of a script before each `word ARGUMENT`, by argument.
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

// commandOf is the path of the command that a line of a script runs.
func commandOf(t *testing.T, line string) string {
	t.Helper()
	_, rest, ok := strings.Cut(line, "authsome ")
	if !ok {
		t.Errorf("no command is before a golden: %s", line)
		return ""
	}
	cmd, _, err := newRootCmd(newApp()).Find(strings.Fields(rest))
	if err != nil {
		t.Errorf("%s: %v", line, err)
		return ""
	}
	return cmd.CommandPath()
}

var errorClass = regexp.MustCompile(`verdict\{exit\w+, "(\w+)"`)

func errorClasses(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, file := range []string{"exit.go", "keeper.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range errorClass.FindAllSubmatch(source, -1) {
			all = append(all, string(m[1]))
		}
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) < 10 {
		t.Fatalf("only %v", all)
	}
	return all
}

// A member that is renamed, moved or of another type is seen, and a time is not.
func TestNormal(t *testing.T) {
	of := func(s string) string {
		text, err := normal(s, "/tmp/x")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	was := of(`{"at":"2026-01-02T03:04:05Z","file":"/tmp/x/a","n":1}`)
	if now := of(`{"at":"2027-01-02T03:04:05.5+02:00","file":"/tmp/x/a","n":1}`); now != was {
		t.Errorf("%s, and %s", was, now)
	}
	for _, other := range []string{`{"At":"2026-01-02T03:04:05Z","file":"/tmp/x/a","n":1}`, `{"at":"2026-01-02T03:04:05Z","file":"/tmp/x/a","n":"1"}`, `{"at":"2026-01-02T03:04:05Z","n":1,"file":"/tmp/x/a"}`} {
		if of(other) == was {
			t.Errorf("%s is taken for %s", other, was)
		}
	}
	if _, err := normal(`{"a":1} and words`, "/tmp/x"); err == nil {
		t.Error("words are taken for JSON")
	}
	if _, err := normal("", "/tmp/x"); err == nil {
		t.Error("nothing is taken for JSON")
	}
}
