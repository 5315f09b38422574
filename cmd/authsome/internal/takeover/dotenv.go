package takeover

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

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

var (
	assignmentStart = regexp.MustCompile(`^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(=?)[ \t]*`)
	trailingComment = regexp.MustCompile(`(?:^|[ \t])#.*`)
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

// parseDotenv reads a .env file as python-dotenv does, and backticks as Node's dotenv
// does. A line that these would skip is an error. Errors name the line and quote nothing
// from it: in a broken file, a part of a key can look like a name.
func parseDotenv(text string) ([]assignment, error) {
	var all []assignment
	at := len(text) - len(strings.TrimPrefix(text, "\ufeff"))
	for at < len(text) {
		if strings.ContainsRune(" \t\r\n", rune(text[at])) {
			at++
			continue
		}
		start, line := at, restOfLine(text[at:])
		at += len(line)
		if isComment(line) {
			continue
		}
		m := assignmentStart.FindStringSubmatch(line)
		// A name without = assigns nothing.
		if m == nil || m[2] == "" && !isComment(line[len(m[0]):]) {
			return nil, fmt.Errorf("line %d is not NAME=value", lineNumber(text, start))
		}
		if m[2] == "" {
			continue
		}
		a, end, err := parseValue(text, start+len(m[0]))
		if err != nil {
			return nil, fmt.Errorf("line %d %w", lineNumber(text, start), err)
		}
		a.name, at = m[1], end
		all = append(all, a)
	}
	return all, nil
}

// parseValue reads a value and returns where its last line ends.
func parseValue(text string, at int) (a assignment, end int, err error) {
	line := restOfLine(text[at:])
	if line == "" || !strings.Contains("'\"`", line[:1]) {
		written := strings.TrimRight(trailingComment.ReplaceAllString(line, ""), " \t")
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
		return a, 0, errors.New("has a quote that is not closed")
	}
	a.start, a.end = at+1, at+1+length
	line = restOfLine(text[a.end+1:])
	if !isComment(line) {
		return a, 0, errors.New("has text after its quoted value")
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

// closingQuote returns the index of the next quote without a backslash before it, or -1.
// In backticks, a backslash is not special.
func closingQuote(text string, quote byte) int {
	for i := range len(text) {
		if text[i] == quote && (quote == '`' || i == 0 || text[i-1] != '\\') {
			return i
		}
	}
	return -1
}

func restOfLine(text string) string {
	if end := strings.IndexAny(text, "\r\n"); end >= 0 {
		return text[:end]
	}
	return text
}

// isComment reports whether a line is empty or a comment.
func isComment(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return line == "" || line[0] == '#'
}

func lineNumber(text string, at int) int {
	return strings.Count(lineEnds.Replace(text[:at]), "\n") + 1
}

var plainValue = regexp.MustCompile(`^[A-Za-z0-9_./+=:@%,-]+$`)

// IsPlainValue reports whether all programs that read NAME=value lines read the value as
// it is written: shells, with and without word splitting, and the parsers of .env files.
func IsPlainValue(value string) bool { return plainValue.MatchString(value) }
