package main

import (
	"io"
)

// Colours, as SGR parameters of ECMA-48. Each stands on a word that says the
// same.
const (
	red    = "31;1"
	yellow = "33"
	green  = "32"
	faint  = "2"
)

// paint colours text for w, if w is a terminal and nobody has asked for none
// (--no-color, or NO_COLOR as https://no-color.org has it).
func (a *app) paint(w io.Writer, colour, text string) string {
	if a.noColor || a.getenv("NO_COLOR") != "" || a.getenv("TERM") == "dumb" || !isTerminal(w) {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}
