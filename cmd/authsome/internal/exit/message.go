package exit

import "strings"

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
func Message(err error) string { return PlainText(strings.TrimSpace(err.Error())) }

// PlainText replaces the error texts of Go's own packages in a message.
func PlainText(message string) string { return goTexts.Replace(message) }
