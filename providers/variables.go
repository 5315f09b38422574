package providers

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// PlaceholderMark stands in every placeholder, so that one that is on its way
// out can be recognised.
const PlaceholderMark = "authsome-proxy-managed"

// Fields that a variable can hold.
const (
	FieldAPIKey      = "api_key"
	FieldAccessToken = "access_token"
)

// Variable is an environment variable that clients of the service read.
type Variable struct {
	Name        string
	Field       string // FieldAPIKey or FieldAccessToken
	Placeholder string // what the child behind the proxy sees in it
}

// Variables are the names that hold the service's credential, in order. Names
// for refresh tokens are left out: those are nobody's to read.
func (d *Definition) Variables() []Variable {
	field := FieldAccessToken
	if d.AuthType == AuthAPIKey {
		field = FieldAPIKey
	}
	var names []string
	if d.APIKey != nil && d.APIKey.EnvVar != "" {
		names = append(names, d.APIKey.EnvVar)
	}
	if d.Export != nil {
		for _, f := range []string{FieldAPIKey, FieldAccessToken} {
			names = append(names, d.Export.Env[f]...)
		}
		for _, name := range slices.Sorted(maps.Keys(d.Export.Flat)) {
			switch d.Export.Flat[name] {
			case "API_TOKEN", "API_KEY", "ACCESS_TOKEN":
				names = append(names, name)
			}
		}
	}
	var all []Variable
	seen := make(map[string]bool)
	for _, name := range names {
		if !seen[name] {
			seen[name] = true
			all = append(all, Variable{Name: name, Field: field, Placeholder: d.placeholder()})
		}
	}
	return all
}

// literalStart is what a key pattern says every key begins with.
var literalStart = regexp.MustCompile(`^\^?((?:[A-Za-z0-9_]|-|\\\.)*(?:[-_]|\\\.))`)

// placeholder has the shape that clients check before they send anything.
func (d *Definition) placeholder() string {
	if d.APIKey == nil || d.APIKey.KeyPattern == "" {
		return PlaceholderMark
	}
	for _, candidate := range d.placeholders() {
		if d.CheckKey(candidate) == nil {
			return candidate
		}
	}
	return PlaceholderMark
}

func (d *Definition) placeholders() []string {
	start := ""
	if m := literalStart.FindStringSubmatch(d.APIKey.KeyPattern); m != nil {
		start = strings.ReplaceAll(m[1], `\.`, ".")
	}
	var all []string
	for n := range 120 {
		all = append(all, start+PlaceholderMark+strings.Repeat("0", n))
	}
	return all
}

// CheckKey validates a key that a user gave. Its errors do not repeat the key.
func (d *Definition) CheckKey(key string) error {
	if key == "" {
		return errors.New("the key is empty")
	}
	for _, r := range key {
		if r < ' ' || r == 0x7f {
			return errors.New("the key has control characters in it; it may have been copied with a line break")
		}
	}
	if d.APIKey == nil || d.APIKey.KeyPattern == "" {
		return nil
	}
	// Parse has compiled it once; a user's keys are too few to keep it.
	if regexp.MustCompile(`^(?:` + d.APIKey.KeyPattern + `)$`).MatchString(key) {
		return nil
	}
	if hint := d.APIKey.PatternHint; hint != "" {
		return errors.New("this does not look like a key of " + d.DisplayName + ": " + hint)
	}
	return errors.New("this does not look like a key of " + d.DisplayName)
}
