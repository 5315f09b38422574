package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/authsome/authsome/secret"
)

// assignment is one NAME=value of a .env file. The libraries for such files give
// no positions, without which the rest of the file could not stay as it is.
type assignment struct {
	name       string
	value      secret.String
	start, end int   // of the value as it is written, inside its quotes
	doubt      error // why programs may read another value
}

var (
	assignmentStart = regexp.MustCompile(`^(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.-]*)[ \t]*(=?)[ \t]*`)
	remarkBehind    = regexp.MustCompile(`(?:^|[ \t])#.*`)
	expanded        = regexp.MustCompile(`\$[A-Za-z_{(]`)

	lineEnds      = strings.NewReplacer("\r\n", "\n", "\r", "\n")
	singleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`)
	doubleEscapes = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`,
		`\a`, "\a", `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v")
)

var (
	errExpanded = errors.New("its value is put together from others, which is not done here: write the key itself")
	errHash     = errors.New("some programs take the # in it for a comment: put the value in quotes")
)

// parseDotenv reads a .env file as python-dotenv does, and backticks as Node's
// dotenv; lines that they skip are errors. Those name the line and nothing in it: in
// a broken file what looks like a name may be a piece of a key.
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
		if isRemark(line) {
			continue
		}
		m := assignmentStart.FindStringSubmatch(line)
		// A name alone has no value here.
		if m == nil || m[2] == "" && !isRemark(line[len(m[0]):]) {
			return nil, fmt.Errorf("line %d is no NAME=value", lineNumber(text, start))
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

// parseValue reads what is assigned, and returns where its last line ends.
func parseValue(text string, at int) (a assignment, end int, err error) {
	line := restOfLine(text[at:])
	if line == "" || !strings.Contains("'\"`", line[:1]) {
		written := strings.TrimRight(remarkBehind.ReplaceAllString(line, ""), " \t")
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
	if !isRemark(line) {
		return a, 0, errors.New("has something behind its quoted value")
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

// closingQuote finds the quote that no backslash stands before; backticks know no
// escapes.
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

// isRemark reports whether there is nothing but a comment.
func isRemark(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return line == "" || line[0] == '#'
}

func lineNumber(text string, at int) int {
	return strings.Count(lineEnds.Replace(text[:at]), "\n") + 1
}
