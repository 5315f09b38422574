// Package secret holds the type of values that must never print.
//
// It does not protect memory, and does not hide a value from code that asks for
// it: [String.Reveal] is the one way to the value, and easy to search for. Its
// invariant is that no formatting, logging or encoding of a String, or of
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

// Redacted is what a secret prints as.
const Redacted = "***REDACTED***"

// ErrMarshal is returned by every encoder: a record that holds a secret spells
// its fields out, so that one written in clear is never an accident.
var ErrMarshal = errors.New("a secret cannot be encoded")

// String is a secret text. The zero value is the absent secret. Values may be
// copied and used concurrently; they are compared with [String.Equal], since ==
// compares identities.
//
// It holds a pointer because fmt does not call methods on unexported fields:
// there it prints an address, where a plain string would be printed in clear.
type String struct{ p *string }

// New makes s a secret. The empty text makes the absent secret.
func New(s string) String {
	if s == "" {
		return String{}
	}
	return String{&s}
}

// Reveal returns the secret in clear, or "" for the absent secret.
func (s String) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether there is no secret.
func (s String) IsZero() bool { return s.p == nil }

// Equal compares in a time that depends on neither value.
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

// MarshalJSON returns [ErrMarshal].
func (String) MarshalJSON() ([]byte, error) { return nil, ErrMarshal }

// MarshalText returns [ErrMarshal].
func (String) MarshalText() ([]byte, error) { return nil, ErrMarshal }

// MarshalBinary returns [ErrMarshal].
func (String) MarshalBinary() ([]byte, error) { return nil, ErrMarshal }

// GobEncode returns [ErrMarshal].
func (String) GobEncode() ([]byte, error) { return nil, ErrMarshal }
