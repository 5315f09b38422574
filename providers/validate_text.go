package providers

import (
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/authsome/authsome/internal/hosts"
)

// checkText refuses characters in the texts of a definition that could change what a
// terminal shows: a name or a label must not erase the line above it, which says where
// the credential goes.
func (d *Definition) checkText() error {
	field := unsafeText("", reflect.ValueOf(*d))
	if field == "" {
		return nil
	}
	return &FieldError{field, "has a control character", "remove it"}
}

// unsafeText returns the path of the first text in v with such a character, or "".
func unsafeText(at string, v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return unsafeText(at, v.Elem())
		}
	case reflect.String:
		if strings.ContainsFunc(v.String(), isUnsafe) {
			return at
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 { // JSON, which escapes such characters
			return ""
		}
		for i := range v.Len() {
			if field := unsafeText(at+"["+strconv.Itoa(i)+"]", v.Index(i)); field != "" {
				return field
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if field := unsafeText(at+"."+key.String(), v.MapIndex(key)); field != "" || strings.ContainsFunc(key.String(), isUnsafe) {
				return at
			}
		}
	case reflect.Struct:
		for f := range v.Type().Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "" || name == "-" {
				continue
			}
			if field := unsafeText(strings.TrimPrefix(at+"."+name, "."), v.FieldByIndex(f.Index)); field != "" {
				return field
			}
		}
	}
	return ""
}

// isUnsafe reports whether a terminal does not show r as one character in its place.
func isUnsafe(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// checkReserved refuses endpoints at hosts that never get a credential.
func (d *Definition) checkReserved() error {
	for _, text := range d.Endpoints() {
		_, authority, _ := strings.Cut(text, "://")
		authority, _, _ = strings.Cut(authority, "/")
		check := hosts.Reserved
		if i := strings.LastIndexByte(authority, '}'); i >= 0 {
			authority = strings.TrimPrefix(authority[i+1:], ".")
			check = func(end string) bool { return hosts.ReservedUnder(end) != "" }
		}
		authority, _, _ = strings.Cut(authority, ":")
		if host, err := hosts.Normalize(authority); err == nil && check(host) {
			return &FieldError{d.endpointField(text), (&reservedError{host}).Error(), ""}
		}
	}
	return nil
}

// endpointField returns the path of the member that has an endpoint.
func (d *Definition) endpointField(text string) string {
	for _, e := range d.endpoints {
		if e.url == text {
			return e.field
		}
	}
	return "oauth." + d.OAuth.Discovery
}
