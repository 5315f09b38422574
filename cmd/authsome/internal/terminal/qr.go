package terminal

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quietZone is the margin in modules that a scanner needs around the code.
const quietZone = 2

// QR draws text as a QR code of half blocks, dark on light whatever the
// terminal's colours are. It is empty if the code is wider than width.
func QR(text string, width int) string {
	code, err := qr.Encode(text, qr.L)
	if err != nil || code.Size+2*quietZone > width {
		return ""
	}
	var b strings.Builder
	for y := -quietZone; y < code.Size+quietZone; y += 2 {
		b.WriteString("\x1b[38;5;16;48;5;231m")
		for x := -quietZone; x < code.Size+quietZone; x++ {
			switch upper, lower := code.Black(x, y), code.Black(x, y+1); { // outside is white
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		fmt.Fprint(&b, "\x1b[0m\n")
	}
	return b.String()
}
