package providers

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// checkMembers checks that a file of schema 2 has only the members of [Definition],
// with values of the right kind. Otherwise a misspelt member would silently have no
// effect. Members that begin with x_ are the author's comments and are skipped.
func checkMembers(data []byte) error {
	d := jsontext.NewDecoder(bytes.NewReader(data))
	if err := checkValue(d, reflect.TypeFor[Definition]()); err != nil {
		if field, ok := err.(*FieldError); ok {
			return field
		}
		return parseError(err)
	}
	return nil
}

func checkValue(d *jsontext.Decoder, t reflect.Type) error {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() == reflect.Interface {
		return d.SkipValue()
	}
	token, err := d.ReadToken()
	if err != nil {
		return err
	}
	if _, kinds := expectedKind(t); !slices.Contains(kinds, token.Kind()) {
		return kindError(d.StackPointer(), t, token.Kind())
	}
	switch t.Kind() {
	case reflect.Struct:
		return checkObject(d, t)
	case reflect.Map:
		for d.PeekKind() != '}' {
			if _, err := d.ReadToken(); err != nil {
				return err
			}
			if err := checkValue(d, t.Elem()); err != nil {
				return err
			}
		}
	case reflect.Slice:
		for d.PeekKind() != ']' {
			if err := checkValue(d, t.Elem()); err != nil {
				return err
			}
		}
	default:
		return nil
	}
	_, err = d.ReadToken()
	return err
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

func checkObject(d *jsontext.Decoder, t reflect.Type) error {
	known := members(t)
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		member := name.String()
		if of, ok := known[member]; ok {
			if err := checkValue(d, of); err != nil {
				return err
			}
			continue
		}
		if !strings.HasPrefix(member, "x_") {
			e := &FieldError{Field: fieldName(d.StackPointer()), Reason: "unknown member"}
			if near := nearest(member, slices.Collect(maps.Keys(known))); near != "" {
				e.Hint = fmt.Sprintf("did you mean %s?", near)
			}
			return e
		}
		if err := d.SkipValue(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
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
