package auth

import (
	"errors"
	"fmt"
	"strings"
)

// What an error of this package is about, for errors.Is.
var (
	// ErrLoginRequired says that there is no usable credential; the error is a
	// [*LoginRequiredError].
	ErrLoginRequired = errors.New("login required")
	// ErrConnected says that a login would replace a connection; the error is a
	// [*ConnectedError].
	ErrConnected = errors.New("already connected")
	// ErrNoDefault says that a provider has several connections and none of them
	// is the default; the error is a [*NoDefaultError].
	ErrNoDefault = errors.New("no default connection")
)

// Reasons of a [LoginRequiredError].
const (
	ReasonMissing = "not connected"
	ReasonExpired = "expired"
	ReasonInvalid = "invalid"
	ReasonRevoked = "revoked"
)

// LoginRequiredError says that a connection has no usable credential.
type LoginRequiredError struct {
	Provider   string
	Connection string // "" where no connection was named and there is none
	Reason     string // one of the Reason constants
}

func (e *LoginRequiredError) Error() string {
	return fmt.Sprintf("%s: %v: %s", describe(e.Provider, e.Connection), ErrLoginRequired, e.Reason)
}

// Is makes errors.Is(err, ErrLoginRequired) true.
func (e *LoginRequiredError) Is(target error) bool { return target == ErrLoginRequired }

// ConnectedError refuses to replace a connection that exists.
type ConnectedError struct {
	Provider   string
	Connection string
}

func (e *ConnectedError) Error() string {
	return fmt.Sprintf("%s: %v", describe(e.Provider, e.Connection), ErrConnected)
}

// Is makes errors.Is(err, ErrConnected) true.
func (e *ConnectedError) Is(target error) bool { return target == ErrConnected }

// NoDefaultError says that one of several connections must be named.
type NoDefaultError struct {
	Provider    string
	Connections []string // sorted
}

func (e *NoDefaultError) Error() string {
	return fmt.Sprintf("%s: %v among %s", e.Provider, ErrNoDefault, strings.Join(e.Connections, ", "))
}

// Is makes errors.Is(err, ErrNoDefault) true.
func (e *NoDefaultError) Is(target error) bool { return target == ErrNoDefault }

// RecordError says that a record, which the vault returned sound, is not one
// that this package can read. It contains nothing of the record's values.
type RecordError struct {
	Key    string
	Reason string
}

func (e *RecordError) Error() string { return fmt.Sprintf("record %s: %s", e.Key, e.Reason) }

func describe(provider, connection string) string {
	if connection == "" {
		return provider
	}
	return provider + "/" + connection
}
