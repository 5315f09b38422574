package bom_test

import (
	"testing"

	"github.com/authsome/authsome/internal/bom"
)

func TestDecode(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"no mark", "k-1 ü", "k-1 ü"},
		{"empty", "", ""},
		{"UTF-8", "\xef\xbb\xbfk-1 ü", "k-1 ü"},
		{"only the mark", "\xef\xbb\xbf", ""},
		{"two marks", "\xef\xbb\xbf\xef\xbb\xbfk", "\ufeffk"},
		{"part of the mark", "\xef\xbbk", "\xef\xbbk"},
		{"mark in the text", "k\xef\xbb\xbf", "k\ufeff"},
		{"UTF-16, little endian", "\xff\xfek\x001\x00\xfc\x00\r\x00\n\x00", "k1ü\r\n"},
		{"UTF-16, big endian", "\xfe\xff\x00k\x001\xd8\x3d\xde\x00", "k1😀"},
		{"UTF-16, half a character", "\xff\xfek\x001", "\xff\xfek\x001"},
		{"UTF-16, half a pair", "\xff\xfe\x3d\xd8", "\ufffd"},
	} {
		if got := string(bom.Decode([]byte(test.text))); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
