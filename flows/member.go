package flows

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/authsome/authsome/secret"
)

// lookup returns the member at a path such as "a.b.0". Numbers in the path are indices of
// lists. A null is not found.
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

// memberPaths returns where to look for a member: the definition's paths or, if it has
// none, the usual names. parent is the object that contains the access token. An answer
// can contain two tokens, as Slack's does, so the members in the same object as the access
// token are tried first, and if the definition has paths in that object, only those.
func memberPaths(parent string, defined []string, usual ...string) []string {
	if defined == nil {
		for _, name := range usual {
			if parent != "" {
				defined = append(defined, parent+"."+name)
			}
		}
		return append(defined, usual...)
	}
	var siblings []string
	for _, p := range defined {
		if parentOf(p) == parent {
			siblings = append(siblings, p)
		}
	}
	if siblings == nil {
		return defined
	}
	return siblings
}

// token returns the first valid token at the paths, and the path of the object that
// contains it.
func (a *answer) token(paths []string) (t secret.String, parent string) {
	for _, path := range paths {
		v, _ := lookup(a.object, path)
		if s, ok := v.(string); ok && validToken(s) {
			return secret.New(s), parentOf(path)
		}
	}
	return secret.String{}, ""
}

// validToken reports whether s can be a token (RFC 6749 appendix A.12 and A.17).
func validToken(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return s != ""
}

// text returns the first non-empty string or number at the paths.
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

// number returns the first number at the paths: 3600, 3600.0 or "3600".
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

// maxLifetime bounds a lifetime. A longer one is a mistake of units.
const maxLifetime = 100 * 365 * 24 * time.Hour

// expiryIn returns the time some seconds from now. With zero or less it is now.
func expiryIn(now time.Time, seconds float64) time.Time {
	switch {
	case seconds <= 0:
		return now
	case seconds > maxLifetime.Seconds():
		return now.Add(maxLifetime)
	}
	return now.Add(time.Duration(seconds * float64(time.Second)))
}

// expiry returns when a token expires, or zero if the answer does not say. A lifetime of
// zero or less means that the token has expired (RFC 6749 section 5.1). The definition of a
// service that means something else by it reads no lifetime.
func (a *answer) expiry(now time.Time, expiresIn, expiresAt []string) time.Time {
	if n, ok := a.number(expiresIn); ok {
		return expiryIn(now, n)
	}
	for _, path := range expiresAt {
		v, _ := lookup(a.object, path)
		if t, ok := parseTime(v); ok {
			return t
		}
	}
	return time.Time{}
}

// parseTime reads a time in RFC 3339, or in seconds or milliseconds since 1970. Until the
// year 5138, seconds are below 1e11 and milliseconds are not.
func parseTime(v any) (time.Time, bool) {
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

// scopes returns the granted scopes, from a list or from a string with spaces, commas or
// the given separator. Nil means that the answer does not say.
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
