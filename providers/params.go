package providers

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/authsome/authsome/secret"
)

// Sources of a param whose value the user is not asked for, besides other params.
const (
	FromToken    = "token"
	FromCallback = "callback"
)

// CheckValue holds a value to its param: its pattern, and no control characters.
// Errors do not repeat the value.
func (d *Definition) CheckValue(param, value string) error {
	p := d.Param(param)
	if p == nil {
		return fmt.Errorf("%s has no param %s", d.Name, param)
	}
	if value == "" {
		return fmt.Errorf("the %s is empty", p.label())
	}
	// Keys in PEM form and key files in JSON have lines; no header is made of them.
	lines := p.Secret && (strings.HasPrefix(value, "-----BEGIN ") || strings.HasPrefix(value, "{"))
	for _, r := range value {
		if (r < ' ' || r == 0x7f) && !(lines && (r == '\n' || r == '\r' || r == '\t')) {
			return fmt.Errorf("the %s has control characters in it; it may have been copied with a line break", p.label())
		}
	}
	if p.Pattern == "" {
		return nil
	}
	shape, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
	if err != nil {
		return fmt.Errorf("pattern of %s: not a regular expression", param)
	}
	if shape.MatchString(value) {
		return nil
	}
	reason := fmt.Sprintf("this does not look like the %s of %s", p.label(), d.DisplayName)
	if p.Hint != "" {
		reason += ": " + p.Hint
	}
	return errors.New(reason)
}

func (p *Param) label() string {
	switch {
	case p.Label != "":
		return p.Label
	case p.Name == nameAPIKey:
		return "key"
	}
	return p.Name
}

// asked reports whether the user gives the value.
func (p *Param) asked() bool { return p.From == "" }

// Extract takes the param's value from the text that it comes from: what match
// finds in it, or all of it. Errors do not repeat the text.
func (p *Param) Extract(text string) (string, error) {
	if p.Match == "" {
		return text, nil
	}
	expr, err := regexp.Compile(p.Match)
	if err != nil {
		return "", fmt.Errorf("match of %s: not a regular expression", p.Name)
	}
	m := expr.FindStringSubmatch(text)
	if len(m) < 2 || m[1] == "" {
		return "", fmt.Errorf("%s is not in what it is taken from", p.Name)
	}
	return m[1], nil
}

// Derive adds the params that are taken from others. Those that are there
// already stay.
func (d *Definition) Derive(values Values) error {
	for i := range d.Params {
		p := &d.Params[i]
		if p.asked() || p.From == FromToken || p.From == FromCallback || !values[p.Name].IsZero() {
			continue
		}
		from := d.value(values, p.From)
		if from == "" {
			continue // it will be missed where it is used
		}
		v, err := p.derive(from)
		if err != nil {
			if p.Optional {
				continue
			}
			return &FieldError{Field: p.Name, Reason: err.Error()}
		}
		values[p.Name] = secret.New(v)
	}
	return nil
}

func (p *Param) derive(from string) (string, error) {
	if p.Path != "" {
		var document any
		if err := json.Unmarshal([]byte(from), &document); err != nil {
			return "", fmt.Errorf("the %s is not JSON", p.From)
		}
		var ok bool
		if from, ok = Member(document, p.Path); !ok {
			return "", fmt.Errorf("the %s has no member %s", p.From, p.Path)
		}
	}
	return p.Extract(from)
}

// Member is the text at a place in a JSON document: names with dots between
// them. Numbers and truth values are written as JSON does.
func Member(document any, path string) (string, bool) {
	for name := range strings.SplitSeq(path, ".") {
		object, ok := document.(map[string]any)
		if !ok {
			return "", false
		}
		document = object[name]
	}
	switch v := document.(type) {
	case string:
		return v, v != ""
	case float64, bool, json.Number:
		text, err := json.Marshal(v)
		return string(text), err == nil
	}
	return "", false
}
