package doctor

import "testing"

func TestMainLine(t *testing.T) {
	for output, want := range map[string]string{
		"":                               "",
		"one line\n":                     "one line",
		"starting\nfailed\n":             "failed",
		"  indented  \n\n":               "indented",
		"note\nError: refused\n  at x()": "Error: refused",
		"Exception in thread \"main\" java.net.ConnectException\n\tat Self.main": `Exception in thread "main" java.net.ConnectException`,
		"curl: (60) SSL certificate problem\nMore details here":                  "More details here",
		"a\nfatal ERROR: x\nerror: y":                                            "fatal ERROR: x",
	} {
		if got := mainLine(output); got != want {
			t.Errorf("%q: %q, want %q", output, got, want)
		}
	}
}
