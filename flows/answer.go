package flows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/authsome/authsome/secret"
)

// answer is what an endpoint said, as a JSON object. Numbers keep their digits.
type answer struct {
	status int
	header http.Header
	object map[string]any
}

// parseObject reads a JSON object. A form, which some endpoints answer with, is
// an object of texts.
func parseObject(contentType string, body []byte) (map[string]any, error) {
	var object map[string]any
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	err := d.Decode(&object)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows")
		}
	}
	if err == nil && object != nil {
		return object, nil
	}
	if kind, _, err := mime.ParseMediaType(contentType); err == nil && kind == "application/x-www-form-urlencoded" {
		if form, err := url.ParseQuery(string(body)); err == nil && len(form) > 0 {
			object = make(map[string]any, len(form))
			for name := range form {
				object[name] = form.Get(name)
			}
			return object, nil
		}
	}
	return nil, errors.New("the answer is not a JSON object")
}

// answer reads a reply. The body is read before the status: an error that the
// server explains is known by its explanation, also with status 200.
func (c *Config) answer(r *reply, hidden []string) (*answer, error) {
	object, err := parseObject(r.header.Get("Content-Type"), r.body)
	a := &answer{r.status, r.header, object}
	code, description := a.complaint()
	failed := code != "" || r.status/100 != 2 || c.errorWhen(object)
	switch {
	case failed:
		return nil, &TokenError{
			Kind:        classify(r.status, code, err == nil),
			Code:        errorCode(without(code, hidden)),
			Description: printable(without(description, hidden), maxDescription),
			Status:      r.status,
			RetryAfter:  max(retryAfter(r.header, c.now()), a.interval(0)),
		}
	case err != nil:
		return nil, &TokenError{Kind: Protocol, Status: r.status, Err: err}
	}
	return a, nil
}

// complaint is the error in an answer: RFC 6749 section 5.2, or an object in the
// place of the code, as some APIs have it.
func (a *answer) complaint() (code, description string) {
	switch e := a.object["error"].(type) {
	case string:
		code = e
	case json.Number, bool, nil:
	case map[string]any:
		for _, name := range []string{"code", "type", "status"} {
			if s, ok := e[name].(string); ok && code == "" {
				code = s
			}
		}
		description, _ = e["message"].(string)
		if code == "" {
			code = "error"
		}
	default:
		code = "error"
	}
	for _, name := range []string{"error_description", "error_message", "message"} {
		if s, ok := a.object[name].(string); ok && description == "" {
			description = s
		}
	}
	return code, description
}

// errorWhen reports whether a definition's mark of a failed answer is there.
func (c *Config) errorWhen(object map[string]any) bool {
	r := c.Definition.OAuth.Response
	if r == nil || len(r.ErrorWhen) == 0 {
		return false
	}
	for path, want := range r.ErrorWhen {
		got, ok := lookup(object, path)
		if !ok || !reflect.DeepEqual(plain(got), plain(want)) {
			return false
		}
	}
	return true
}

// plain gives numbers one type.
func plain(v any) any {
	switch n := v.(type) {
	case json.Number:
		if f, err := n.Float64(); err == nil {
			return f
		}
	case int:
		return float64(n)
	case int64:
		return float64(n)
	}
	return v
}

// without takes what was sent as a secret out of a server's text.
func without(s string, hidden []string) string {
	for _, h := range hidden {
		if h == "" {
			continue
		}
		for _, spelling := range []string{h, url.QueryEscape(h), url.PathEscape(h)} {
			s = strings.ReplaceAll(s, spelling, secret.Redacted)
		}
	}
	return s
}

// lookup walks through objects, and lists by index, with dots between levels.
func lookup(object map[string]any, path string) (any, bool) {
	var v any = object
	for name := range strings.SplitSeq(path, ".") {
		switch level := v.(type) {
		case map[string]any:
			next, ok := level[name]
			if !ok {
				return nil, false
			}
			v = next
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(level) {
				return nil, false
			}
			v = level[i]
		default:
			return nil, false
		}
	}
	return v, v != nil
}

