package terminal

import (
	"strings"
	"testing"
)

func TestQRCodeIsSquare(t *testing.T) {
	const link = "https://acme.test/device?code=WDJB-MJHT"
	lines := strings.Split(strings.TrimSpace(QR(link, 80)), "\n")
	for _, line := range lines {
		drawn := strings.TrimSuffix(strings.TrimPrefix(line, "\x1b[38;5;16;48;5;231m"), "\x1b[0m")
		if n := len([]rune(drawn)); n != 2*len(lines) && n != 2*len(lines)-1 {
			t.Errorf("%d columns in %d lines", n, len(lines))
		}
	}
	if QR(link, 20) != "" {
		t.Error("a code that does not fit is drawn")
	}
}
