package takeover

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/authsome/authsome/secret"
)

// assignment is one NAME=value of a .env file. The libraries for such files return no
// positions, which are needed to replace a value and leave the rest of the file as it is.
type assignment struct {
	name       string
	value      secret.String
	start, end int   // of the value as it is written, inside its quotes
	doubt      error // why some programs read another value, or nil
}

// White space within a line, as Python has it.
const (
	spaces = `\t\v\f \x1c-\x1f\x{85}\p{Z}`
	blank  = `[` + spaces + `]`
)

var (
	assignmentStart = regexp.MustCompile(`^(?:export` + blank + `+)?(?:'([^'\r\n]+)'|([^=#'\r\n` + spaces + `][^=#\r\n` + spaces + `]*))` + blank + `*(?:(=)` + blank + `*)?`)
	trailingComment = regexp.MustCompile(`(?:^|` + blank + `)#.*`)
	commentLine     = regexp.MustCompile(`^` + blank + `*(?:#|$)`)
	expanded        = regexp.MustCompile(`\$[A-Za-z_{(]`)

	lineEnds      = strings.NewReplacer("\r\n", "\n", "\r", "\n")
	singleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`)
	doubleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`,
		`\a`, "\a", `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v")
)

var (
	errExpanded = errors.New("its value refers to other variables, which import does not expand; write the key itself")
	errHash     = errors.New("some programs read the # in it as the start of a comment; put the value in quotes")
)

// Why a line is skipped.
var (
	errNotAssignment = errors.New("not NAME=value")
	errOpenQuote     = errors.New("a quote is not closed")
	errAfterQuote    = errors.New("there is text after the quoted value")
)

// skippedLine is a line that python-dotenv skips too. Nothing is quoted from it: in a
// broken line, a part of a key can look like a name.
type skippedLine struct {
	number int
	reason error
}

// parseDotenv reads a .env file as python-dotenv does, and backticks as Node's dotenv
// does. It skips what these skip.
func parseDotenv(text string) (all []assignment, skipped []skippedLine) {
	at := len(text) - len(strings.TrimPrefix(text, "\ufeff"))
	for at < len(text) {
		if c, size := utf8.DecodeRuneInString(text[at:]); c == '\r' || c == '\n' || isBlank(c) {
			at += size
			continue
		}
		start, line := at, restOfLine(text[at:])
		at += len(line)
		if isComment(line) {
			continue
		}
		m := assignmentStart.FindStringSubmatch(line)
		if m == nil || m[3] == "" && !isComment(line[len(m[0]):]) {
			skipped = append(skipped, skippedLine{lineNumber(text, start), errNotAssignment})
			continue
		}
		if m[3] == "" {
			continue // a name without = assigns nothing
		}
		a, end, err := parseValue(text, start+len(m[0]))
		at = end
		if err != nil {
			skipped = append(skipped, skippedLine{lineNumber(text, start), err})
			continue
		}
		a.name = m[1] + m[2]
		all = append(all, a)
	}
	return all, skipped
}

func isBlank(c rune) bool {
	return c == '\t' || c == '\v' || c == '\f' || c >= 0x1c && c <= 0x1f || c == 0x85 || unicode.In(c, unicode.Z)
}

// parseValue reads a value and returns where its last line ends, also with an error: the
// line after it is the next one that can be read.
func parseValue(text string, at int) (a assignment, end int, err error) {
	line := restOfLine(text[at:])
	if line == "" || !strings.Contains("'\"`", line[:1]) {
		written := strings.TrimRightFunc(trailingComment.ReplaceAllString(line, ""), isBlank)
		a = assignment{value: secret.New(written), start: at, end: at + len(written)}
		if strings.Contains(written, "#") {
			a.doubt = errHash
		}
		if expanded.MatchString(written) {
			a.doubt = errExpanded
		}
		return a, at + len(line), nil
	}
	quote := text[at]
	length := closingQuote(text[at+1:], quote)
	if length < 0 {
		return a, at + len(line), errOpenQuote
	}
	a.start, a.end = at+1, at+1+length
	line = restOfLine(text[a.end+1:])
	if !isComment(line) {
		return a, a.end + 1 + len(line), errAfterQuote
	}
	written := text[a.start:a.end]
	value := lineEnds.Replace(written)
	switch quote {
	case '\'':
		value = singleEscapes.Replace(value)
	case '"':
		value = doubleEscapes.Replace(value)
	}
	// python-dotenv expands ${NAME} in single quotes too.
	if strings.Contains(written, "${") || quote != '\'' && expanded.MatchString(written) {
		a.doubt = errExpanded
	}
	a.value = secret.New(value)
	return a, a.end + 1 + len(line), nil
}

// closingQuote returns the index of the next quote without a backslash before it, else of
// the last quote with one, else -1. In backticks, a backslash is not special.
func closingQuote(text string, quote byte) int {
	last := -1
	for i := range len(text) {
		if text[i] != quote {
			continue
		}
		if last = i; quote == '`' || i == 0 || text[i-1] != '\\' {
			break
		}
	}
	return last
}

func restOfLine(text string) string {
	if end := strings.IndexAny(text, "\r\n"); end >= 0 {
		return text[:end]
	}
	return text
}

// isComment reports whether a line is empty or a comment.
func isComment(line string) bool { return commentLine.MatchString(line) }

func lineNumber(text string, at int) int {
	return strings.Count(lineEnds.Replace(text[:at]), "\n") + 1
}

var plainValue = regexp.MustCompile(`^[A-Za-z0-9_./+=:@%,-]+$`)

// IsPlainValue reports whether all programs that read NAME=value lines read the value as
// it is written: shells, with and without word splitting, and the parsers of .env files.
func IsPlainValue(value string) bool { return plainValue.MatchString(value) }