func parentOf(path string) string {
	i := strings.LastIndexByte(path, '.')
	return path[:max(i, 0)]
}

// places are where to look for a member: those of the definition, or those that
// are usual. An answer can hold two tokens, as Slack's does; what stands beside
// the access token belongs to it, and then the other's is not looked at.
func places(beside string, defined []string, usual ...string) []string {
	if defined == nil {
		for _, name := range usual {
			if beside != "" {
				defined = append(defined, beside+"."+name)
			}
		}
		return append(defined, usual...)
	}
	var own []string
	for _, p := range defined {
		if parentOf(p) == beside {
			own = append(own, p)
		}
	}
	if own == nil {
		return defined
	}
	return own
}

// token is the first token at the places, and the object it stands in.
func (a *answer) token(paths []string) (t secret.String, parent string) {
	for _, path := range paths {
		v, _ := lookup(a.object, path)
		if s, ok := v.(string); ok && validToken(s) {
			return secret.New(s), parentOf(path)
		}
	}
	return secret.String{}, ""
}

// validToken reports whether s can be a token: RFC 6749 appendix A.12 and A.17.
func validToken(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s != ""
}

// text is the first text or number at the places.
func (a *answer) text(paths []string) string {
	for _, path := range paths {
		v, _ := lookup(a.object, path)
		switch v := v.(type) {
		case string:
			if v != "" {
				return v
			}
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// number is the first number at the places: 3600, 3600.0 or "3600".
func (a *answer) number(paths []string) (float64, bool) {
	for _, path := range paths {
		v, _ := lookup(a.object, path)
		if n, ok := number(v); ok {
			return n, true
		}
	}
	return 0, false
}

func number(v any) (float64, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = strings.TrimSpace(v)
	default:
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
}

// longest bounds a lifetime: what is longer is a mistake of units.
const longest = 100 * 365 * 24 * time.Hour

// in is a time some seconds from now. No lifetime at all says nothing: a token
// that is dead on arrival would be refreshed with every request.
func in(now time.Time, seconds float64) time.Time {
	switch {
	case seconds <= 0:
		return time.Time{}
	case seconds > longest.Seconds():
		return now.Add(longest)
	}
	return now.Add(time.Duration(seconds * float64(time.Second)))
}

// expiry is what an answer says about the end of a token; zero if nothing.
func (a *answer) expiry(now time.Time, expiresIn, expiresAt []string) time.Time {
	if n, ok := a.number(expiresIn); ok {
		if t := in(now, n); !t.IsZero() {
			return t
		}
	}
	for _, path := range expiresAt {
		v, _ := lookup(a.object, path)
		if t, ok := instant(v); ok {
			return t
		}
	}
	return time.Time{}
}

// instant reads a time: RFC 3339, or seconds or milliseconds since 1970, which
// their size tells apart until the year 5138.
func instant(v any) (time.Time, bool) {
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339, strings.TrimSpace(s)); err == nil {
			return t.UTC(), true
		}
	}
	n, ok := number(v)
	if !ok || n <= 0 || n > 1e14 {
		return time.Time{}, false
	}
	if n >= 1e11 {
		return time.UnixMilli(int64(n)).UTC(), true
	}
	return time.UnixMilli(int64(n * 1000)).UTC(), true
}

// scopes are the granted ones: a text in any of the ways to separate them, or a
// list. Nil means that the answer did not say.
func (a *answer) scopes(paths []string, separator string) []string {
	for _, path := range paths {
		v, _ := lookup(a.object, path)
		var found []string
		switch v := v.(type) {
		case string:
			found = strings.FieldsFunc(v, func(r rune) bool { return r == ',' || unicode.IsSpace(r) || strings.ContainsRune(separator, r) })
		case []any:
			for _, item := range v {
				found = append(found, strings.Fields(fmt.Sprint(item))...)
			}
		default:
			continue
		}
		scopes := make([]string, 0, len(found))
		for _, s := range found {
			if s = printable(s, maxDescription); s != "" {
				scopes = append(scopes, s)
			}
		}
		if len(scopes) > 0 {
			return scopes
		}
	}
	return nil
}
