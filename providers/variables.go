package providers

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// PlaceholderMark stands in placeholders, so that one that is on its way out can
// be recognised.
const PlaceholderMark = "authsome-proxy-managed"

// The mark for clients that look at the characters: Vercel's tool takes letters,
// digits and underscores, Supabase's 40 hexadecimal digits.
const (
	wordMark = "authsome_proxy_managed"
	hexMark  = "61757468736f6d652d70726f78792d6d616e6167" // of the mark's first 20 bytes
)

// marks are what stands for them in the template of a placeholder.
var marks = map[string]string{"mark": PlaceholderMark, "mark_word": wordMark, "mark_hex": hexMark}

var markNames = slices.Sorted(maps.Keys(marks))

// HasPlaceholder reports whether a placeholder is in s. It does not allocate.
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

	// Field is the param, or access_token, that the variable holds and nothing
	// else; empty for a text around one.
	Field string

	// Secret says that the command behind the proxy finds Placeholder in it, and
	// not the value. Placeholder may name params that are no secrets.
	Secret      bool
	Placeholder string
}

// Variables are the variables of the service's clients, in order.
func (d *Definition) Variables() []Variable {
	all := make([]Variable, 0, len(d.Env))
	for _, e := range d.Env {
		v := Variable{Name: e.Name, Value: e.Value}
		in := names(e.Value)
		if len(in) == 1 && e.Value == "{"+in[0]+"}" {
			v.Field = in[0]
		}
		v.Secret = slices.ContainsFunc(in, d.secret)
		if v.Secret {
			v.Placeholder = d.placeholder(e)
		}
		all = append(all, v)
	}
	return all
}

// Environment is what the command behind the proxy finds in the variables: the
// values of a connection, and placeholders for its secrets, which are only looked
// at for being there. A variable that needs a value which the connection does not
// have is left out.
func (d *Definition) Environment(values Values) map[string]string {
	env := make(map[string]string)
	absent := func(name string) bool {
		p := d.Param(name)
		return p != nil && p.Optional && d.value(values, name) == ""
	}
	for _, v := range d.Variables() {
		template := v.Value
		if v.Secret {
			template = v.Placeholder
		}
		if slices.ContainsFunc(names(v.Value), absent) {
			continue
		}
		text, err := fill(template, func(name string) (string, error) {
			value := d.value(values, name)
			if value == "" || d.secret(name) {
				return "", &UnfilledError{v.Name, name}
			}
			return value, nil
		})
		if err == nil {
			env[v.Name] = text
		}
	}
	return env
}

// placeholder is what stands in a variable in place of a secret.
func (d *Definition) placeholder(e Env) string {
	template := e.Placeholder
	if template == "" {
		// The value, with each secret in the shape that it has.
		text, _ := fill(e.Value, func(name string) (string, error) {
			if !d.secret(name) {
				return "{" + name + "}", nil
			}
			return d.shaped(name), nil
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

// literalStart is what a pattern says every value begins with.
var literalStart = regexp.MustCompile(`^\^?((?:[A-Za-z0-9_]|-|\\\.)*(?:[-_]|\\\.))`)

// shaped is a placeholder for a param that its pattern accepts, where one of the
// simple kind does: clients check the shape before they send anything.
func (d *Definition) shaped(name string) string {
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
