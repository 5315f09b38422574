package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"strings"
	"testing"
)

const key = "sk-proj-8d1f6b2C9a_4e"

// through returns what a filter makes of the parts of a body.
func through(f *Filter, parts ...string) string {
	var b strings.Builder
	for _, part := range parts {
		b.Write(f.Write([]byte(part)))
	}
	b.Write(f.Rest())
	return b.String()
}

func masked(secret, body string) string {
	return through(New([]Secret{{Text: secret}}).Body(false), body)
}

// A secret is found in the forms that encoders give it, and what is put in its place
// keeps the length and can still be decoded.
func TestMaskedBodiesStillParse(t *testing.T) {
	quoted := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	const awkward = `pa/ss+wö&rd"<\>= 1`
	basic := base64.StdEncoding.EncodeToString([]byte("user:>>>???longer"))
	for name, tt := range map[string]struct {
		secret, body string
		parses       func(string) error
	}{
		"JSON":              {key, quoted(map[string]string{"Authorization": "Bearer " + key}), isJSON},
		"JSON, Go":          {awkward, quoted(awkward), isJSON},
		"JSON, nested":      {awkward, quoted(quoted(awkward)), isJSON},
		"JSON, PHP":         {awkward, strings.ReplaceAll(quoted(awkward), "/", `\/`), isJSON},
		"JSON, upper case":  {awkward, `"pa\u002Fss\u002Bw\u00F6\u0026rd\u0022\u003C\\\u003E= 1"`, isJSON},
		"JSON, a number":    {"123456789012345", `{"id": 123456789012345}`, isJSON},
		"form":              {awkward, "key=" + url.QueryEscape(awkward) + "&x=1", isForm},
		"URL path":          {awkward, "https://example.com/" + url.PathEscape(awkward) + "/x", isForm},
		"URL, lower case":   {awkward, "key=" + strings.ToLower(url.QueryEscape(awkward)), isForm},
		"URL, twice":        {awkward, "next=" + url.QueryEscape("/x?key="+url.QueryEscape(awkward)), isForm},
		"URL, in JSON":      {awkward, quoted("/x?key=" + url.QueryEscape(awkward) + "&y"), isJSON},
		"some escaped only": {awkward, `pa%2Fss+wö&amp;rd\"<\\>%3D+1`, nil},
		"HTML":              {awkward, "<p>" + html.EscapeString(awkward) + "</p>", nil},
		"HTML, hexadecimal": {awkward, "pa&#x2F;ss&#x2b;w&#246;&amp;rd&quot;&lt;&#92;&gt;&#61;&#32;1", nil},
		"base64":            {strings.TrimRight(basic, "="), "Basic " + basic, isBasic},
		"base64 in JSON":    {strings.TrimRight(basic, "="), `"` + strings.ReplaceAll(basic, "/", `\/`) + `"`, isJSON},
		"hexadecimal":       {"0f1e2d3c4b5a", "0f1e2d3c4b5a", nil},
	} {
		got := masked(tt.secret, tt.body)
		if len(got) != len(tt.body) {
			t.Errorf("%s: %d bytes became %d", name, len(tt.body), len(got))
		}
		if got == tt.body {
			t.Errorf("%s: not masked: %s", name, got)
		}
		if tt.parses != nil {
			if err := tt.parses(got); err != nil {
				t.Errorf("%s: %s: %v", name, got, err)
			}
		}
	}
}

func isJSON(text string) error { return json.Unmarshal([]byte(text), new(any)) }

func isForm(text string) error {
	_, err := url.ParseQuery(text)
	return err
}

func isBasic(text string) error {
	_, err := base64.StdEncoding.Strict().DecodeString(strings.TrimPrefix(text, "Basic "))
	return err
}

// The mark says nothing about a single character of the secret.
func TestMarkBelongsToTheAlphabetOfTheSecret(t *testing.T) {
	for secret, want := range map[string]byte{
		"123456789012": '1', "0f1e2d3c4b5a": 'a', "sk-lower_case": 'a', "0F1E2D3C4B5A": 'A', "c2stQmFzZTY0": 'A',
	} {
		if got := masked(secret, "<"+secret+">"); got != "<"+strings.Repeat(string(want), len(secret))+">" {
			t.Errorf("%s became %s", secret, got)
		}
	}
}

