package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// The rules for what users read:
//   - stdout has what was asked for, stderr the rest; --json is stdout, errors too.
//   - Errors are `authsome: error: …`, and a hint is the exact next command.
//   - No capital at the start, no period at the end.
//   - No secret, unless it was asked for with --show-secret.
//   - Colour says nothing that the words do not.

// printf writes what was asked for. A reader that went away (a pager that was
// closed) is not an error worth telling.
func (a *app) printf(format string, args ...any) { fmt.Fprintf(a.stdout, format, args...) }

// infof tells about what was done; --quiet leaves it out.
func (a *app) infof(format string, args ...any) {
	if !a.quiet {
		fmt.Fprintf(a.stderr, "authsome: "+format+"\n", args...)
	}
}

func (a *app) warnf(format string, args ...any) {
	fmt.Fprintf(a.stderr, "authsome: %s %s\n", a.paint(a.stderr, yellow, "warning:"), visibleLines(fmt.Sprintf(format, args...)))
}

// visible is a text that others wrote, with what would move the cursor, hide or
// turn round what stands beside it spelled out.
func visible(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unprintable(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func unprintable(r rune) bool { return !unicode.IsGraphic(r) }

// visibleLines keeps lines apart, besides.
func visibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// printJSON writes one indented document. The views it is given spell out their
// fields: a secret among them would be an error, and is a bug.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// relative is a time in words.
func relative(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := t.Sub(now)
	if d < 0 {
		return roughly(-d) + " ago"
	}
	return "in " + roughly(d)
}

func roughly(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / unit.length); n > 0 {
			return plural(n, unit.name)
		}
	}
	return plural(int(d/time.Second), "second")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// text is a value for people.
func text(v any) string {
	switch v := v.(type) {
	case []string:
		return strings.Join(v, ", ")
	case time.Time:
		return v.Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}
