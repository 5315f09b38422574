package providers

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Names in templates that are not params.
const (
	nameAPIKey      = "api_key"
	nameAccessToken = "access_token"
	nameCredential  = "credential" // the access token or the API key, whichever the connection has
	nameClientID    = "client_id"
	nameBaseURL     = "base_url"
	nameToken       = "token" // in a revocation URL
)

// cutName splits a template at its first {name}. Other braces are text, because JSON
// has many.
func cutName(t string) (before, name, after string, ok bool) {
	for from := 0; ; {
		open := strings.IndexByte(t[from:], '{')
		if open < 0 {
			return t, "", "", false
		}
		open += from
		end := open + 1
		for end < len(t) && (t[end] >= 'a' && t[end] <= 'z' || t[end] == '_' || t[end] >= '0' && t[end] <= '9' && end > open+1) {
			end++
		}
		if end < len(t) && t[end] == '}' && end > open+1 {
			return t[:open], t[open+1 : end], t[end+1:], true
		}
		from = open + 1
	}
}

// names returns the names in a template, in order.
func names(t string) []string {
	var all []string
	for {
		_, name, after, ok := cutName(t)
		if !ok {
			return all
		}
		all = append(all, name)
		t = after
	}
}

// fill replaces each name in a template with value(name).
func fill(t string, value func(name string) (string, error)) (string, error) {
	before, name, after, ok := cutName(t)
	if !ok {
		return t, nil
	}
	var b strings.Builder
	for ; ok; before, name, after, ok = cutName(after) {
		b.WriteString(before)
		v, err := value(name)
		if err != nil {
			return "", err
		}
		b.WriteString(v)
	}
	b.WriteString(before)
	return b.String(), nil
}

// UnfilledError reports that a connection has no value for a name in a template.
type UnfilledError struct{ Field, Name string }

func (e *UnfilledError) Error() string {
	return fmt.Sprintf("%s: the connection has no %s", e.Field, e.Name)
}

// value returns the value of {name}: that of the connection, or else the default of
// the definition.
func (d *Definition) value(values Values, name string) string {
	if v, ok := values[name]; ok && !v.IsZero() {
		return v.Reveal()
	}
	switch name {
	case nameBaseURL:
		return d.BaseURL
	case nameCredential:
		return cmp.Or(d.value(values, nameAccessToken), d.value(values, nameAPIKey))
	}
	if p := d.Param(name); p != nil {
		return p.Default
	}
	return ""
}

// Expand fills the template of a member of the definition. If a name has no value,
// the error is an [*UnfilledError]. In a URL, values are escaped, so that they cannot
// add a path segment or a parameter, and the host is checked as
// [Definition.Patterns] does.
func (d *Definition) Expand(field, template string, values Values) (string, error) {
	get := func(name string) (string, error) {
		v := d.value(values, name)
		if v == "" {
			return "", &UnfilledError{field, name}
		}
		return v, nil
	}
	if !isURL(template) {
		return fill(template, get)
	}
	start, rest, err := d.expandHost(field, template, values)
	if err != nil {
		return "", err
	}
	at := inPath
	var b strings.Builder
	b.WriteString(start)
	for {
		before, name, after, ok := cutName(rest)
		b.WriteString(before)
		if strings.Contains(before, "?") {
			at = inQuery
		}
		if !ok {
			return b.String(), nil
		}
		v, err := get(name)
		if err != nil {
			return "", err
		}
		if v, err = at.escape(name, v); err != nil {
			return "", &FieldError{field, err.Error(), ""}
		}
		b.WriteString(v)
		rest = after
	}
}

// expandHost fills the start of a URL, up to its path, and returns the template of the
// rest.
func (d *Definition) expandHost(field, template string, values Values) (start, rest string, err error) {
	if rest, ok := strings.CutPrefix(template, "{base_url}"); ok {
		base := d.value(values, nameBaseURL)
		if base == "" {
			return "", "", &UnfilledError{field, nameBaseURL}
		}
		return strings.TrimSuffix(base, "/"), rest, nil
	}
	scheme, _, _ := strings.Cut(template, "://")
	authority, rest := cutAuthority(template)
	if names(authority) == nil {
		return scheme + "://" + authority, rest, nil
	}
	h, err := d.compileHost(field, authority)
	if err != nil {
		return "", "", &FieldError{field, err.Error(), ""}
	}
	p, err := d.fillHost(h, values)
	if err != nil {
		return "", "", err
	}
	start = scheme + "://" + p.host
	if p.port != 443 {
		start += ":" + strconv.Itoa(p.port)
	}
	return start, rest, nil
}

func isURL(template string) bool {
	return strings.HasPrefix(template, "https://") || strings.HasPrefix(template, "http://") || strings.HasPrefix(template, "{base_url}")
}

// part is a part of a URL after the host.
type part int

const (
	inPath part = iota
	inQuery
)

// escape escapes a value for its part of a URL. Errors do not contain the value.
func (at part) escape(name, value string) (string, error) {
	if at == inQuery {
		return url.QueryEscape(value), nil
	}
	if value == "." || value == ".." {
		return "", fmt.Errorf("the value of %s cannot be a path segment", name)
	}
	return url.PathEscape(value), nil
}

// hasHostChars reports whether s consists of characters of a host name.
func hasHostChars(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return s != ""
}
