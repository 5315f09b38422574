package providers

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
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

// plainText returns the definition in a file as it is stored. A file that is a plain
// definition stays as it is, byte for byte.
func plainText(data []byte) []byte {
	plain := withoutInspection(plainJSON(data))
	if bytes.Equal(plain, data) {
		return data
	}
	text := jsontext.Value(bytes.Clone(plain))
	if text.Indent(jsontext.WithIndent("  ")) != nil {
		return plain // the decoder says what is wrong with it
	}
	return append(text, '\n')
}

// inspected lists the members that authsome inspect adds to every definition.
var inspected = []string{"definition", "source", "connections"}

// inspected2 and inspectedOAuth2 list the other members that it adds to a definition of
// schema 2, and to its oauth: those of the Python authsome that schema 2 does not have.
var (
	inspected2      = []string{"aliases", "auth_type", "flow", "api_key", "export", "host_url"}
	inspectedOAuth2 = []string{"revocation_url", "supports_device_flow", "supports_dcr", "registration_endpoint", "base_url"}
)

// Inspection returns the content of the definition's file with what authsome inspect adds:
// "definition", which is the file once more, and what the object rest has in addition, also
// inside the member oauth. Rest must have source and connections. [Parse] leaves all of it
// out.
func (d *Definition) Inspection(rest []byte) ([]byte, error) {
	own, err := readMembers(d.text)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", d.Name, err)
	}
	own = slices.DeleteFunc(own, func(m member) bool { return slices.Contains(inspected, m.name) })
	added, err := readMembers(rest)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", d.Name, err)
	}
	all, err := withMembers(append(own, member{inspected[0], d.text}), added)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", d.Name, err)
	}
	text, err := writeMembers(all)
	if err != nil {
		return nil, fmt.Errorf("inspect %s: %w", d.Name, err)
	}
	return text, nil
}

// withMembers adds members to those of an object that has others of the same name. Of
// oauth, it adds the members inside.
func withMembers(all, added []member) ([]member, error) {
	for _, m := range added {
		i := slices.IndexFunc(all, func(o member) bool { return o.name == m.name })
		switch {
		case i < 0:
			all = append(all, m)
		case m.name == "oauth" && m.value.Kind() == '{' && all[i].value.Kind() == '{':
			inner, err := readMembers(all[i].value)
			if err != nil {
				return nil, err
			}
			more, err := readMembers(m.value)
			if err != nil {
				return nil, err
			}
			if inner, err = withMembers(inner, more); err != nil {
				return nil, err
			}
			if all[i].value, err = writeMembers(inner); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// withoutInspection returns the definition in the output of authsome inspect --json, and
// any other file as it is. It removes only what inspect is known to add, so that a member
// that somebody misspelt in the output is still found.
func withoutInspection(data []byte) []byte {
	all, err := readMembers(data)
	if err != nil || !slices.ContainsFunc(all, func(m member) bool { return slices.Contains(inspected, m.name) }) {
		return data
	}
	added := 0
	own := slices.DeleteFunc(slices.Clone(all), func(m member) bool {
		if slices.Contains(inspected, m.name) {
			added++
			return true
		}
		return false
	})
	version, err := schemaVersion(data)
	if version == 2 {
		own = definedMembers(own, members2, inspected2)
	}
	if err != nil || added < len(inspected) {
		return data
	}
	if text, err := writeMembers(own); err == nil {
		return text
	}
	return data
}

// definedMembers returns the members that a definition has, of those that inspect prints:
// not the members with the names or the kinds that the Python authsome printed, and not those
// that are empty because the definition does not have them.
func definedMembers(all []member, known map[string]reflect.Type, printed []string) []member {
	var own []member
	for _, m := range all {
		t, defined := known[m.name]
		switch kind := m.value.Kind(); {
		case slices.Contains(printed, m.name), m.name == "pkce" && (kind == 't' || kind == 'f'):
			continue
		case defined && slices.Contains([]string{"null", "{}", "[]", `""`}, string(m.value)):
			continue
		case t == reflect.TypeFor[*OAuth]():
			if inner, err := readMembers(m.value); err == nil {
				if text, err := writeMembers(definedMembers(inner, members(reflect.TypeFor[OAuth]()), inspectedOAuth2)); err == nil {
					m.value = text
				}
			}
		}
		own = append(own, m)
	}
	return own
}

// member is a member of an object.
type member struct {
	name  string
	value jsontext.Value
}

// readMembers returns the members of the object in data, in their order.
func readMembers(data []byte) ([]member, error) {
	var all []member
	err := eachMember(data, func(name string, d *jsontext.Decoder) (bool, error) {
		value, err := d.ReadValue()
		all = append(all, member{name, slices.Clone(value)})
		return true, err
	})
	return all, err
}

// writeMembers returns an object in standard indentation.
func writeMembers(all []member) ([]byte, error) {
	var out bytes.Buffer
	e := jsontext.NewEncoder(&out, jsontext.WithIndent("  "))
	err := e.WriteToken(jsontext.BeginObject)
	for _, m := range all {
		if err == nil {
			err = e.WriteToken(jsontext.String(m.name))
		}
		if err == nil {
			err = e.WriteValue(m.value)
		}
	}
	if err == nil {
		err = e.WriteToken(jsontext.EndObject)
	}
	return out.Bytes(), err
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
