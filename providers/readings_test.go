package providers

import (
	"slices"
	"strings"
	"testing"
)

func TestReadings(t *testing.T) {
	for _, tt := range []struct {
		escaped string
		want    []string // among others
	}{
		{"/", nil},
		{"/v2/chat/completions", nil},
		{"/a.b/c-d_e~f/!$&'()*+,:@=", nil},
		{"/v2/file%20name", []string{"/v2/file name"}},
		{"/a%2Fb", []string{"/a/b"}},
		{"/%252574", []string{"/%2574", "/%74", "/t"}},
		{"/a%3fb", []string{"/a?b", "/a"}},
		{"/a;x/b", []string{"/a/b"}},
		{"/a//b/", []string{"/a/b/"}},
		{"/x/..%20/y", []string{"/y"}},
		{"/x/../y", []string{"/y"}},
		{"/a%c0%afb", []string{"/a/b"}},
		{"/a%e0%80%afb", []string{"/a/b"}},
		{"/a%f0%80%80%afb", []string{"/a/b"}},
		{"/a%e0%a0%80", []string{"/a\u0800"}},
		{"/a%ff%c0", []string{"/a\xff\xc0"}},
		{"/a%0ab", []string{"/a", "/ab"}},
	} {
		got, err := Readings(tt.escaped)
		if err != nil || tt.want == nil && got != nil {
			t.Errorf("%s: %q, %v", tt.escaped, got, err)
		}
		for _, want := range tt.want {
			if !slices.Contains(got, want) {
				t.Errorf("%s: %q lacks %q", tt.escaped, got, want)
			}
		}
	}
	for _, bad := range []string{"/%", "/%zz", "/%u002f", "/%" + strings.Repeat("25", 80) + "41"} {
		if got, err := Readings(bad); err == nil {
			t.Errorf("%s: %d readings", bad, len(got))
		}
	}
}

// FuzzReadings checks that each step leads from a reading to another one, so that the
// order in which a server takes them does not matter, and that a path without readings
// has none.
func FuzzReadings(f *testing.F) {
	for _, seed := range []string{"/a/b", "/%2574;x/..%20//y%3f", "/a%c0%af%ef%bc%8fb.", `/a\b%0a/c`, "*", "/%00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		all, err := Readings(escaped)
		if err != nil {
			return
		}
		all = append(all, escaped)
		for _, p := range all {
			for name, got := range map[string]string{"decode": decodeValid(p), "clean": clean(p), "parameters": withoutParameters(p), "end": untilEnd(p),
				"line": nextLine(p), "ascii": ascii(p), "controls": withoutControls(p), "trim": trimmed(p)} {
				if !slices.Contains(all, got) {
					t.Errorf("%q: %s of %q is %q, which is not a reading", escaped, name, p, got)
				}
			}
		}
	})
}
