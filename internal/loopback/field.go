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

// MaxValue is the maximum length of a value, in bytes. The longest values in
// practice are signed tokens of a few kilobytes.
const MaxValue = 64 << 10

// Field is one value that a [Form] asks for.
type Field struct {
	Name     string
	Label    string
	Hint     string // what a value looks like
	Value    string // the initial value; not for secrets
	Secret   bool
	Optional bool
	Long     bool // may have several lines, as a key file has

	// Check validates a value of this field alone. Its error must not contain the
	// value. If nil, all printable text is valid.
	Check func(value string) error
}

// FieldError reports an invalid value. It does not contain the value.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return e.Err.Error() }

func (e *FieldError) Unwrap() error { return e.Err }

// Take validates what the user entered and returns the value, or a [*FieldError].
// It trims surrounding white space, which is easily copied with a key, and puts a
// JSON key file on one line. An optional field may be empty.
func (f *Field) Take(entered string) (secret.String, error) {
	value := strings.TrimSpace(entered)
	if value == "" {
		if f.Optional {
			return secret.String{}, nil
		}
		return secret.String{}, &FieldError{f.Name, errors.New("required")}
	}
	text := value
	if f.Long {
		var line bytes.Buffer
		if json.Compact(&line, []byte(value)) == nil {
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

// checkText refuses text that no credential contains. Zero-width characters and
// the like are sometimes copied along with a key, and the user cannot see them.
func checkText(text string) error {
	switch {
	case len(text) > MaxValue:
		return fmt.Errorf("longer than %d bytes", MaxValue)
	case !utf8.ValidString(text):
		return errors.New("not valid UTF-8 text")
	}
	for i, r := range text {
		if !unicode.IsGraphic(r) {
			return fmt.Errorf("contains a control or invisible character (%U) at byte %d", r, i)
		}
	}
	return nil
}
