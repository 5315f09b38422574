package mask

import (
	"strings"
	"testing"
)

// oracle masks a whole text by trying every secret at every position.
func oracle(secrets []Secret, text string) string {
	out := []byte(text)
	type match struct {
		from, to int
		mark     byte
	}
	byEnd := make([][]match, len(text)+1)
	for _, s := range secrets {
		if len([]rune(s.Text)) < minBody {
			continue
		}
		for from := range text {
			for _, to := range ends(text, from, s.Text) {
				byEnd[to] = append(byEnd[to], match{from, to, markFor(s.Text)})
			}
		}
	}
	for _, matches := range byEnd {
		for _, m := range matches {
			for i := m.from; i < m.to; i++ {
				out[i] = m.mark
			}
		}
	}
	return string(out)
}

// ends returns where the secret can end that begins at a position of the text.
func ends(text string, from int, secret string) []int {
	at := map[int]bool{from: true}
	for _, r := range secret {
		next := make(map[int]bool)
		for position := range at {
			for _, form := range forms(string(r), 2) {
				if strings.HasPrefix(text[position:], form) {
					next[position+len(form)] = true
				}
			}
		}
		at = next
	}
	var all []int
	for position := range at {
		all = append(all, position)
	}
	return all
}

// However a body is cut into parts, the result is that of the oracle, and a part that
// was sent early is never changed in any other way.
func FuzzFilterIsTheOracleAtEverySplit(f *testing.F) {
	f.Add("abababababab", "ababababababab", 3)
	f.Add("sk-0123456789", "x sk-0123456789 sk-012345678 sk-sk-0123456789", 7)
	f.Add(`a/b+c"d\e f=gé`, `a\/b\u002bc\"d\\e f=g\u00e9 a%2Fb%2Bc%22d%5Ce+f%3Dg%C3%A9 a/b&#43;c&quot;d\\\\e%20f=gé`, 5)
	f.Add(`\\\\\\\\\\\\`, `\\\\\\\\\\\\\\\\\\\\\\\\\\\`, 1)
	f.Add("sk-012345678", strings.Repeat("sk-012345678 and sk-01234567 ", 15), 63)
	f.Add("%25%25%25%25", "%25%25%25%25%2525%2525%2525%2525", 4)
	f.Add("&amp;&amp;&amp;", "&amp;amp;&amp;&amp;&amp;&amp;", 2)
	f.Fuzz(func(t *testing.T, secret, body string, size int) {
		if len(secret) > 32 || len(body) > 600 || strings.ContainsFunc(secret, isControl) || strings.ToValidUTF8(secret, "") != secret {
			t.Skip()
		}
		secrets := []Secret{{Text: secret}, {Text: "0" + secret + "1"}, {Text: strings.Repeat("ab", 6)}}
		m := New(secrets)
		want := oracle(secrets, body)
		check := func(how, got string) {
			if got != want {
				t.Errorf("%s: secret %q, body %q:\n got %q\nwant %q", how, secret, body, got, want)
			}
		}
		for split := range len(body) + 1 {
			check("one split", through(m.Body(false), body[:split], body[split:]))
			if t.Failed() {
				return
			}
		}
		var parts []string
		for rest := body; rest != ""; {
			n := min(max(1, size%64), len(rest))
			parts, rest = append(parts, rest[:n]), rest[n:]
		}
		check("parts", through(m.Body(false), parts...))
		check("events", through(m.Body(true), parts...))
		early, got := m.Body(false), ""
		for _, part := range parts {
			got += string(early.Write([]byte(part)))
			got += string(early.Rest())
		}
		if len(got) != len(body) {
			t.Fatalf("%d bytes became %d", len(body), len(got))
		}
		for i := range len(got) {
			if got[i] != body[i] && got[i] != want[i] {
				t.Fatalf("early: secret %q, body %q became %q", secret, body, got)
			}
		}
	})
}

// Undoing escapes once more changes nothing, and no head keeps a secret.
func FuzzHeadHasNoSecretLeft(f *testing.F) {
	f.Add("abcd/efgh+ijkl", `/x?k=abcd%252Fefgh&#43;ijkl`)
	f.Add("a%41b%2541c", `a%41b%2541c a%2541b%252541c`)
	f.Fuzz(func(t *testing.T, secret, value string) {
		if len(secret) > 100 || len(value) > 600 || strings.ContainsFunc(secret, isControl) || strings.ToValidUTF8(secret, "") != secret {
			t.Skip()
		}
		text := decode(value).text
		if again := decode(string(text)).text; string(again) != string(text) {
			t.Errorf("%q is undone to %q, and that to %q", value, text, again)
		}
		undone := string(decode(secret).text)
		if len([]rune(secret)) < minHead || strings.Trim(undone, "aA1") == "" {
			t.Skip() // the mark itself
		}
		got, _ := New([]Secret{{Text: secret}}).Head(value)
		if strings.Contains(got, secret) || len(undone) >= minHead && strings.Contains(string(decode(got).text), undone) && !strings.Contains(undone, "aa") && !strings.Contains(undone, "AA") {
			t.Errorf("secret %q, value %q became %q", secret, value, got)
		}
	})
}
