package e2e

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write docs/clients.md from what is measured")

const clientsPage = "../docs/clients.md"

// comparePage compares the measured outcomes with the table of the page, or writes it.
// Versions and the date may differ.
func comparePage(t *testing.T, all []client, measured map[string]client) {
	t.Helper()
	for i := range all {
		all[i].want = measured[all[i].String()].want
	}
	table := clientTable(all)
	page, err := os.ReadFile(clientsPage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), tableStart)
	_, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("%s does not have the lines %q and %q", clientsPage, tableStart, tableEnd)
	}
	if *update {
		if err := os.WriteFile(clientsPage, []byte(before+tableStart+table+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, _, _ := strings.Cut(rest, tableEnd)
	if got, want := withoutVersions(table), withoutVersions(have); got != want {
		t.Errorf("%s does not say what was measured; run: go test -run '^TestMatrix$' -update\n%s", clientsPage, difference(want, got))
	}
}

const (
	tableStart = "<!-- The matrix: go test -run '^TestMatrix$' -update in e2e writes this. -->\n"
	tableEnd   = "<!-- The end of the matrix. -->\n"
)

// clientTable is the part of the page that is generated. Runtimes of one program share
// a row.
func clientTable(all []client) string {
	var b strings.Builder
	programs := make(map[string]bool)
	for _, c := range all {
		programs[c.group+c.name] = true
	}
	fmt.Fprintf(&b, "\nMeasured on %s: %d programs, %d combinations of program and runtime.\n", time.Now().UTC().Format("2006-01-02"), len(programs), len(all))
	fmt.Fprintf(&b, "Runtimes: %s.\n", strings.Join(runtimeVersions(), ", "))
	for len(all) > 0 {
		group := all[0].group
		n := slices.IndexFunc(all, func(c client) bool { return c.group != group })
		if n < 0 {
			n = len(all)
		}
		fmt.Fprintf(&b, "\n### %s\n\n| client | version | outcome | note |\n|---|---|---|---|\n", group)
		b.WriteString(rows(all[:n]))
		all = all[n:]
	}
	return b.String() + "\n"
}

func runtimeVersions() (all []string) {
	for _, r := range nodeRuntimes {
		all = append(all, "Node "+findVersion(nodeProgram(r.dir)+" --version"))
	}
	return append(all, "Bun "+findVersion(bun+" --version"), "Deno "+findVersion(deno+" --version"), "Python "+findVersion("/usr/bin/python3 --version"))
}

func rows(group []client) string {
	var b strings.Builder
	for len(group) > 0 {
		name := group[0].name
		n := slices.IndexFunc(group, func(c client) bool { return c.name != name })
		if n < 0 {
			n = len(group)
		}
		var notes []string
		for _, c := range group[:n] {
			if c.note != "" && !slices.Contains(notes, c.note) {
				notes = append(notes, c.note)
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", name, findVersion(group[0].version), outcomes(group[:n]), strings.Join(notes, "; "))
		group = group[n:]
	}
	return b.String()
}

// outcomes is the outcome of a program, with the runtimes if it depends on them.
func outcomes(same []client) string {
	var kinds []string
	runtimes := make(map[string][]string)
	for _, c := range same {
		kind := string(c.want)
		if c.trust != "" {
			kind = fmt.Sprintf("%s: `--trust %s`, else %s", optIn, c.trust, c.want)
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
		runtimes[kind] = append(runtimes[kind], c.runtime)
	}
	if len(kinds) == 1 && runtimes[kinds[0]][0] == "" {
		return kinds[0]
	}
	var parts []string
	for _, kind := range kinds {
		names := runtimes[kind]
		for i := range names[1:] {
			if first, _, found := strings.Cut(names[0], " "); found {
				names[i+1] = strings.TrimPrefix(names[i+1], first+" ")
			}
		}
		parts = append(parts, strings.Join(names, ", ")+": "+kind)
	}
	return strings.Join(parts, "; ")
}

var versionPattern = regexp.MustCompile(`\d+(\.\d+)+`)

// findVersion returns the version of an installed program: "npm:NAME", "deb:NAME" and
// "go:MODULE" are packages, and everything else is a command that prints the version.
func findVersion(of string) string {
	kind, name, _ := strings.Cut(of, ":")
	var out []byte
	switch kind {
	case "":
		return ""
	case "npm":
		for _, dir := range []string{"matrix", "matrix/agents"} {
			if b, err := os.ReadFile(dir + "/node_modules/" + name + "/package.json"); err == nil {
				out = regexp.MustCompile(`"version": *"[^"]+"`).Find(b)
				break
			}
		}
	case "deb":
		out, _ = exec.Command("dpkg-query", "-W", "-f", "${Version}", name).Output()
	case "go":
		out, _ = exec.Command("go", "list", "-C", "matrix/go", "-m", "-f", "{{.Version}}", name).Output()
	default:
		cmd := exec.Command("sh", "-c", of)
		cmd.Env = append(os.Environ(), "PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin")
		out, _ = cmd.CombinedOutput()
	}
	return string(versionPattern.Find(out))
}

// withoutVersions removes what may differ from one machine to another.
func withoutVersions(table string) string {
	table = regexp.MustCompile(`Measured on \S+:`).ReplaceAllString(table, "Measured:")
	table = regexp.MustCompile(`(?m)^Runtimes: .*$`).ReplaceAllString(table, "Runtimes:")
	return regexp.MustCompile(`(?m)^(\| [^|]+ \|)[^|]*\|`).ReplaceAllString(table, "$1 |")
}

// difference lists the lines that only one of two texts has.
func difference(want, got string) string {
	var b strings.Builder
	lines := func(s string) []string { return strings.Split(s, "\n") }
	for _, line := range lines(want) {
		if !slices.Contains(lines(got), line) {
			fmt.Fprintln(&b, "-", line)
		}
	}
	for _, line := range lines(got) {
		if !slices.Contains(lines(want), line) {
			fmt.Fprintln(&b, "+", line)
		}
	}
	return b.String()
}
