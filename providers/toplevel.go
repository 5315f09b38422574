package providers

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// eachMember calls visit for each member of the object in data, before its value is read.
// visit must read or skip the value, or return false to stop.
func eachMember(data []byte, visit func(name string, d *jsontext.Decoder) (more bool, err error)) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if d.PeekKind() != '{' {
		return json.Unmarshal(data, new(Definition)) // for its error
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if more, err := visit(name.String(), d); err != nil || !more {
			return err
		}
	}
	return nil
}

// schemaVersion returns the version of a file, or 0 if it has none. It stops reading at
// the version, which is usually at the start. The Python authsome wrote and read files
// without a version, and with one in quotes.
func schemaVersion(data []byte) (version int, err error) {
	old, found := false, false
	err = eachMember(data, func(name string, d *jsontext.Decoder) (bool, error) {
		old = old || name == "auth_type" || name == "flow"
		if name != "schema_version" || d.PeekKind() == 'n' {
			return true, d.SkipValue()
		}
		found = true
		value, err := d.ReadValue()
		if err != nil {
			return false, err
		}
		var ok bool
		if version, ok = versionNumber(value); !ok {
			version = 2 // the check of its members reports this one
		}
		return false, nil
	})
	if !found && old {
		version = 1
	}
	return version, err
}

// versionNumber returns the version in a value. ok is false if it has none.
func versionNumber(value jsontext.Value) (version int, ok bool) {
	text := string(value)
	quoted := value.Kind() == '"'
	if quoted {
		text = strings.TrimSpace(strings.Trim(text, `"`))
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || n != math.Trunc(n) || math.Abs(n) > 1000 || quoted && n != 1 {
		return 0, false
	}
	return int(n), true
}

// inspected lists the members that authsome inspect adds to a definition.
var inspected = []string{"definition", "source", "connections"}

// withoutInspection returns the definition in the output of authsome inspect --json, and
// any other file as it is. In such an output members that no definition has are not
// misspelt: they are the rest of what inspect says.
func withoutInspection(data []byte) []byte {
	type member struct {
		name  string
		value jsontext.Value
	}
	var all []member
	found := 0
	err := eachMember(data, func(name string, d *jsontext.Decoder) (bool, error) {
		value, err := d.ReadValue()
		all = append(all, member{name, slices.Clone(value)})
		if slices.Contains(inspected, name) {
			found++
		}
		return true, err
	})
	if err != nil || found < len(inspected) {
		return data
	}
	version, err := schemaVersion(data)
	if err != nil {
		return data
	}
	known := members2
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out)
	write := func(err2 error) {
		if err == nil {
			err = err2
		}
	}
	write(e.WriteToken(jsontext.BeginObject))
	for _, m := range all {
		_, defined := known[m.name]
		if slices.Contains(inspected, m.name) || version == 2 && !defined && !strings.HasPrefix(m.name, "x_") {
			continue
		}
		write(e.WriteToken(jsontext.String(m.name)))
		write(e.WriteValue(m.value))
	}
	write(e.WriteToken(jsontext.EndObject))
	if err != nil {
		return data
	}
	return bytes.TrimSpace(out.Bytes())
}

// hasEmptyName reports whether display_name is there and shows nothing.
func hasEmptyName(data []byte) bool {
	empty := false
	eachMember(data, func(name string, d *jsontext.Decoder) (bool, error) {
		if name != "display_name" {
			return true, d.SkipValue()
		}
		var text string
		err := json.UnmarshalDecode(d, &text)
		empty = err == nil && isBlank(text)
		return false, err
	})
	return empty
}

// isBlank reports whether a text shows nothing.
func isBlank(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) })
}
