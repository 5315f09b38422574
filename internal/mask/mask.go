// Package mask finds the secrets of one connection in what a service answers, and
// masks them: [Mask.Head] in the value of a header field, [Filter] in a body that
// passes.
//
// It does not know HTTP, and it does not decide what is a secret. A value that a
// service encrypts, hashes, reverses or cuts in pieces is not found.
//
// Its invariant: neither what a filter holds back, nor the time that it needs,
// depends on how much of a secret a text has, except for a whole one. Otherwise a
// client that makes a service repeat guesses could read a secret from the delays,
// one character after another.
package mask

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// minHead is the shortest secret that is masked in heads. A shorter one protects
	// nothing and occurs by chance.
	minHead = 4
	// minBody is the shortest secret that is masked in bodies, which are long enough
	// for a short one to occur by chance.
	minBody = 12
	// maxNested is the number of characters up to which a secret is found with escapes
	// within escapes in bodies: compiling these takes time.
	maxNested = 32
)

// Secret is a text to mask.
type Secret struct {
	Text string
	// Placeholder replaces the secret in heads. If it is empty, a text of the same
	// length does, as in bodies.
	Placeholder string
	HeadOnly    bool // the secret is not masked in bodies
}

// Mask has the secrets of one connection, compiled. It is immutable and safe for
// concurrent use.
type Mask struct {
	head *automaton // nil if nothing is masked in heads
	body *automaton // nil if nothing is masked in bodies
}

// New compiles the secrets. Empty ones, repetitions, and those with control
// characters, which no request can carry, are left out.
func New(secrets []Secret) *Mask {
	var head, body []pattern
	seen := make(map[string]bool)
	for _, s := range secrets {
		length := utf8.RuneCountInString(s.Text)
		if seen[s.Text] || length < minHead || strings.ContainsFunc(s.Text, isControl) {
			continue
		}
		seen[s.Text] = true
		p := newPattern(s.Text, s.Placeholder)
		head = append(head, p)
		if decoded := decode(s.Text).text; len(decoded) >= minHead && string(decoded) != s.Text {
			// Head compares texts whose escapes are undone. The secret may contain what
			// looks like one.
			undone := newPattern(string(decoded), s.Placeholder)
			undone.mark = p.mark
			head = append(head, undone)
		}
		if !Short(s.Text) && !s.HeadOnly {
			body = append(body, p)
		}
	}
	m := &Mask{head: compile(head)}
	if len(body) == len(head) { // the usual case
		m.body = m.head
	} else {
		m.body = compile(body)
	}
	return m
}

// Bodies reports whether a secret is long enough to be masked in bodies.
func (m *Mask) Bodies() bool { return m.body != nil }

// Short reports whether a secret is too short to be masked in bodies.
func Short(secret string) bool { return utf8.RuneCountInString(secret) < minBody }

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// pattern is a secret in the form in which it is searched.
type pattern struct {
	units       [][]string // for each character, the ways to write it
	longest     int        // bytes of the longest way to write all of them
	mark        byte       // replaces each byte of the secret
	placeholder string     // replaces the whole secret in heads, if not empty
}

func newPattern(text, placeholder string) pattern {
	p := pattern{mark: markFor(text), placeholder: placeholder}
	depth := 2
	if special := strings.FieldsFunc(text, func(r rune) bool { return !escaped(string(r)) }); len(strings.Join(special, "")) > maxNested {
		depth = 1
	}
	for len(text) > 0 {
		_, n := utf8.DecodeRuneInString(text)
		unit := forms(text[:n], depth)
		longest := 0
		for _, form := range unit {
			longest = max(longest, len(form))
		}
		p.units, p.longest, text = append(p.units, unit), p.longest+longest, text[n:]
	}
	return p
}

// markFor returns the character that replaces each character of a secret. It belongs
// to the alphabet of the secret as a whole, so that a number stays a number, and
// hexadecimal and base64 text can still be decoded. It says nothing about any single
// character. The marks are those whose bits are zero in base32 and base64, whose
// decoders check the bits of the last character, and a digit that a number can begin
// with.
func markFor(text string) byte {
	switch {
	case strings.Trim(text, "0123456789") == "":
		return '1'
	case strings.ToLower(text) == text:
		return 'a'
	}
	return 'A'
}

// begin returns where the secret begins that ends at end.
func (p *pattern) begin(text []byte, end int) int {
	at := []int{end}
	for i := len(p.units) - 1; i >= 0; i-- {
		var before []int
		for _, e := range at {
			for _, form := range p.units[i] {
				if b := e - len(form); b >= 0 && string(text[b:e]) == form && !slices.Contains(before, b) {
					before = append(before, b)
				}
			}
		}
		at = before
	}
	if len(at) == 0 { // the beginning was sent before the rest of the secret came
		return max(0, end-p.longest)
	}
	return slices.Min(at)
}
