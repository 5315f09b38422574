package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/guard"
)

// pages returns the README and the pages under docs.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, name := range append(files, "../../README.md") {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(b)
	}
	if len(all) < 6 {
		t.Fatalf("found only %d pages", len(all))
	}
	return all
}

var (
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	anchorID = regexp.MustCompile(`<a id="([^"]+)">`)
	notSlug  = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchors returns the anchors of the sections of a page.
func anchors(page string) map[string]bool {
	all := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	for _, m := range anchorID.FindAllStringSubmatch(page, -1) {
		all[m[1]] = true
	}
	return all
}

// Every test that docs/security.md names exists.
func TestDocumentedPromisesHaveTests(t *testing.T) {
	var source strings.Builder
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		source.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile("`((?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(pages(t)["../../docs/security.md"], -1)
	if len(names) < 30 {
		t.Fatalf("found only %d tests in docs/security.md", len(names))
	}
	for _, m := range names {
		if !strings.Contains(source.String(), "\nfunc "+m[1]+"(") {
			t.Errorf("docs/security.md names %s, which does not exist", m[1])
		}
	}
}

func TestDocumentedLinksResolve(t *testing.T) {
	all := pages(t)
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if path != "" {
				target = filepath.Join(filepath.Dir(name), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: the target of the link %s does not exist", name, m[1])
				continue
			}
			if anchor != "" && !anchors(all[target])[anchor] {
				t.Errorf("%s: the section of the link %s does not exist", name, m[1])
			}
		}
	}
}

// invocation matches an authsome command line in code: after a prompt, at the start of
// a line of a block, or as a whole code span.
var invocation = regexp.MustCompile("(?m)(?:^\\$ |^|`)(authsome [a-z][^`\n|]*)(?:`|$|\\|)")

// Every command line in the documentation names a command and flags that exist,
// with arguments that the command takes.
func TestDocumentedCommandsExist(t *testing.T) {
	checked := 0
	for name, text := range pages(t) {
		for _, m := range invocation.FindAllStringSubmatch(text, -1) {
			if strings.HasPrefix(m[1], "authsome demo:") {
				continue
			}
			checked++
			if err := parseInvocation(m[1]); err != nil {
				t.Errorf("%s: %s: %v", name, m[1], err)
			}
		}
	}
	if checked < 20 {
		t.Errorf("found only %d command lines", checked)
	}
}

// suggested matches a command that a script expects as what to do next. Commands that
// a script does not spell out are left out.
var suggested = regexp.MustCompile(`(?m)^std(?:out|err) '.*(?:hint: |next: |→ |fix +)(?:ask the person to run, in another terminal: )?(authsome [^'*]+)\$'$`)

// Every command that a message suggests exists, with flags that exist and arguments
// that the command takes.
func TestSuggestedCommandsExist(t *testing.T) {
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range suggested.FindAllSubmatch(text, -1) {
			checked++
			line := strings.ReplaceAll(string(m[1]), `\`, "") // it is a regular expression
			if err := parseInvocation(line); err != nil {
				t.Errorf("%s: %s: %v", name, line, err)
			}
		}
	}
	if checked < 100 {
		t.Errorf("found only %d commands", checked)
	}
}

// parseInvocation checks a command line of the documentation or of a message. A name
// in capitals, such as FILE, is an argument; … means that arguments are left out.
func parseInvocation(line string) error {
	line, _, _ = strings.Cut(line, " < ")
	line, _, _ = strings.Cut(line, " > ")
	line, _, _ = strings.Cut(line, "  #")
	args := strings.Fields(line)[1:]
	root := newRootCmd(newApp())
	cmd, rest, err := root.Find(args)
	if err != nil {
		return err
	}
	if cmd == root {
		return errors.New("unknown command")
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if cmd.Args != nil && len(cmd.Flags().Args()) > 0 && !strings.Contains(line, "…") {
		return cmd.Args(cmd, cmd.Flags().Args())
	}
	return nil
}

// The table of errors lists exactly the names that the program prints, each with the one
// that the Python authsome printed.
func TestDocumentedErrors(t *testing.T) {
	_, table, ok := strings.Cut(pages(t)["../../docs/reference.md"], "<!-- errors -->")
	table, _, closed := strings.Cut(table, "<!-- end of errors -->")
	if !ok || !closed {
		t.Fatal("docs/reference.md has no table of errors")
	}
	documented := make(map[string]string)
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z]\\w+)` \\| `(\\w+)` \\|").FindAllStringSubmatch(table, -1) {
		documented[m[1]] = m[2]
	}
	printed := make(map[string]string)
	for _, name := range append(errorClasses(t), "Error") {
		printed[name] = exit.Verdict{Name: name}.Class()
	}
	if !maps.Equal(documented, printed) {
		t.Errorf("documented %v\nprinted %v", documented, printed)
	}
}

// The table of exit codes is that of the manual page.
func TestDocumentedExitCodes(t *testing.T) {
	var want strings.Builder
	for _, c := range exit.Codes {
		want.WriteString(row(fmt.Sprint(c.Code), c.Meaning))
	}
	if page := pages(t)["../../docs/reference.md"]; !strings.Contains(page, "| code | meaning |\n|---|---|\n"+want.String()+"\n") {
		t.Errorf("docs/reference.md does not have:\n%s", &want)
	}
}

// reads matches the variables that the program reads from its environment.
var reads = regexp.MustCompile(`(?:getenv|Getenv|LookupEnv)\("([A-Za-z_]+)"\)|either\("([A-Za-z_]+)"\)()|"(AUTHSOME_[A-Z_]+)"`)

// common are variables that every program reads; the documentation does not list them.
var common = []string{"HOME", "PATH", "USERPROFILE", "TMPDIR", "WGETRC", "TERM", "COLUMNS"}

// The table of variables lists exactly those that the program reads.
func TestDocumentedVariables(t *testing.T) {
	page, err := os.ReadFile("../../docs/reference.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "## Variables")
	table, _, _ = strings.Cut(table, "## Files")
	documented := make(map[string]bool)
	for line := range strings.Lines(table) {
		names, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, m := range regexp.MustCompile("`([A-Za-z_]+)`").FindAllStringSubmatch(names, -1) {
			if strings.HasPrefix(line, "|") {
				documented[m[1]] = false
			}
		}
	}
	err = filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && slices.Contains([]string{"e2e", "bench", ".git"}, d.Name()) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for name := range documented {
			documented[name] = documented[name] || strings.Contains(string(source), `"`+name+`"`)
		}
		for _, m := range reads.FindAllStringSubmatch(string(source), -1) {
			for _, name := range m[1:] {
				if name == "" || slices.Contains(common, name) {
					continue
				}
				if _, ok := documented[name]; !ok {
					t.Errorf("%s reads %s, which docs/reference.md does not list", path, name)
				}
				documented[name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, used := range documented {
		if !used {
			t.Errorf("docs/reference.md lists %s, which the program does not read", name)
		}
	}
}

// The tables of commands and flags match the command tree.
func TestDocumentedCommandsAndFlags(t *testing.T) {
	const file = "../../docs/reference.md"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	root := newRootCmd(newApp())
	text := string(page)
	for name, want := range map[string]string{"global flags": flagTable(root), "commands": commandTables(root), "refused": refusedTable()} {
		begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->"
		before, rest, ok := strings.Cut(text, begin)
		got, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s does not contain %s", file, begin)
		}
		if got != want && !*update {
			t.Errorf("the %s in docs/reference.md differ (go test ./cmd/authsome -run Documented -update rewrites them); want:\n%s", name, want)
		}
		text = before + begin + want + end + after
	}
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// refusedTable returns the table of what is refused behind the proxy, with the reasons.
func refusedTable() string {
	var rows string
	for _, path := range slices.Sorted(maps.Keys(guard.Commands)) {
		switch rule := guard.Commands[path]; {
		case rule.Flag != "":
			rows += row("`authsome "+path+" --"+rule.Flag+"`", rule.Does)
		case rule.Does != "":
			rows += row("`authsome "+path+"`", rule.Does)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(guard.GlobalFlags)) {
		if rule := guard.GlobalFlags[name]; rule.Does != "" {
			rows += row("`--"+name+"`, with any command", rule.Does)
		}
	}
	return "\n| command, flag | because it |\n|---|---|\n" + rows + "\n"
}

func flagTable(root *cobra.Command) string {
	return "\n| flag | meaning |\n|---|---|\n" + flagRows(root.PersistentFlags()) + "\n"
}

// commandTables returns a table for each group of commands, with a row for each
// command and flag.
func commandTables(root *cobra.Command) string {
	var b strings.Builder
	for _, group := range root.Groups() {
		b.WriteString("\n### " + strings.TrimSuffix(group.Title, ":") + "\n\n| command, flags | what it does |\n|---|---|\n")
		for _, cmd := range root.Commands() {
			if cmd.GroupID == group.ID && !cmd.Hidden {
				b.WriteString(commandRows(cmd))
			}
		}
	}
	return b.String() + "\n"
}

func commandRows(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		var rows string
		for _, sub := range cmd.Commands() {
			rows += commandRows(sub)
		}
		return rows
	}
	return row("**`"+cmd.Parent().CommandPath()+" "+cmd.Use+"`**", cmd.Short) + flagRows(cmd.LocalNonPersistentFlags())
}

func flagRows(flags *pflag.FlagSet) string {
	var rows string
	flags.VisitAll(func(f *pflag.Flag) {
		value, meaning := pflag.UnquoteUsage(f)
		name := strings.TrimSpace("--" + f.Name + " " + value)
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if !slices.Contains([]string{"", "[]", "false", "0s"}, f.DefValue) {
			meaning += " (default: `" + f.DefValue + "`)"
		}
		rows += row("`"+name+"`", meaning)
	})
	return rows
}

func row(cells ...string) string {
	for i, cell := range cells {
		cells[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}
