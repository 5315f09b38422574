package mask

import (
	"fmt"
	"html"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxForm limits the length of a form: no service is known to write one character in
// more bytes.
const maxForm = 14

// forms returns the ways in which encoders write one character, as it is first: in a
// JSON string, in a URL or form, in HTML, and, with depth 2, in any two of these one
// in the other.
func forms(character string, depth int) []string {
	all := []string{character}
	if !escaped(character) {
		return all
	}
	last := all
	for range depth {
		var next []string
		for _, text := range last {
			for _, encode := range encoders {
				if form := encode(text); len(form) <= maxForm && !slices.Contains(all, form) {
					all, next = append(all, form), append(next, form)
				}
			}
		}
		last = next
	}
	return all
}

// escaped reports whether some encoder escapes the character. The others are what
// RFC 3986 section 2.3 calls unreserved.
func escaped(character string) bool {
	c := character[0]
	return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0)
}

var encoders = []func(string) string{
	strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace,
	strings.NewReplacer(`\`, `\\`, `"`, `\"`, `/`, `\/`).Replace,
	func(s string) string { return eachEscaped(s, jsonEscape(`\u%04x`)) },
	func(s string) string { return eachEscaped(s, jsonEscape(`\u%04X`)) },
	func(s string) string { return eachEscaped(s, percentEscape("%%%02x")) },
	func(s string) string { return eachEscaped(s, percentEscape("%%%02X")) },
	strings.NewReplacer(" ", "+").Replace,
	html.EscapeString,
	strings.NewReplacer("&", "&amp;", `"`, "&quot;", "'", "&apos;", "<", "&lt;", ">", "&gt;").Replace,
	func(s string) string { return eachEscaped(s, htmlEscape("&#%d;")) },
	func(s string) string { return eachEscaped(s, htmlEscape("&#x%x;")) },
	func(s string) string { return eachEscaped(s, htmlEscape("&#x%X;")) },
}

// eachEscaped encodes the characters of a text that encoders escape.
func eachEscaped(text string, encode func(string) string) string {
	var b strings.Builder
	for len(text) > 0 {
		_, n := utf8.DecodeRuneInString(text)
		if character := text[:n]; escaped(character) {
			b.WriteString(encode(character))
		} else {
			b.WriteString(character)
		}
		text = text[n:]
	}
	return b.String()
}

func jsonEscape(format string) func(string) string {
	return func(character string) string {
		var b strings.Builder
		for _, unit := range utf16.Encode([]rune(character)) {
			fmt.Fprintf(&b, format, unit)
		}
		return b.String()
	}
}

func percentEscape(format string) func(string) string {
	return func(character string) string {
		var b strings.Builder
		for i := range len(character) {
			fmt.Fprintf(&b, format, character[i])
		}
		return b.String()
	}
}

func htmlEscape(format string) func(string) string {
	return func(character string) string {
		r, _ := utf8.DecodeRuneInString(character)
		return fmt.Sprintf(format, r)
	}
}
