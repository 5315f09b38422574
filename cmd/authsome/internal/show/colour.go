package show

// Colour is a colour of text on a terminal, as SGR parameters of ECMA-48. A colour
// never says something that the words do not.
type Colour string

// The colours in use.
const (
	Red    Colour = "31;1"
	Yellow Colour = "33"
	Green  Colour = "32"
	Faint  Colour = "2"
)

// Paint puts text in a colour.
func (c Colour) Paint(text string) string { return "\x1b[" + string(c) + "m" + text + "\x1b[0m" }
