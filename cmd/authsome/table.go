package main

import (
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
func table(w io.Writer, rows [][]string) {
	width := 0
	if columns, ok := columns(w); ok {
		width = columns
	}
	io.WriteString(w, layout(rows, width))
}

// facts writes a name and a value a line. On a terminal, values that would not fit
// go on below: nothing of them is cut.
func facts(w io.Writer, rows [][]string) {
	width := 0
	if columns, ok := columns(w); ok {
		width = columns
	}
	io.WriteString(w, hang(rows, width))
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
		name, value := row[0]+strings.Repeat(" ", indent-utf8.RuneCountInString(row[0])), visible(row[1])
		line := name + value
		if width > 0 {
			line = name
			for i, word := range strings.Fields(value) {
				start := i == 0 || strings.TrimSpace(line) == ""
				if !start && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
					b.WriteString(line + "\n")
					line, start = strings.Repeat(" ", indent), true
				}
				if !start {
					line += " "
				}
				line += word
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
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
