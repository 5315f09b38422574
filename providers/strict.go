package providers

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// checkMembers holds a file of schema 2 to the members and kinds of
// [Definition]: a misspelt member must not be silently without effect. Members
// that begin with x_ are the author's own.
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
	want, ok := expected(t)[token.Kind()]
	if !ok {
		return &FieldError{fieldName(d.StackPointer()), "a " + kindName(token.Kind()) + " does not belong here", want}
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

// expected are the kinds that a Go type is written as.
func expected(t reflect.Type) map[jsontext.Kind]string {
	switch t.Kind() {
	case reflect.Struct, reflect.Map:
		return map[jsontext.Kind]string{'{': ""}
	case reflect.Slice:
		return map[jsontext.Kind]string{'[': ""}
	case reflect.Bool:
		return map[jsontext.Kind]string{'t': "", 'f': ""}
	case reflect.Int:
		return map[jsontext.Kind]string{'0': ""}
	}
	return map[jsontext.Kind]string{'"': ""}
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
			e := &FieldError{Field: fieldName(d.StackPointer()), Reason: "there is no such member"}
			all := make([]string, 0, len(known))
			for name := range known {
				all = append(all, name)
			}
			if near := nearest(member, all); near != "" {
				e.Hint = fmt.Sprintf("is %s meant?", near)
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

// members are the JSON names of a struct's fields and their types.
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
