package loopback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authsome/authsome/secret"
)

// MaxValue bounds a value, in bytes. The longest ones in use are signed tokens of
// some kilobytes.
const MaxValue = 64 << 10

// Field is one value that a [Form] asks for.
type Field struct {
	Name     string
	Label    string
	Hint     string // how a value looks
	Value    string // what stands there at first; not for secrets
	Secret   bool
	Optional bool
	Long     bool // may have several lines: a key file

	// Check judges a value by itself; its error does not repeat the value. If nil,
	// every visible text is good.
	Check func(value string) error
}

// FieldError says what is wrong with the value of a field. It does not contain
// the value.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return e.Err.Error() }

func (e *FieldError) Unwrap() error { return e.Err }

// Take checks what was entered for the field. White space around a value comes
// along when it is copied, and does not count; an optional field may be empty.
func (f *Field) Take(entered string) (secret.String, error) {
	value := strings.TrimSpace(entered)
	if value == "" {
		if f.Optional {
			return secret.String{}, nil
		}
		return secret.String{}, &FieldError{f.Name, errors.New("this is needed")}
	}
	text := value
	if f.Long {
		var line bytes.Buffer
		if json.Compact(&line, []byte(value)) == nil { // a key file means the same in one line
			value = line.String()
		}
		text = strings.NewReplacer("\r", "", "\n", "").Replace(value)
	}
	if err := checkText(text); err != nil {
		return secret.String{}, &FieldError{f.Name, err}
	}
	if f.Check != nil {
		if err := f.Check(value); err != nil {
			return secret.String{}, &FieldError{f.Name, err}
		}
	}
	return secret.New(value), nil
}

// checkText refuses what cannot be meant. Zero-width characters and the like
// come along when a key is copied from a page, and nobody can see them.
func checkText(key string) error {
	switch {
	case len(key) > MaxValue:
		return fmt.Errorf("longer than %d bytes", MaxValue)
	case !utf8.ValidString(key):
		return errors.New("not UTF-8 text")
	}
	for i, r := range key {
		if !unicode.IsGraphic(r) {
			return fmt.Errorf("a control or invisible character (%U) at byte %d", r, i)
		}
	}
	return nil
}
