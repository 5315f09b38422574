// Package secret has the type of text that must never be printed.
//
// It does not protect memory, and it does not hide a value from code that asks for
// it: [String.Reveal] is the only way to read the value, and its calls are easy to
// find. The invariant: no formatting, logging or encoding of a String, or of
// anything that contains one, shows the value.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is printed instead of a secret.
const Redacted = "***REDACTED***"

// errMarshal is returned by every encoder. A type that stores a secret must convert
// it explicitly, so that no secret is written in plain text by accident.
var errMarshal = errors.New("a secret cannot be encoded")

// String is a secret text. The zero value means that the secret is not set. Values
// may be copied and used concurrently. Compare them with [String.Equal]: ==
// compares pointers.
//
// String has a pointer because fmt does not call methods on unexported fields. It
// prints an address there; a plain string would be printed in plain text.
type String struct{ p *string }

// New returns s as a secret. For "" it returns the zero value.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{&s}
}

// Reveal returns the secret in plain text, or "" for the zero value.
func (s String) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether s is the zero value.
func (s String) IsZero() bool { return s.p == nil }

// Equal reports whether the secrets are equal. Its time does not depend on how much
// of them is equal.
func (s String) Equal(other String) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(other.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// String returns [Redacted].
func (String) String() string { return Redacted }

// GoString returns [Redacted].
func (String) GoString() string { return Redacted }

// Format writes [Redacted] for every verb.
func (String) Format(f fmt.State, _ rune) { io.WriteString(f, Redacted) }

// LogValue logs [Redacted].
func (String) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON returns an error.
func (String) MarshalJSON() ([]byte, error) { return nil, errMarshal }

// MarshalText returns an error.
func (String) MarshalText() ([]byte, error) { return nil, errMarshal }

// MarshalBinary returns an error.
func (String) MarshalBinary() ([]byte, error) { return nil, errMarshal }

// GobEncode returns an error.
func (String) GobEncode() ([]byte, error) { return nil, errMarshal }
