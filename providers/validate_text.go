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
func (d *Definition) checkText(f *faults) {
	unsafeText("", reflect.ValueOf(*d), func(field string) { f.add(field, "has a control character", "remove it") })
}

// unsafeText calls report with the path of each text in v with such a character.
func unsafeText(at string, v reflect.Value, report func(field string)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			unsafeText(at, v.Elem(), report)
		}
	case reflect.String:
		if strings.ContainsFunc(v.String(), isUnsafe) {
			report(at)
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 { // JSON, which escapes such characters
			return
		}
		for i := range v.Len() {
			unsafeText(at+"["+strconv.Itoa(i)+"]", v.Index(i), report)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			// The path leaves out the name, which may be the text at fault.
			unsafeText("", key, func(string) { report(at) })
			unsafeText("", v.MapIndex(key), func(string) { report(at) })
		}
	case reflect.Struct:
		for f := range v.Type().Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name != "" && name != "-" {
				unsafeText(strings.TrimPrefix(at+"."+name, "."), v.FieldByIndex(f.Index), report)
			}
		}
	}
}

// isUnsafe reports whether a terminal does not show r as one character in its place.
func isUnsafe(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }

// checkReserved refuses endpoints at hosts that never get a credential.
func (d *Definition) checkReserved(f *faults) {
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
			f.add(d.endpointField(text), (&reservedError{host}).Error(), "")
		}
	}
}

// endpointField returns the path of the member that has an endpoint.
func (d *Definition) endpointField(text string) string {
	for _, e := range d.endpoints {
		if e.url == text {
			return e.field
		}
	}
	for _, m := range d.oauths() {
		if m.oauth.Discovery != "" && (text == m.oauth.Issuer || text == m.oauth.Resource) {
			return m.field + "." + m.oauth.Discovery
		}
	}
	return "oauth"
}
