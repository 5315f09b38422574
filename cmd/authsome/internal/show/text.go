// Package show turns values into what a person reads: tables, colours, times
// relative to now, plurals, and text of unknown origin made safe for a terminal.
//
// It writes where it is told to and decides nothing. Its invariant: text that
// somebody else wrote cannot move the cursor, hide or reorder what is next to it.
package show

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Visible replaces the characters of a text that could move the cursor, or hide or
// reorder what is next to them, by their code points.
func Visible(s string) string {
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

// VisibleLines is [Visible] for each line of a text.
func VisibleLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Visible(lines[i])
	}
	return strings.Join(lines, "\n")
}

// Relative is a time in words, such as "in 2 hours" or "3 days ago". It is empty for
// the zero time.
func Relative(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	d := t.Sub(now)
	if d < 0 {
		return Duration(-d) + " ago"
	}
	return "in " + Duration(d)
}

// Duration is a duration in its largest whole unit, such as "2 hours".
func Duration(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if n := int(d / unit.length); n > 0 {
			return Plural(n, unit.name)
		}
	}
	return Plural(int(d/time.Second), "second")
}

// Plural is a number with its noun, such as "1 key" or "2 keys".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Text is a value as people read it: lists with commas, times in RFC 3339.
func Text(v any) string {
	switch v := v.(type) {
	case []string:
		return strings.Join(v, ", ")
	case time.Time:
		return v.Format(time.RFC3339)
	}
	return fmt.Sprint(v)
}

// LowerFirst makes the first letter of a label lower-case for use inside a
// sentence. A label that begins with an abbreviation, such as "API key", stays.
func LowerFirst(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	if second, _ := utf8.DecodeRuneInString(s[size:]); unicode.IsUpper(second) {
		return s
	}
	if size == 0 {
		return ""
	}
	return string(unicode.ToLower(first)) + s[size:]
}
