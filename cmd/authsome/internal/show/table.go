package show

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
	minColumn = 8 // a narrower column is not readable
)

// Table writes rows in aligned columns. On a terminal that is too narrow the widest
// cells are cut; programs always get them whole.
func Table(w io.Writer, rows [][]string) { io.WriteString(w, layout(rows, LineWidth(w))) }

// TableWithNotes writes whole as [Table] does if it fits. On a narrower terminal it writes the
// rows of short, whose cells take several lines if needed, and the notes below them. Nothing
// is cut.
func TableWithNotes(w io.Writer, whole, short [][]string, notes []string) {
	io.WriteString(w, withNotes(whole, short, notes, LineWidth(w)))
}

// Facts writes rows of a name and a value. On a terminal, long values are wrapped and
// never cut.
func Facts(w io.Writer, rows [][]string) { io.WriteString(w, hang(rows, LineWidth(w))) }

// LineWidth is w's width in columns, or 0 if w is neither a terminal nor on its way to one,
// whose width the method Columns returns.
func LineWidth(w io.Writer) int {
	if sized, ok := w.(interface{ Columns() int }); ok {
		return sized.Columns()
	}
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// TextWidth is the width for running text on w: that of the terminal, and at most
// 100 columns, which is also the width for programs.
func TextWidth(w io.Writer) int {
	const readable = 100
	if width := LineWidth(w); width > 0 {
		return min(width, readable)
	}
	return readable
}

// hang aligns the values of names within width columns; 0 is unlimited. A value is
// one line, broken between words.
func hang(rows [][]string, width int) string {
	indent := 0
	for _, row := range rows {
		indent = max(indent, utf8.RuneCountInString(row[0])+columnGap)
	}
	var b strings.Builder
	for _, row := range rows {
		name, lines := row[0], []string{Visible(row[1])}
		if width > 0 {
			lines = Wrap(lines[0], width-indent)
		}
		for _, line := range lines {
			b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s%s", indent, name, line), " ") + "\n")
			name = ""
		}
	}
	return b.String()
}

// Wrap breaks a text between words into lines of at most width columns. A longer
// word has a line for itself.
func Wrap(text string, width int) []string {
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

// layout aligns rows within width columns; 0 is unlimited. A cell is one line.
func layout(rows [][]string, width int) string {
	widths := columns(rows, width)
	var b strings.Builder
	for _, row := range rows {
		var cells []string
		for i, cell := range row {
			cells = append(cells, truncate(Visible(cell), widths[i]))
		}
		writeLine(&b, cells, widths)
	}
	return b.String()
}

// withNotes is [TableWithNotes] for a width in columns; 0 is unlimited.
func withNotes(whole, short [][]string, notes []string, width int) string {
	if widths := columns(whole, 0); width == 0 || tableWidth(widths) <= width {
		return layout(whole, 0)
	}
	const indent = "  "
	var b strings.Builder
	b.WriteString(wrapped(short, width))
	for _, note := range notes {
		for n, line := range wrapCell(Visible(note), width-len(indent)) {
			if n > 0 {
				b.WriteString(indent)
			}
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// wrapped is [layout] with cells of several lines, in which nothing is cut.
func wrapped(rows [][]string, width int) string {
	widths := columns(rows, width)
	var b strings.Builder
	for _, row := range rows {
		var cells [][]string
		height := 0
		for i, cell := range row {
			cells = append(cells, wrapCell(Visible(cell), widths[i]))
			height = max(height, len(cells[i]))
		}
		for n := range height {
			line := make([]string, len(cells))
			for i, cell := range cells {
				if n < len(cell) {
					line[i] = cell[n]
				}
			}
			writeLine(&b, line, widths)
		}
	}
	return b.String()
}

// wrapCell breaks a cell into lines of at most width columns: between words, and inside of
// longer words.
func wrapCell(text string, width int) []string {
	if utf8.RuneCountInString(text) <= width {
		return []string{text}
	}
	var lines []string
	for _, line := range Wrap(text, width) {
		rest := []rune(line)
		for len(rest) > width {
			lines, rest = append(lines, string(rest[:width])), rest[width:]
		}
		lines = append(lines, string(rest))
	}
	return lines
}

// columns returns the widths of the columns of a table that is width columns wide; 0 is
// unlimited.
func columns(rows [][]string, width int) []int {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(Visible(cell)))
		}
	}
	if width > 0 {
		shrink(widths, width)
	}
	return widths
}

// writeLine writes one line of a table.
func writeLine(b *strings.Builder, cells []string, widths []int) {
	var line strings.Builder
	for i, cell := range cells {
		line.WriteString(cell)
		line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+columnGap))
	}
	b.WriteString(strings.TrimRight(line.String(), " "))
	b.WriteByte('\n')
}

// shrink makes the widest column narrower until all columns fit into width, or the
// widest has the minimum.
func shrink(widths []int, width int) {
	for total := tableWidth(widths); total > width; total-- {
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

// tableWidth is the width of a table with columns of these widths.
func tableWidth(widths []int) int {
	total := columnGap * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

func truncate(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(width-1, 0)]) + "…"
}