// What is not a secret as a whole is not changed: bodies keep every other byte.
func TestOtherTextIsNotChanged(t *testing.T) {
	for _, body := range []string{key[1:], key[:len(key)-1], strings.ToUpper(key), key[:8] + "x" + key[8:], "", "sk-sk-proj-", strings.Repeat("s", 100)} {
		if got := masked(key, body); got != body {
			t.Errorf("%q became %q", body, got)
		}
	}
	short := New([]Secret{{Text: "elevenchars"}, {Text: "only in the head", HeadOnly: true}, {Text: "with\nlines, never sent"}, {}})
	if short.Body(false) != nil {
		t.Error("a short secret is searched in bodies")
	}
	if got, n := short.Head("x=elevenchars; only in the head"); n != 2 || strings.Contains(got, "eleven") || strings.Contains(got, "only") {
		t.Errorf("%d masked in the head: %s", n, got)
	}
	if got, n := New([]Secret{{Text: "abc"}}).Head("abc"); n != 0 || got != "abc" {
		t.Errorf("three characters in a head became %s", got)
	}
}

// In heads, a secret is found however often it is escaped, and however little of it.
func TestHeadUndoesEveryEscape(t *testing.T) {
	const secret = `ab+cd/ef==gh:ij~k"l`
	m := New([]Secret{{Text: secret, Placeholder: "PLACEHOLDER"}})
	all := strings.Builder{}
	for i := range len(secret) {
		fmt.Fprintf(&all, "%%%02x", secret[i])
	}
	u := url.QueryEscape(secret)
	jsonText, _ := json.Marshal(secret)
	for _, escaped := range []string{
		secret, u, strings.ToLower(u), url.PathEscape(secret), all.String(), url.QueryEscape(all.String()),
		url.QueryEscape(u), url.QueryEscape(url.QueryEscape(u)), strings.Replace(u, "%2F", "/", 1), strings.Replace(u, "%2B", "%25252B", 1),
		html.EscapeString(secret), html.EscapeString(u), url.QueryEscape(html.EscapeString(secret)), strings.ReplaceAll(u, "%", "&#x25;"),
		strings.Trim(string(jsonText), `"`), `\u0061b\u002Bcd\/ef==gh:ij~k\"l`, `\x61b+cd%u002fef==gh:ij~k&quot;l`, strings.Replace(secret, "a", "&#0097;", 1),
	} {
		value := "</x?key=" + escaped + `&page=2>; rel="next"`
		got, n := m.Head(value)
		if want := `</x?key=PLACEHOLDER&page=2>; rel="next"`; n != 1 || got != want {
			t.Errorf("%s: %d masked: %s", value, n, got)
		}
	}
	for _, other := range []string{"", "/x?key=ab%2Bcd", `W/"etag"`, "%zz%", `\`, "&#;", "%25252", "Mon, 02 Jan 2006 15:04:05 GMT"} {
		if got, n := m.Head(other); n != 0 || got != other {
			t.Errorf("%s became %s", other, got)
		}
	}
}

// A secret that looks like an escape itself is found too, plain and escaped.
func TestHeadFindsSecretsThatLookEscaped(t *testing.T) {
	const secret = `50%25off\/&amp;%41`
	m := New([]Secret{{Text: secret}})
	for _, value := range []string{secret, url.QueryEscape(secret), url.QueryEscape(url.QueryEscape(secret)), url.QueryEscape(url.QueryEscape(url.QueryEscape(secret))), strings.Replace(url.QueryEscape(secret), "%2F", "/", 1)} {
		if got, n := m.Head("k=" + value); n != 1 || got != "k="+strings.Repeat("a", len(value)) {
			t.Errorf("%s became %s", value, got)
		}
	}
}

// Undoing escapes takes time in proportion to the text, however deep they are nested.
func TestDeepEscapesAreUndoneAtOnce(t *testing.T) {
	m := New([]Secret{{Text: "a/very/secret"}})
	deep := "a%" + strings.Repeat("25", 1<<16) + "2Fvery/secret"
	if got, n := m.Head(deep); n != 1 || strings.Contains(got, "very") || len(got) != len(deep) {
		t.Errorf("%d masked", n)
	}
	for _, hostile := range []string{"%25", `\\`, "&amp;", "&", "%", `\u005c`} {
		m.Head(strings.Repeat(hostile, 1<<16))
	}
}

// Several secrets can overlap, and one can contain another.
func TestOverlappingSecrets(t *testing.T) {
	m := New([]Secret{{Text: "abcdefghijklmnop"}, {Text: "mnopqrstuvwxyz"}, {Text: "efghijklmnopqrst"}, {Text: "ABCDEFGHIJKL", Placeholder: "P"}})
	if got := through(m.Body(false), "-abcdefghijklm", "nopqrstuvwxyz-ABCDEFGHIJKL-"); got != "-"+strings.Repeat("a", 26)+"-"+strings.Repeat("A", 12)+"-" {
		t.Error(got)
	}
	if got, n := m.Head("-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKL-"); n != 2 || got != "-"+strings.Repeat("a", 26)+"-P-" {
		t.Errorf("%d: %s", n, got)
	}
}

// An event is passed on when it is complete, not earlier and not later.
func TestEventsPassWhenTheyAreComplete(t *testing.T) {
	m := New([]Secret{{Text: key}})
	for _, end := range []string{"\n\n", "\r\n\r\n", "\r\r", "\n\r\n"} {
		f := m.Body(true)
		for _, step := range []struct{ write, want string }{
			{"data: " + key[:10], ""},
			{key[10:], ""},
			{end[:1], ""},
			{end[1:], "data: " + strings.Repeat("A", len(key)) + end},
			{": a comment\n", ": a comment\n"}, // keeps connections open
			{"event: x\n", ""},
			{": within an event\n", ""},
			{"data: 1" + end + "data: 2" + end + "data", "event: x\n: within an event\ndata: 1" + end + "data: 2" + end},
			{": " + key + end + end, "data: " + strings.Repeat("A", len(key)) + end + end},
		} {
			if got := f.Write([]byte(step.write)); string(got) != step.want {
				t.Errorf("after %q: %q, want %q", step.write, got, step.want)
			}
			if f.Waiting() {
				t.Errorf("after %q, a part of an event is due", step.write)
			}
		}
		if rest := f.Rest(); len(rest) > 0 {
			t.Errorf("%q is left", rest)
		}
	}
}

// An event that is longer than the limit passes like another body.
func TestLongEventPassesInPieces(t *testing.T) {
	f := New([]Secret{{Text: key}}).Body(true)
	if got := f.Write(bytes.Repeat([]byte("x"), maxEvent)); len(got) > 0 || f.Waiting() {
		t.Errorf("%d bytes of an event of 64 KiB passed", len(got))
	}
	if got := f.Write([]byte("y" + key[:3])); len(got) != maxEvent+4-(len(key)-1) || !f.Waiting() {
		t.Errorf("%d bytes of a longer event passed, waiting: %v", len(got), f.Waiting())
	}
	got := string(f.Write([]byte(key[3:] + "\n\ndata: next")))
	if !strings.HasSuffix(got, "y"+strings.Repeat("A", len(key))+"\n\n") || f.Waiting() {
		t.Errorf("the end of the event is %q, waiting: %v", got, f.Waiting())
	}
}

// If a part was sent because its time was over, the rest of a secret is masked.
func TestRestOfASecretIsMasked(t *testing.T) {
	f := New([]Secret{{Text: key}}).Body(false)
	var got string
	for _, part := range []string{"x" + key[:7], key[7:] + "y"} {
		got += string(f.Write([]byte(part)))
		got += string(f.Rest())
	}
	if want := "x" + key[:7] + strings.Repeat("A", len(key)-7) + "y"; got != want || f.Masked() != 1 {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestNothingIsAllocatedForHeadsWithoutSecrets(t *testing.T) {
	m := New([]Secret{{Text: key}})
	if n := testing.AllocsPerRun(100, func() { m.Head("application/json; charset=utf-8") }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkBody(b *testing.B) {
	text := []byte(strings.Repeat(`{"id":"chatcmpl-123","object":"chat.completion","created":1677652288,"text":"a few words more"},`, 400))[:32<<10]
	f := New([]Secret{{Text: key}}).Body(false)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f.Write(text)
	}
}

func BenchmarkCompileLongToken(b *testing.B) {
	token := strings.Repeat("eyJhbGciOiJSUzI1NiIsImtpZCI6IjFiYjk2MDVj", 50)
	for b.Loop() {
		New([]Secret{{Text: token}})
	}
}
