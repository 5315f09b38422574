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

func TestNodeIgnoresProxies(t *testing.T) {
	for version, want := range map[string]bool{
		"18.20.4": true, "20.20.2": true, "22.20.0": true, "22.21.0": false, "22.21.1": false, "23.11.0": true,
		"24.0.0": true, "24.4.1": true, "24.5.0": false, "24.11.0": false, "25.0.0": false, "100.1.0": false,
		"": false, "nonsense": false, "22": false,
	} {
		if got := nodeIgnoresProxies(version); got != want {
			t.Errorf("%q: %v, want %v", version, got, want)
		}
	}
}
