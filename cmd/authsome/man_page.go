package main

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// manPage is the manual page of a command, in roff with the macros of man(7). It is made
// of the command's help and nothing else, so it is the same in every build of a version.
func manPage(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH %q 1 %q %q %q\n.nh\n.ad l\n", strings.ToUpper(pageName(cmd)), sourceDate(), versionLine(), "authsome manual")
	section := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, ".SH %s\n%s", name, text)
		}
	}
	section("NAME", roff(pageName(cmd))+` \- `+roff(cmd.Short)+"\n")
	section("SYNOPSIS", ".B "+roff(synopsis(cmd))+"\n")
	section("DESCRIPTION", paragraphs(cmd.Long))
	var commands strings.Builder
	for _, sub := range documented(cmd) {
		fmt.Fprintf(&commands, ".TP\n.BR %s (1)\n%s\n", roff(pageName(sub)), roff(sub.Short))
	}
	section("COMMANDS", commands.String())
	section("OPTIONS", options(cmd.NonInheritedFlags()))
	section("GLOBAL OPTIONS", options(cmd.InheritedFlags()))
	if !cmd.HasParent() {
		var codes strings.Builder
		for _, c := range exit.Codes {
			fmt.Fprintf(&codes, ".TP\n.B %d\n%s\n", c.Code, roff(c.Meaning))
		}
		section("EXIT STATUS", codes.String())
	}
	if cmd.Example != "" {
		section("EXAMPLES", literal(strings.Split(cmd.Example, "\n")))
	}
	var also []string
	if cmd.HasParent() {
		also = append(also, "\\fB"+roff(pageName(cmd.Parent()))+"\\fR(1)")
	}
	section("SEE ALSO", strings.Join(append(also, "\\fI"+roff(docsURL)+"\\fR"), ",\n")+"\n")
	return b.String()
}

// documented are the commands below cmd that have a page.
func documented(cmd *cobra.Command) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(cmd.Commands()), func(c *cobra.Command) bool { return c.Hidden || c.Name() == "help" })
}

func synopsis(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND"
	}
	return cmd.UseLine()
}

// options lists flags with what they mean.
func options(flags *pflag.FlagSet) string {
	var b strings.Builder
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, meaning := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(&b, `\fB%s\fR, `, roff("-"+f.Shorthand))
		}
		fmt.Fprintf(&b, `\fB%s\fR`, roff("--"+f.Name))
		if value != "" {
			fmt.Fprintf(&b, ` \fI%s\fR`, roff(value))
		}
		if !slices.Contains([]string{"", "[]", "false", "0s"}, f.DefValue) {
			meaning += " (default: " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, "\n%s\n", roff(meaning))
	})
	return b.String()
}

// paragraphs formats text that has a blank line between paragraphs. Indented lines are
// kept as they are.
func paragraphs(text string) string {
	var b strings.Builder
	for i, p := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		lines := strings.Split(p, "\n")
		indented := func(l string) bool { return strings.HasPrefix(l, "  ") }
		if slices.ContainsFunc(lines, indented) {
			b.WriteString(literal(lines))
			continue
		}
		for _, line := range lines {
			b.WriteString(roff(line) + "\n")
		}
	}
	return b.String()
}

// literal shows lines as they are.
func literal(lines []string) string {
	var b strings.Builder
	b.WriteString(".nf\n")
	for _, line := range lines {
		b.WriteString(roff(line) + "\n")
	}
	return b.String() + ".fi\n"
}

var roffEscapes = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, `"`, `\(dq`)

// roff escapes a line of text. A period at its start would be a request.
func roff(line string) string {
	line = roffEscapes.Replace(line)
	if strings.HasPrefix(line, ".") {
		line = `\&` + line
	}
	var b strings.Builder
	for _, r := range line {
		if r <= unicode.MaxASCII {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r) // groff reads its input as Latin-1
		}
	}
	return b.String()
}

// sourceDate is the date of the source of this build, or empty if it is not known.
func sourceDate() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if at, err := time.Parse(time.RFC3339, s.Value); s.Key == "vcs.time" && err == nil {
			return at.UTC().Format(time.DateOnly)
		}
	}
	return ""
}
