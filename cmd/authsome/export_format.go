package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/takeover"
	"github.com/authsome/authsome/secret"
)

// variable is an environment variable to export.
type variable struct {
	name    string
	value   secret.String
	from    auth.Connection
	leftOut bool // the connection cannot be used, so only the name counts: no other one gets it
}

// upper converts a name to a part of a variable's name.
func upper(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToUpper(s))
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// disambiguate keeps a name that several connections have for the default connection,
// appends provider and connection to it for the others, and puts the prefix before all
// names. Of the defaults of several providers, the first keeps the name. It returns the
// variables that are not left out: with the plain name of one that is left out, a program
// would use another account.
func disambiguate(all []variable, prefix string) ([]variable, error) {
	count, plain := make(map[string]int), make(map[string]int) // plain: the index of the variable that keeps its name
	for i, v := range all {
		count[v.name]++
		if _, taken := plain[v.name]; v.from.Default && !taken {
			plain[v.name] = i
		}
	}
	var kept []variable
	seen := make(map[string]bool)
	for i, v := range all {
		if v.leftOut {
			continue
		}
		if first, taken := plain[v.name]; count[v.name] > 1 && (!taken || first != i) {
			v.name += "_" + upper(v.from.Provider) + "_" + upper(v.from.Name)
		}
		v.name = prefix + v.name
		switch {
		case !variableName.MatchString(v.name):
			return nil, exit.Usagef("--prefix %s: %s is not a valid variable name", prefix, v.name)
		case seen[v.name]:
			return nil, exit.WithCommand(fmt.Errorf("two variables would be called %s", v.name), "export %s --connection %s", v.from.Provider, v.from.Name)
		}
		seen[v.name], kept = true, append(kept, v)
	}
	return kept, nil
}

// envLines formats variables as NAME=value lines, without quotes.
func envLines(all []variable) (string, error) {
	var b strings.Builder
	for _, v := range all {
		if !takeover.IsPlainValue(v.value.Reveal()) {
			return "", exit.WithFlag(fmt.Errorf("the value of %s has a character that programs read differently in NAME=value lines", v.name), "--format shell")
		}
		fmt.Fprintf(&b, "%s=%s\n", v.name, v.value.Reveal())
	}
	return b.String(), nil
}

// shellLines formats variables as export commands for a POSIX shell.
func shellLines(all []variable) (string, error) {
	var b strings.Builder
	for _, v := range all {
		value := v.value.Reveal()
		if strings.ContainsRune(value, 0) {
			return "", errors.New("the value of " + v.name + " has a NUL character, which a variable cannot contain")
		}
		fmt.Fprintf(&b, "export %s='%s'\n", v.name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return b.String(), nil
}

// jsonObject formats variables as one JSON object.
func jsonObject(all []variable) (string, error) {
	values := make(map[string]string, len(all))
	for _, v := range all {
		values[v.name] = v.value.Reveal()
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(values); err != nil {
		return "", exit.WithFlag(errors.New("a value is not valid UTF-8, which JSON requires"), "--format shell")
	}
	return b.String(), nil
}
