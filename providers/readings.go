package providers

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxReadings limits the readings of one path. Paths of honest clients have few: most
// have one, and one with escapes has two or three.
const maxReadings = 64

// errReadings refuses a path that is escaped again and again.
var errReadings = errors.New("the path can be read in too many ways")

// Readings returns the other paths that servers may take an escaped path for. They
// differ in which of these steps they take, in which order, and how often: decoding;
// removing doubled slashes and dot segments; treating a backslash as a slash; removing
// the part of a segment after a semicolon; ending the path at a question mark, a
// number sign, a line end or a zero byte that was escaped; ignoring blanks, dots and
// control characters at the end of a segment; and taking other Unicode characters for
// ASCII ones. If the result is empty, all servers read the path the same way. An
// invalid escape is an error, and so is a path with more readings than honest ones
// have.
func Readings(escaped string) ([]string, error) {
	if isPlain(escaped) {
		return nil, nil
	}
	decoded, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, err
	}
	all := append(make([]string, 0, 8), escaped, decoded)
	for i := 0; i < len(all); i++ {
		for _, step := range []func(string) string{decodeValid, clean, withoutParameters, untilEnd, nextLine, ascii, withoutControls, trimmed} {
			if p := step(all[i]); !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
		if len(all) > maxReadings {
			return nil, errReadings
		}
	}
	return all[1:], nil
}

// isPlain reports whether all servers read a path the same way: each step of Readings
// leaves it unchanged.
func isPlain(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	start := 1 // of the segment
	for i := 1; i <= len(p); i++ {
		if i < len(p) && p[i] != '/' {
			if c := p[i]; c <= ' ' || c >= 0x7f || c == '%' || c == ';' || c == '\\' || c == '?' || c == '#' {
				return false
			}
			continue
		}
		if i < len(p) && i == start || i > start && p[i-1] == '.' {
			return false
		}
		start = i + 1
	}
	return true
}

// decodeValid decodes the valid escapes of a path and keeps the others, as lenient
// servers do: %2F, and %u002F of IIS.
func decodeValid(p string) string {
	at := strings.IndexByte(p, '%')
	if at < 0 {
		return p
	}
	decoded := append(make([]byte, 0, len(p)), p[:at]...)
	for i := at; i < len(p); {
		if p[i] == '%' {
			if code, err := strconv.ParseUint(p[min(i+1, len(p)):min(i+3, len(p))], 16, 8); err == nil && i+3 <= len(p) {
				decoded = append(decoded, byte(code))
				i += 3
				continue
			}
			if i+6 <= len(p) && (p[i+1] == 'u' || p[i+1] == 'U') {
				if code, err := strconv.ParseUint(p[i+2:i+6], 16, 16); err == nil {
					decoded = utf8.AppendRune(decoded, rune(code))
					i += 6
					continue
				}
			}
		}
		decoded = append(decoded, p[i])
		i++
	}
	return string(decoded)
}

// withoutParameters removes the part after a semicolon from each segment, which
// servers in Java do before they look for dot segments.
func withoutParameters(p string) string {
	if !strings.Contains(p, ";") {
		return p
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		segments[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segments, "/")
}

// untilEnd returns the path before a character at which a server may end it: some
// look for the query after decoding, some use strings that end at a zero byte, and to
// some expressions a line end is the end.
func untilEnd(p string) string {
	if i := strings.IndexAny(p, "?#\x00\r\n"); i >= 0 {
		return p[:i]
	}
	return p
}

// nextLine returns the path after a line end, because to the expressions of some
// languages each line has a start and an end.
func nextLine(p string) string {
	if i := strings.IndexAny(p, "\r\n"); i >= 0 && strings.HasPrefix(p[i+1:], "/") {
		return p[i+1:]
	}
	return p
}

// clean returns the path that a careful server would use. It keeps a final slash.
func clean(p string) string {
	cleaned := cleanPath(p)
	if cleaned != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, `\`)) {
		cleaned += "/"
	}
	return cleaned
}

// lookAlikes are characters that servers convert to ASCII, although compatibility
// decomposition does not.
var lookAlikes = strings.NewReplacer("\u2044", "/", "\u2215", "/", "\u29f8", "/", "\u2216", `\`, "\u29f5", `\`, "\u0131", "i", "\u0130", "I")

// ascii returns the path with overlong and full-width forms as the ASCII characters
// that a lax server takes them for.
func ascii(p string) string {
	for i := range len(p) {
		if p[i] >= utf8.RuneSelf {
			return lookAlikes.Replace(norm.NFKC.String(withoutOverlong(p)))
		}
	}
	return p
}

// withoutControls removes the control characters of a path.
func withoutControls(p string) string {
	if !strings.ContainsFunc(p, isControl) {
		return p
	}
	kept := make([]byte, 0, len(p))
	for _, c := range []byte(p) {
		if !isControl(rune(c)) {
			kept = append(kept, c)
		}
	}
	return string(kept)
}

func isControl(c rune) bool { return c < ' ' || c == 0x7f }

// trimmed returns the path without the blanks around its segments and without the
// dots after them, as Windows does.
func trimmed(p string) string {
	if !strings.Contains(p, " ") && !strings.Contains(p, "./") && !strings.HasSuffix(p, ".") {
		return p
	}
	segments := strings.Split(p, "/")
	for i, s := range segments {
		if segments[i] = strings.Trim(s, " "); segments[i] != "." && segments[i] != ".." {
			segments[i] = strings.TrimRight(segments[i], " .")
		}
	}
	return strings.Join(segments, "/")
}

// withoutOverlong decodes ASCII characters that are encoded in more than one byte,
// which is not UTF-8, but accepted by some decoders.
func withoutOverlong(p string) string {
	if utf8.ValidString(p) {
		return p
	}
	decoded := make([]byte, 0, len(p))
	for i := 0; i < len(p); {
		c, size := overlong(p[i:])
		decoded = append(decoded, c)
		i += size
	}
	return string(decoded)
}

// overlong decodes the first character of s if it is an overlong form of an ASCII
// character, and otherwise its first byte.
func overlong(s string) (c byte, size int) {
	switch s[0] {
	case 0xc0, 0xc1:
		size = 2
	case 0xe0:
		size = 3
	case 0xf0:
		size = 4
	}
	if size == 0 || len(s) < size {
		return s[0], 1
	}
	value := uint(s[0] & 1) // the other bits of these lead bytes are zero or the length
	for _, b := range []byte(s[1:size]) {
		if b&0xc0 != 0x80 {
			return s[0], 1
		}
		value = value<<6 | uint(b&0x3f)
	}
	if value >= utf8.RuneSelf {
		return s[0], 1
	}
	return byte(value), size
}
