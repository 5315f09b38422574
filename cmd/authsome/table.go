package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"
)

const (
	columnGap = 2
	minColumn = 8 // narrower, a column says nothing
)

// table writes aligned columns. On a terminal, where they would not fit, the
// widest ones are cut; what a program reads is always whole.
func table(w io.Writer, rows [][]string) { io.WriteString(w, layout(rows, lineWidth(w))) }

// facts writes a name and a value a line. On a terminal, values that would not fit
// go on below: nothing of them is cut.
func facts(w io.Writer, rows [][]string) { io.WriteString(w, hang(rows, lineWidth(w))) }

// lineWidth is the width that must fit w; 0 is none.
func lineWidth(w io.Writer) int {
	if columns, ok := columns(w); ok {
		return columns
	}
	return 0
}

// hang aligns the values of names within width columns; 0 is without bound. A
// value is one line, broken between words.
func hang(rows [][]string, width int) string {
	indent := 0
	for _, row := range rows {
		indent = max(indent, utf8.RuneCountInString(row[0])+columnGap)
	}
	var b strings.Builder
	for _, row := range rows {
		name, lines := row[0], []string{visible(row[1])}
		if width > 0 {
			lines = wrap(lines[0], width-indent)
		}
		for _, line := range lines {
			b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s%s", indent, name, line), " ") + "\n")
			name = ""
		}
	}
	return b.String()
}

// wrap breaks a text into lines of width columns, where its words allow that.
func wrap(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// columns is the width of the terminal that w is.
func columns(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	return width, err == nil
}

// screenWidth is how long lines may get that are broken here.
func screenWidth(w io.Writer) int {
	const readable = 100
	if width, ok := columns(w); ok && width > 0 {
		return min(width, readable)
	}
	return readable
}

// layout aligns rows within width columns; 0 is without bound. A cell is one line.
func layout(rows [][]string, width int) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			cell = visible(cell)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	if width > 0 {
		fit(widths, width)
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = cut(visible(cell), widths[i])
			line.WriteString(cell)
			line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+columnGap))
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// fit takes from the widest column until all fit, or none has more to give.
func fit(widths []int, width int) {
	total := columnGap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for ; total > width; total-- {
		widest := 0
		for i, w := range widths {
			if w > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= minColumn {
			return
		}
		widths[widest]--
	}
}

func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width-1, 0)]) + "…"
}
