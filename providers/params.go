package providers

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/authsome/authsome/secret"
)

// Values of [Param.From] that do not name another param.
const (
	FromToken    = "token"
	FromCallback = "callback"
)

// CheckValue checks a value of a param: it must match the param's pattern and have no
// control characters. Errors do not contain the value.
func (d *Definition) CheckValue(param, value string) error {
	p := d.Param(param)
	if p == nil {
		return fmt.Errorf("%s has no param %s", d.Name, param)
	}
	if value == "" {
		return fmt.Errorf("the %s is empty", p.label())
	}
	// Keys in PEM form and key files in JSON have several lines. They never go into a header.
	lines := p.Secret && keyFile(value)
	for _, r := range value {
		if (r < ' ' || r == 0x7f) && !(lines && (r == '\n' || r == '\r' || r == '\t')) {
			return fmt.Errorf("the %s contains control characters; it may have been copied with a line break", p.label())
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
	reason := fmt.Sprintf("this does not look like the %s for %s", p.label(), d.DisplayName)
	if p.Hint != "" {
		reason += ": " + p.Hint
	}
	return errors.New(reason)
}

// label returns the name of the param in an error.
func (p *Param) label() string {
	switch {
	case p.Label != "":
		return p.Label
	case p.Name == nameAPIKey:
		return "key"
	}
	return p.Name
}

// asked reports whether the user is asked for the value.
func (p *Param) asked() bool { return p.From == "" }

// Extract returns the param's value from the text of its source: the first group of
// match, or the whole text if the param has no match. Errors do not contain the text.
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
		return "", fmt.Errorf("the %s contains no %s", p.From, p.Name)
	}
	return m[1], nil
}

// Derive adds the values of params that are taken from other params. It does not
// replace values that exist.
func (d *Definition) Derive(values Values) error {
	for i := range d.Params {
		p := &d.Params[i]
		if p.asked() || p.From == FromToken || p.From == FromCallback || !values[p.Name].IsZero() {
			continue
		}
		from := d.value(values, p.From)
		if from == "" {
			continue // an error is returned where the value is needed
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

// Member returns the value at a path in a decoded JSON document as text. A path is
// names with dots between them. Numbers and booleans are returned as JSON.
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
