package providers

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// PlaceholderMark is part of every placeholder, so that the proxy recognises a
// placeholder in a request.
const PlaceholderMark = "authsome-proxy-managed"

// Marks for clients that check the characters of a key: Vercel's tool accepts
// letters, digits and underscores, Supabase's accepts 40 hexadecimal digits.
const (
	wordMark = "authsome_proxy_managed"
	hexMark  = "61757468736f6d652d70726f78792d6d616e6167" // first 20 bytes of the mark
)

// marks maps the names in the template of a placeholder to the marks.
var marks = map[string]string{"mark": PlaceholderMark, "mark_word": wordMark, "mark_hex": hexMark}

var markNames = slices.Sorted(maps.Keys(marks))

// HasPlaceholder reports whether s contains a placeholder. It does not allocate.
func HasPlaceholder(s string) bool {
	if len(s) < len(PlaceholderMark) { // most headers
		return false
	}
	return strings.Contains(s, PlaceholderMark) || strings.Contains(s, wordMark) || strings.Contains(s, hexMark)
}

// Variable is an environment variable that clients of the service read.
type Variable struct {
	Name  string
	Value string // template

	// Field is the param, or access_token, if the variable contains nothing else.
	// Otherwise it is empty.
	Field string

	// Secret is true if the command that authsome runs gets Placeholder instead of
	// the value. Placeholder is a template that can name params that are not secret.
	Secret      bool
	Placeholder string

	// Unset is true if the command does not get the variable. A variable without a
	// template has a credential that is not one of the definition's values.
	Unset bool
}

// Variables returns the variables of the service's clients, in the order of the
// definition.
func (d *Definition) Variables() []Variable {
	all := make([]Variable, 0, len(d.Env))
	for _, e := range d.Env {
		v := Variable{Name: e.Name, Value: e.Value, Unset: e.Unset}
		in := names(e.Value)
		if len(in) == 1 && e.Value == "{"+in[0]+"}" {
			v.Field = in[0]
		}
		v.Secret = slices.ContainsFunc(in, d.secret) || e.Value == ""
		if v.Secret && e.Value != "" {
			v.Placeholder = d.placeholder(e)
		}
		all = append(all, v)
	}
	return all
}

// Environment returns the variables for a command that authsome runs: values of a
// connection, and placeholders instead of its secrets. Of a secret in values only
// its presence matters. A variable is left out if the connection has no value for
// it, or if commands do not get it.
func (d *Definition) Environment(values Values) map[string]string {
	env := make(map[string]string)
	for _, v := range d.Variables() {
		if text, ok := d.Public(v, values); ok && !v.Unset {
			env[v.Name] = text
		}
	}
	return env
}

// Public returns what a program may know of the value of a variable: the value, or a
// placeholder if the value contains a secret. It reports false if the connection has no
// value for it.
func (d *Definition) Public(v Variable, values Values) (text string, ok bool) {
	absent := func(name string) bool {
		p := d.Param(name)
		return p != nil && p.Optional && d.value(values, name) == ""
	}
	template := v.Value
	if v.Secret {
		template = v.Placeholder
	}
	if v.Value == "" || slices.ContainsFunc(names(v.Value), absent) {
		return "", false
	}
	text, err := fill(template, func(name string) (string, error) {
		value := d.value(values, name)
		if value == "" || d.secret(name) {
			return "", &UnfilledError{v.Name, name}
		}
		return value, nil
	})
	return text, err == nil
}

// placeholder returns the template of the placeholder for a variable.
func (d *Definition) placeholder(e Env) string {
	template := e.Placeholder
	if template == "" {
		// The value, with a placeholder for each secret in it.
		text, _ := fill(e.Value, func(name string) (string, error) {
			if !d.secret(name) {
				return "{" + name + "}", nil
			}
			return d.placeholderFor(name), nil
		})
		return text
	}
	text, _ := fill(template, func(name string) (string, error) {
		if mark := marks[name]; mark != "" {
			return mark, nil
		}
		return "{" + name + "}", nil
	})
	return text
}

// literalStart finds the literal text at the start of a pattern.
var literalStart = regexp.MustCompile(`^\^?((?:[A-Za-z0-9_]|-|\\\.)*(?:[-_]|\\\.))`)

// placeholderFor returns a placeholder for a param. It matches the param's pattern if
// a simple one does, because clients check the shape of a key before they send it.
func (d *Definition) placeholderFor(name string) string {
	p := d.Param(name)
	if p == nil || p.Pattern == "" {
		return PlaceholderMark
	}
	start := ""
	if m := literalStart.FindStringSubmatch(p.Pattern); m != nil {
		start = strings.ReplaceAll(m[1], `\.`, ".")
	}
	expr, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
	if err != nil {
		return PlaceholderMark
	}
	for n := range 120 {
		candidate := start + PlaceholderMark + strings.Repeat("0", n)
		if expr.MatchString(candidate) {
			return candidate
		}
	}
	return PlaceholderMark
}
