package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
)

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// markdown is the report as an issue tracker shows it.
func (v *report) markdown() string {
	var b strings.Builder
	section := func(title string, lines []string) {
		fmt.Fprintf(&b, "\n## %s\n\n```\n", title)
		if len(lines) == 0 {
			lines = []string{"none"}
		}
		for _, line := range lines {
			b.WriteString(strings.ReplaceAll(show.Visible(line), "```", "~~~") + "\n")
		}
		b.WriteString("```\n")
	}
	b.WriteString("# Report for a bug report\n")
	for _, line := range v.About {
		// Angle brackets outside of code would be read as HTML.
		b.WriteString("\n" + strings.NewReplacer("<", "`<", ">", ">`").Replace(line) + "\n")
	}
	section("Program", []string{strings.TrimSpace("authsome " + v.Version + " " + v.Revision), v.Go + " " + v.Platform, v.At.Format(time.RFC3339)})
	var lines []string
	for _, f := range v.Doctor {
		lines = append(lines, fmt.Sprintf("%-8s %-14s %s", f.Status, f.Check, f.Detail))
	}
	section("Doctor", lines)
	lines = nil
	for _, name := range slices.Sorted(maps.Keys(v.Config)) {
		lines = append(lines, fmt.Sprintf("%s = %v", name, v.Config[name]))
	}
	section("config.json", lines)
	lines = nil
	for _, e := range v.Environment {
		line := e.Name + " is set"
		if e.Value != "" {
			line = e.Name + " = " + e.Value
		}
		lines = append(lines, line)
	}
	section("Environment", append(lines, show.Plural(v.Others, "other variable")))
	section("Definitions", append([]string{fmt.Sprintf("%d bundled", v.Bundled)}, v.Registered...))
	lines = nil
	for _, c := range v.Connections {
		line := strings.Join(strings.Fields(fmt.Sprintf("%s/%s %s %s %s", c.Provider, c.Name, c.AuthType, c.Flow, c.Status)), " ")
		if c.Default {
			line += ", default"
		}
		if c.Renewable {
			line += ", renewable"
		}
		lines = append(lines, line)
	}
	section("Connections", lines)
	lines = nil
	for _, f := range v.Files {
		lines = append(lines, fmt.Sprintf("%s %9d %s", f.Mode, f.Size, f.Path))
	}
	section("Home", lines)
	section("Log", v.Log)
	return b.String()
}
