package exit

import (
	"errors"
	"io/fs"
	"strings"
)

// goTexts are error texts of Go's own packages, with what they mean. A user need not
// know Go.
var goTexts = strings.NewReplacer(
	"context deadline exceeded", "timed out",
	"context canceled", "cancelled",
	"i/o timeout", "timed out",
	"dial tcp: lookup ", "look up ",
	"dial tcp ", "connect to ",
	": connect: ", ": ",
	"tls: failed to verify certificate: x509: ", "invalid certificate: ",
	"x509: ", "invalid certificate: ",
	"unexpected EOF", "the data ends too early",
)

// Message is the text of an error for people and programs.
func Message(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		// The name of the system call says nothing to a user.
		text = strings.Replace(text, e.Error(), e.Path+": "+e.Err.Error(), 1)
	}
	return PlainText(strings.TrimSpace(text))
}

// Messages replaces the errors among the arguments of a format by their [Message].
func Messages(args []any) []any {
	plain := make([]any, len(args))
	for i, arg := range args {
		plain[i] = arg
		if err, ok := arg.(error); ok {
			plain[i] = Message(err)
		}
	}
	return plain
}

// PlainText replaces the error texts of Go's own packages in a message.
func PlainText(message string) string { return goTexts.Replace(message) }
