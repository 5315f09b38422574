package mask

import (
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Head masks the secrets in the value of a header field and returns how many there
// were. It finds them under any number of escapes of URLs, JSON and HTML, one in the
// other, even if only some characters are escaped.
func (m *Mask) Head(value string) (string, int) {
	if m.head == nil {
		return value, 0
	}
	var spans []span
	search(m.head, 0, value, func(pattern, end int) {
		spans = append(spans, span{m.head.patterns[pattern].begin([]byte(value), end), end, pattern})
	})
	if strings.ContainsAny(value, `%\&`) {
		d := decode(value)
		search(m.head, 0, d.text, func(pattern, end int) {
			begin := m.head.patterns[pattern].begin(d.text, end)
			spans = append(spans, span{d.from[begin], d.to[end-1], pattern})
		})
	}
	if spans == nil {
		return value, 0
	}
	return m.replace(value, spans)
}

// replace masks the spans. Those that overlap are masked as one: the first decides
// how.
func (m *Mask) replace(value string, spans []span) (string, int) {
	slices.SortStableFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	at, n := 0, 0
	for len(spans) > 0 {
		s := spans[0]
		for spans = spans[1:]; len(spans) > 0 && spans[0].from < s.to; spans = spans[1:] {
			s.to = max(s.to, spans[0].to)
		}
		b.WriteString(value[at:s.from])
		if p := &m.head.patterns[s.pattern]; p.placeholder != "" {
			b.WriteString(p.placeholder)
		} else {
			b.WriteString(strings.Repeat(string(p.mark), s.to-s.from))
		}
		at, n = s.to, n+1
	}
	b.WriteString(value[at:])
	return b.String(), n
}

// decoded is a text without escapes. From and to say for each byte where it came
// from.
type decoded struct {
	text     []byte
	from, to []int
}

// decode undoes all escapes, also those that appear when others are undone. It takes
// time in proportion to the text, however deep they are nested: as soon as an escape
// is complete, its character replaces it, and can complete another one.
func decode(text string) *decoded {
	d := &decoded{text: make([]byte, 0, len(text)), from: make([]int, 0, len(text)), to: make([]int, 0, len(text))}
	for i := range len(text) {
		d.add(text[i:i+1], i, i+1)
		for d.reduce() {
		}
	}
	return d
}

func (d *decoded) add(text string, from, to int) {
	for i := range len(text) {
		d.text, d.from, d.to = append(d.text, text[i]), append(d.from, from), append(d.to, to)
	}
}

// reduce replaces the escape at the end of the text, if there is one.
func (d *decoded) reduce() bool {
	length, character := escapeAt(d.text)
	if length == 0 {
		return false
	}
	n := len(d.text) - length
	from, to := d.from[n], d.to[len(d.to)-1]
	d.text, d.from, d.to = d.text[:n], d.from[:n], d.to[:n]
	d.add(character, from, to)
	return true
}

// maxEntity is the length of the longest HTML escape that is recognised.
const maxEntity = 12

// escapeAt returns the length of the escape at the end of the text, or 0, and what it
// means.
func escapeAt(text []byte) (length int, character string) {
	end := len(text)
	last := text[end-1]
	switch {
	case end >= 2 && text[end-2] == '\\' && strings.IndexByte(`\"'/`, last) >= 0:
		return 2, string(last)
	case last == ';':
		start := max(0, end-maxEntity)
		if i := strings.LastIndexByte(string(text[start:]), '&'); i >= 0 {
			entity := string(text[start+i:])
			if c := html.UnescapeString(entity); c != entity && utf8.RuneCountInString(c) == 1 {
				return len(entity), c
			}
		}
	}
	for _, e := range [...]struct {
		start string
		bytes bool // the number is a byte, not a character
		digit int
	}{{"%", true, 2}, {`\x`, true, 2}, {`\u`, false, 4}, {"%u", false, 4}} {
		n := len(e.start) + e.digit
		if end < n || string(text[end-n:end-e.digit]) != e.start {
			continue
		}
		number, err := strconv.ParseUint(string(text[end-e.digit:]), 16, 16)
		switch {
		case err != nil:
		case e.bytes:
			return n, string([]byte{byte(number)})
		default:
			return n, string(rune(number))
		}
	}
	return 0, ""
}
