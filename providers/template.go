package providers

import (
	"fmt"
	"net/url"
	"strings"
)

// Names that templates know besides the params.
const (
	nameAPIKey      = "api_key"
	nameAccessToken = "access_token"
	nameClientID    = "client_id"
	nameBaseURL     = "base_url"
	nameMark        = "mark"  // in a placeholder
	nameToken       = "token" // in a revocation URL
)

// cutName splits a template at its first {name}. Braces around anything that is
// no name are text: JSON has many.
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

// names are the names in a template, in order.
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

// fill puts value(name) in place of each name.
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

// UnfilledError says that a template names what a connection does not have.
type UnfilledError struct{ Field, Name string }

func (e *UnfilledError) Error() string {
	return fmt.Sprintf("%s: the connection has no %s", e.Field, e.Name)
}

// value is what stands for {name}: the connection's value, or else the
// definition's default.
func (d *Definition) value(values Values, name string) string {
	if v, ok := values[name]; ok && !v.IsZero() {
		return v.Reveal()
	}
	if name == nameBaseURL {
		return d.BaseURL
	}
	if p := d.Param(name); p != nil {
		return p.Default
	}
	return ""
}

// Expand fills a template, whose place in the definition is field. A name that
// has no value is an [*UnfilledError]. In a URL, what is filled in stays in its
// place: a value cannot begin another path segment, parameter or host.
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
	at, rest := inHost, template
	var b strings.Builder
	for {
		before, name, after, ok := cutName(rest)
		b.WriteString(before)
		at = at.after(before)
		if !ok {
			return b.String(), nil
		}
		v, err := get(name)
		if err != nil {
			return "", err
		}
		if v, err = at.place(name, v); err != nil {
			return "", &FieldError{field, err.Error(), ""}
		}
		if name == nameBaseURL {
			at = inPath
		}
		b.WriteString(v)
		rest = after
	}
}

func isURL(template string) bool {
	return strings.HasPrefix(template, "https://") || strings.HasPrefix(template, "http://") || strings.HasPrefix(template, "{base_url}")
}

// part is a part of a URL.
type part int

const (
	inHost part = iota
	inPath
	inQuery
)

// after is the part that a literal text ends in.
func (at part) after(text string) part {
	if at == inHost {
		_, text, _ = strings.Cut(text, "://")
		if strings.Contains(text, "/") {
			at = inPath
		}
	}
	if strings.Contains(text, "?") {
		at = inQuery
	}
	return at
}

// place makes a value fit for its part of a URL. Errors do not repeat it.
func (at part) place(name, value string) (string, error) {
	switch {
	case name == nameBaseURL:
		return strings.TrimSuffix(value, "/"), nil
	case at == inHost:
		if !hostText(value) {
			return "", fmt.Errorf("the value of %s is no part of a host name", name)
		}
		return value, nil
	case at == inPath:
		if value == "." || value == ".." {
			return "", fmt.Errorf("the value of %s is no path segment", name)
		}
		return url.PathEscape(value), nil
	default:
		return url.QueryEscape(value), nil
	}
}

// hostText reports whether s can stand in a host name.
func hostText(s string) bool {
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return s != ""
}
