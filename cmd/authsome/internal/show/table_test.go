package show

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHang(t *testing.T) {
	if got := hang([][]string{{"note", "a\x1b[2K\nb"}}, 40); got != `note  a\u001b[2K\u000ab`+"\n" {
		t.Errorf("control characters: %q", got)
	}
	rows := [][]string{{"note", "a word and another"}, {"", "https://example.com/longer/than/the/line"}, {"é", ""}}
	if got, want := hang(rows, 0), "note  a word and another\n      https://example.com/longer/than/the/line\né\n"; got != want {
		t.Errorf("without bound:\n%swant\n%s", got, want)
	}
	if got, want := hang(rows, 18), "note  a word and\n      another\n      https://example.com/longer/than/the/line\né\n"; got != want {
		t.Errorf("in 18 columns:\n%swant\n%s", got, want)
	}
}

func TestLayout(t *testing.T) {
	rows := [][]string{{"NAME", "STATUS", "WHERE"}, {"github", "", "https://api.github.com/a/long/path"}, {"é", "connected"}}
	if got, want := layout(rows, 0), "NAME    STATUS     WHERE\ngithub             https://api.github.com/a/long/path\né       connected\n"; got != want {
		t.Errorf("without bound:\n%swant\n%s", got, want)
	}
	if got, want := layout(rows, 32), "NAME    STATUS     WHERE\ngithub             https://api.…\né       connected\n"; got != want {
		t.Errorf("in 32 columns:\n%swant\n%s", got, want)
	}
	for width := 30; width < 80; width++ {
		for line := range strings.Lines(layout(rows, width)) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns in %d: %s", n, width, line)
			}
		}
	}
	// An agent chooses the paths that the log shows to a person.
	if got, want := layout([][]string{{"/a\x1b[2K\r\nb\u202e\u200b", "é 日本"}}, 0), `/a\u001b[2K\u000d\u000ab\u202e\u200b  é 日本`+"\n"; got != want {
		t.Errorf("control characters: %q, want %q", got, want)
	}
	if layout(rows, 1) == "" || layout(nil, 10) != "" {
		t.Error("a terminal of no width, or no rows")
	}
}

func TestWrapped(t *testing.T) {
	rows := [][]string{{"NAME", "RESULT"}, {"github", "refused: the address is not one of github"}, {"a-name-that-is-long", "new"}, {"é", ""}}
	if got, want := wrapped(rows, 0), layout(rows, 0); got != want {
		t.Errorf("without bound:\n%swant\n%s", got, want)
	}
	if got, want := wrapped(rows, 30), "NAME            RESULT\ngithub          refused: the\n                address is not\n                one of github\na-name-that-is  new\n-long\né\n"; got != want {
		t.Errorf("in 30 columns:\n%swant\n%s", got, want)
	}
	for width := 18; width < 80; width++ {
		text := wrapped(rows, width)
		for line := range strings.Lines(text) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns in %d: %s", n, width, line)
			}
		}
		if strings.Contains(text, "…") {
			t.Errorf("in %d columns, something is cut:\n%s", width, text)
		}
	}
}

func TestTableWithNotes(t *testing.T) {
	whole := [][]string{{"NAME", "RESULT"}, {"github", "refused: the address is not one of github"}}
	short := [][]string{{"NAME", "RESULT"}, {"github", "refused"}}
	notes := []string{"github: refused: the address is not one of github"}
	for _, width := range []int{0, 49} {
		if got, want := withNotes(whole, short, notes, width), layout(whole, 0); got != want {
			t.Errorf("in %d columns:\n%swant\n%s", width, got, want)
		}
	}
	if got, want := withNotes(whole, short, notes, 30), layout(short, 0)+"github: refused: the address\n  is not one of github\n"; got != want {
		t.Errorf("in 30 columns:\n%swant\n%s", got, want)
	}
}

// sized is on its way to a terminal.
type sized struct{ strings.Builder }

func (*sized) Columns() int { return 20 }

// A writer that says how wide its terminal is gets lines of that width.
func TestTableForAnotherTerminal(t *testing.T) {
	var w sized
	Table(&w, [][]string{{"short", "a cell that is too long for the line"}})
	if want := "short  a cell that …\n"; w.String() != want {
		t.Errorf("%q, want %q", w.String(), want)
	}
	if got := TextWidth(&w); got != 20 {
		t.Errorf("text of %d columns", got)
	}
}
