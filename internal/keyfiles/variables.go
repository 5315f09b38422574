package keyfiles

import (
	"regexp"
	"strings"
)

// assignment is a line of a .env file. A value in quotes can contain anything, and others
// end at a comment.
var assignment = regexp.MustCompile(`(?m)^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=[ \t]*(?:"([^"\n]*)|'([^'\n]*)|([^\s#"'][^\s]*))`)

// parseVariables returns the variables of a .env file that have a value of their type, and
// not an example, as "NAME=value".
func parseVariables(text string) []string {
	var all []string
	for _, m := range assignment.FindAllStringSubmatch(text, -1) {
		if value := m[2] + m[3] + m[4]; !isExample(value) {
			all = append(all, m[1]+"="+value)
		}
	}
	return all
}

// isExample reports whether a value is for the reader to replace, or names the place where
// the credential is: a variable, a command, or an item of a password manager.
func isExample(value string) bool {
	value = strings.ToLower(value)
	for _, start := range []string{"$", "`", "op://", "your", "change", "replace", "insert"} {
		if strings.HasPrefix(value, start) {
			return true
		}
	}
	return strings.Trim(value, "x*._-") == "" || strings.Contains(value, "...") || strings.ContainsAny(value, "<>")
}
