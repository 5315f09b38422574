package mask

import (
	"bytes"
	"strings"
	"testing"
)

const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

// attack reads a secret from what a filter passes on at once. It makes a service
// repeat guesses: the secret as far as it is known, with one more character. The
// guess of which less passes than of all others is the right one.
func attack(prefix string, length int, passes func(body string) int) string {
	known := prefix
	for len(known) < length {
		least, guess, equal := 0, "", 0
		for i := range len(alphabet) {
			n := passes(known + alphabet[i:i+1])
			switch {
			case guess == "" || n < least:
				least, guess, equal = n, alphabet[i:i+1], 1
			case n == least:
				equal++
			}
		}
		if equal > 1 {
			return known
		}
		known += guess
	}
	return known
}

// holdWhileItCouldMatch is the filter that is easiest to write: it holds back the end
// of the text as long as it can be the beginning of the secret.
func holdWhileItCouldMatch(secret string) func(body string) int {
	return func(body string) int {
		for n := min(len(body), len(secret)-1); n > 0; n-- {
			if strings.HasPrefix(secret, body[len(body)-n:]) {
				return len(body) - n
			}
		}
		return len(body)
	}
}

// What is held back does not depend on the content, so that nobody can read a secret
// from it. The same attack reads the whole secret from a filter that holds back what
// could match.
func TestSecretCannotBeReadFromWhatIsHeldBack(t *testing.T) {
	const secret = "sk-Zx81Qm_aVt40LkJw2ySrE7dPnB"
	if got := attack("sk-", len(secret)-1, holdWhileItCouldMatch(secret)); got != secret[:len(secret)-1] {
		t.Fatalf("the attack does not work: it read %q", got)
	}
	m := New([]Secret{{Text: secret}})
	for name, start := range map[string]string{"a body": "", "an event": "data: 1\n\ndata: ", "a long event": strings.Repeat("x", maxEvent+1)} {
		for _, before := range []string{"", "Bearer ", strings.Repeat("text ", 200)} {
			got := attack("sk-", len(secret), func(body string) int {
				f := m.Body(name != "a body")
				return len(f.Write([]byte(start + before + body)))
			})
			if got != "sk-" {
				t.Errorf("%s, after %d bytes: the attack read %q", name, len(before), got)
			}
		}
	}
	// Guesses in several parts, and many in one.
	for _, cut := range []func(string) []string{
		func(s string) []string { return strings.Split(s, "") },
		func(s string) []string { return []string{strings.Repeat(s, 50), s, s} },
	} {
		got := attack("sk-", len(secret), func(body string) int {
			f, passed := m.Body(false), 0
			for _, part := range cut(body) {
				passed = passed*1000 + len(f.Write([]byte(part)))
			}
			return passed
		})
		if got != "sk-" {
			t.Errorf("the attack read %q", got)
		}
	}
}

// What a filter passes on depends on the lengths of the parts alone.
func FuzzHeldBackDependsOnLengthOnly(f *testing.F) {
	f.Add("sk-0123456789abcdef", "xx sk-0123456789abcde", 5)
	f.Fuzz(func(t *testing.T, secret, body string, size int) {
		if len(secret) > 200 || len(body) > 2000 {
			t.Skip()
		}
		m := New([]Secret{{Text: secret}})
		if m.Body(false) == nil {
			t.Skip()
		}
		own, other := m.Body(false), m.Body(false)
		rest, blank := []byte(body), bytes.Repeat([]byte{0}, len(body))
		for len(rest) > 0 {
			n := min(max(1, size%64), len(rest))
			if a, b := len(own.Write(rest[:n])), len(other.Write(blank[:n])); a != b || own.Waiting() != other.Waiting() {
				t.Fatalf("secret %q, body %q: %d bytes passed, %d of another body", secret, body, a, b)
			}
			rest, blank = rest[n:], blank[n:]
		}
	})
}
