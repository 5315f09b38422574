package main

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// helpOf returns what authsome prints for these arguments.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	a := newApp()
	a.In, a.Out, a.Err = strings.NewReader(""), &out, &problems
	if code := execute(t.Context(), a, args); code != 0 || problems.Len() > 0 {
		t.Fatalf("authsome %v: exit code %d: %s", args, code, &problems)
	}
	return out.String()
}

// The help of the program has the address of the documentation, and the commands in the
// order in which a new user needs them.
func TestRootHelp(t *testing.T) {
	help := helpOf(t, "--help")
	if !strings.Contains(help, "Documentation: "+docsURL+"\n") {
		t.Errorf("no address of the documentation in:\n%s", help)
	}
	for _, args := range [][]string{{}, {"help"}, {"-h"}} {
		if got := helpOf(t, args...); got != help {
			t.Errorf("authsome %v and authsome --help differ:\n%s", args, got)
		}
	}
	_, commands, _ := strings.Cut(help, "Start here:")
	commands, _, _ = strings.Cut(commands, "\nFlags:")
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^  (\w+) `).FindAllStringSubmatch(commands, -1) {
		got = append(got, m[1])
	}
	want := strings.Fields(`demo login run list
		status why doctor log
		get export import default connection logout revoke remove
		inspect provider register
		proxy ca
		profile vault key init whoami
		completion man version help`)
	if !slices.Equal(got, want) {
		t.Errorf("the commands in the help are\n%v, want\n%v", got, want)
	}
}

// authsome help COMMAND prints the same as authsome COMMAND --help, with an example. It
// fits a terminal of 80 columns.
func TestCommandHelp(t *testing.T) {
	for _, cmd := range append(commands(), newRootCmd(newApp())) {
		path := strings.Fields(cmd.CommandPath())[1:]
		help := helpOf(t, append(path, "--help")...)
		for line := range strings.Lines(help) {
			if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 80 {
				t.Errorf("the help of %s has a line of %d columns: %s", cmd.CommandPath(), width, line)
			}
		}
		if !strings.Contains(help, "\nExamples:\n  ") || !strings.Contains(help, "\nUsage:\n  "+cmd.CommandPath()) {
			t.Errorf("no usage or example in the help of %s:\n%s", cmd.CommandPath(), help)
		}
		if got := helpOf(t, append([]string{"help"}, path...)...); got != help {
			t.Errorf("authsome help %v and authsome %[1]v --help differ:\n%s", path, got)
		}
	}
}
