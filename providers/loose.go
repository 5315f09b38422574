package providers

import (
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The types in this file read JSON as the Python authsome did, or more loosely.

// list1 is a string or a list of strings.
type list1 []string

func (l *list1) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() == '"' {
		var one string
		err := json.UnmarshalDecode(d, &one)
		*l = list1{one}
		return err
	}
	return json.UnmarshalDecode(d, (*[]string)(l))
}

// text1 is a text for people, on one line. A value of another kind is ignored.
type text1 string

func (t *text1) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '"' {
		return d.SkipValue()
	}
	err := json.UnmarshalDecode(d, (*string)(t))
	*t = text1(strings.Join(strings.FieldsFunc(string(*t), isUnsafe), " "))
	*t = text1(strings.TrimSpace(string(*t)))
	return err
}

// bool1 is a truth value, which can be a word or a number.
type bool1 bool

func (b *bool1) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	kind := d.PeekKind()
	if kind != '"' && kind != '0' {
		return json.UnmarshalDecode(d, (*bool)(b))
	}
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	word := strings.ToLower(strings.Trim(string(value), `"`))
	switch {
	case slices.Contains([]string{"true", "1", "yes", "y", "on", "t"}, word):
		*b = true
	case slices.Contains([]string{"false", "0", "no", "n", "off", "f", ""}, word):
		*b = false
	default:
		return kindError(d.StackPointer(), reflect.TypeFor[bool](), kind)
	}
	return nil
}

// mark1 is a [bool1] that decides nothing. A value that is not one is ignored.
type mark1 struct {
	set bool
	odd bool // it has such a value
}

func (m *mark1) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	value, err := d.ReadValue()
	if err != nil {
		return err
	}
	m.odd = json.Unmarshal(value, (*bool1)(&m.set)) != nil
	return nil
}

// loose is an object, or nil. A value of another kind is ignored.
type loose[T any] struct{ value *T }

func (l *loose[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '{' {
		return d.SkipValue()
	}
	l.value = new(T)
	return json.UnmarshalDecode(d, l.value)
}
