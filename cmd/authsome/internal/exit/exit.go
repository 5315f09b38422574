// Package exit decides what an error means to the person or program that ran the
// command: the exit code, a name for programs, and what to do next.
//
// It prints nothing. Its invariant: the same error has the same exit code, whichever
// command met it.
package exit

import (
	"errors"
	"fmt"

	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
)

// Exit codes, as the Python authsome had them.
const (
	OK                = 0
	Error             = 1
	Usage             = 2
	ProviderNotFound  = 3
	Authentication    = 4
	CredentialMissing = 5
	Refresh           = 6
	Store             = 7
	Interrupted       = 130 // 128 and the number of SIGINT, as shells have it
)

// Codes are the exit codes of all commands except run, with what they mean.
var Codes = []struct {
	Code    int
	Meaning string
}{
	{OK, "success"},
	{Error, "anything else"},
	{Usage, "usage: an invalid command line, argument, name, definition or file"},
	{ProviderNotFound, "the provider does not exist"},
	{Authentication, "authentication failed, or `status` found a credential that does not work"},
	{CredentialMissing, "a credential is missing or needs a new login"},
	{Refresh, "a refresh failed"},
	{Store, "the vault or the home cannot be used: locked, damaged, or the wrong key"},
	{Interrupted, "cancelled with Ctrl-C"},
}

// UsageError is an invalid command line, name or file.
type UsageError struct{ message string }

func (e *UsageError) Error() string { return e.message }

// Verdict implements failure.
func (e *UsageError) Verdict() Verdict {
	return Verdict{Usage, "UsageError", suggest.Command("help")}
}

// Usagef makes a [UsageError]. Errors among args become their [Message].
func Usagef(format string, args ...any) error {
	return &UsageError{fmt.Sprintf(format, Messages(args)...)}
}

// MissingError is a credential that does not exist.
type MissingError struct{ Message string }

func (e *MissingError) Error() string { return e.Message }

// Verdict implements failure.
func (e *MissingError) Verdict() Verdict {
	return Verdict{Code: CredentialMissing, Name: "CredentialMissing"}
}

// RefusedError is a command that is refused behind the proxy.
type RefusedError struct {
	Message string
	Next    suggest.Suggestion
}

func (e *RefusedError) Error() string { return e.Message }

// Verdict implements failure.
func (e *RefusedError) Verdict() Verdict { return Verdict{Error, "BehindProxy", e.Next} }

// HiddenError is a command that needs the home, in an isolated run, which hides it.
type HiddenError struct{}

func (*HiddenError) Error() string {
	return "the home is hidden from this isolated run; open another terminal"
}

// Verdict implements failure.
func (*HiddenError) Verdict() Verdict { return Verdict{Code: Store, Name: "HomeHidden"} }

// ProxyError is a proxy that was asked in the place of the home, and did not answer.
type ProxyError struct {
	Message string
	Next    suggest.Suggestion
}

func (e *ProxyError) Error() string { return e.Message }

// Verdict implements failure.
func (e *ProxyError) Verdict() Verdict { return Verdict{Error, "ProxyUnavailable", e.Next} }

// hintError is an error with what to do next.
type hintError struct {
	error
	next suggest.Suggestion
}

func (e *hintError) Unwrap() error { return e.error }

// WithHint adds what to do next to an error.
func WithHint(err error, next suggest.Suggestion) error { return &hintError{err, next} }

// WithCommand adds the next command of this program to an error. The text begins
// after "authsome".
func WithCommand(err error, format string, args ...any) error {
	return &hintError{err, suggest.Command(format, args...)}
}

// WithAdvice adds what to do next, in words, to an error.
func WithAdvice(err error, format string, args ...any) error {
	return &hintError{err, suggest.Advice(format, args...)}
}

// HasHint reports whether an error says what to do next.
func HasHint(err error) bool {
	_, ok := errors.AsType[*hintError](err)
	return ok
}

// FlagError is an error that repeating the command with one more flag avoids.
type FlagError struct {
	error
	Flag string // as it is typed, with its value
}

func (e *FlagError) Unwrap() error { return e.error }

// WithFlag makes a [FlagError].
func WithFlag(err error, flag string) error { return &FlagError{err, flag} }

// childError is made by [WithCode].
type childError struct {
	error
	code int
}

// WithCode reports a command that authsome run could not start or wait for, with its
// exit code as a shell has it.
func WithCode(err error, code int) error { return &childError{err, code} }

func (e *childError) Unwrap() error { return e.error }

// Verdict implements failure.
func (e *childError) Verdict() Verdict { return Verdict{Code: e.code, Name: "CommandNotStarted"} }

// CodeError ends the program with an exit code and without a message: a child's, or
// that of a command that has reported everything itself.
type CodeError int

func (e CodeError) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
