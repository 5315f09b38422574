package providers

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// members2 are the members of a definition of schema 2, with their types.
var members2 = members(reflect.TypeFor[Definition]())

// checkMembers checks that a file of schema 2 has only the members of [Definition],
// with values of the right kind. Otherwise a misspelt member would silently have no
// effect. Members that begin with x_ are the author's comments and are skipped. It
// returns the text with an empty value in place of each wrong one, so that the rest can
// be checked. The error is about the syntax of the text.
func checkMembers(data []byte, f *faults) ([]byte, error) {
	c := &memberCheck{d: jsontext.NewDecoder(bytes.NewReader(data)), faults: f}
	if err := c.value(reflect.TypeFor[Definition]()); err != nil {
		return nil, err
	}
	return c.corrected(data), nil
}

// memberCheck checks the members of one file.
type memberCheck struct {
	d      *jsontext.Decoder
	faults *faults
	wrong  []wrongValue
}

// wrongValue is a part of a text, and what replaces it.
type wrongValue struct {
	from, to int64
	empty    string
}

func (c *memberCheck) value(t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Interface {
		return c.d.SkipValue()
	}
	kind := c.d.PeekKind()
	_, kinds := expectedKind(t)
	switch {
	case kind == 0:
		_, err := c.d.ReadToken() // for its error
		return err
	case !slices.Contains(kinds, kind):
		return c.replace(t)
	case t.Kind() == reflect.Int:
		return c.number(t)
	}
	if _, err := c.d.ReadToken(); err != nil {
		return err
	}
	switch t.Kind() {
	case reflect.Struct:
		return c.object(t)
	case reflect.Map:
		for c.d.PeekKind() != '}' {
			if _, err := c.d.ReadToken(); err != nil {
				return err
			}
			if err := c.value(t.Elem()); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for c.d.PeekKind() != ']' {
			if err := c.value(t.Elem()); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err := c.d.ReadToken()
	return err
}

// replace reports a value that is not of the type, and puts an empty one in its place.
func (c *memberCheck) replace(t reflect.Type) error {
	kind := c.d.PeekKind()
	value, err := c.d.ReadValue()
	if err != nil {
		return err
	}
	c.faults.addError(kindError(c.d.StackPointer(), t, kind))
	_, kinds := expectedKind(t)
	empty := map[jsontext.Kind]string{'{': "{}", '[': "[]", '0': "0", 't': "false", '"': `""`}[kinds[0]]
	end := c.d.InputOffset()
	c.wrong = append(c.wrong, wrongValue{end - int64(len(value)), end, empty})
	return nil
}

// number is value for a whole number.
func (c *memberCheck) number(t reflect.Type) error {
	value, err := c.d.ReadValue()
	if err != nil {
		return err
	}
	if _, err := strconv.Atoi(string(value)); err != nil {
		c.faults.addError(kindError(c.d.StackPointer(), t, '0'))
		end := c.d.InputOffset()
		c.wrong = append(c.wrong, wrongValue{end - int64(len(value)), end, "0"})
	}
	return nil
}

// corrected returns the text with what replaces the wrong values.
func (c *memberCheck) corrected(data []byte) []byte {
	if c.wrong == nil {
		return data
	}
	var b bytes.Buffer
	at := int64(0)
	for _, w := range c.wrong {
		b.Write(data[at:w.from])
		b.WriteString(w.empty)
		at = w.to
	}
	b.Write(data[at:])
	return b.Bytes()
}

// expectedKind returns the JSON kinds that a Go type is written as, and their name
// in an error.
func expectedKind(t reflect.Type) (name string, kinds []jsontext.Kind) {
	if t == reflect.TypeFor[list1]() {
		return "text or a list", []jsontext.Kind{'"', '['}
	}
	if t == nil {
		return "a value of another kind", nil
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return "an object", []jsontext.Kind{'{'}
	case reflect.Slice:
		return "a list", []jsontext.Kind{'['}
	case reflect.Bool:
		return "true or false", []jsontext.Kind{'t', 'f'}
	case reflect.Int:
		return "a whole number", []jsontext.Kind{'0'}
	case reflect.Pointer:
		return expectedKind(t.Elem())
	}
	return "text", []jsontext.Kind{'"'}
}

func (c *memberCheck) object(t reflect.Type) error {
	known := members(t)
	for c.d.PeekKind() != '}' {
		name, err := c.d.ReadToken()
		if err != nil {
			return err
		}
		member := name.String()
		if of, ok := known[member]; ok {
			if err := c.value(of); err != nil {
				return err
			}
			continue
		}
		if !strings.HasPrefix(member, "x_") {
			field, hint := fieldName(c.d.StackPointer()), ""
			if near := nearest(member, slices.Collect(maps.Keys(known))); near != "" {
				hint = fmt.Sprintf("did you mean %s?", near)
				c.faults.meant = append(c.faults.meant, strings.TrimSuffix(field, member)+near)
			}
			c.faults.add(field, "unknown member", hint)
		}
		if err := c.d.SkipValue(); err != nil {
			return err
		}
	}
	_, err := c.d.ReadToken()
	return err
}

// members returns the JSON names of a struct's fields with their types.
func members(t reflect.Type) map[string]reflect.Type {
	all := make(map[string]reflect.Type)
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			all[name] = f.Type
		}
	}
	return all
}
