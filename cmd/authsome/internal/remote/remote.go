// Package remote lets the clients of a running proxy run commands that only read: the
// proxy's process runs them with what it has open, and sends back what they print. A
// client needs no home for that.
//
// Both sides are here: [Handler] and [Ask]. The package runs nothing itself and does not
// know what the commands do. Its invariant: a client chooses among the commands, flags
// and values that commands lists, so it can name no file, home or profile.
package remote

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// command is what a client can choose of a command.
type command struct {
	argument   string   // the parameter of its one argument; empty if it takes none
	flags      []string // each at most once
	repeatable []string // flags that can be given several times
}

// commands are those that a proxy runs for its clients.
var commands = map[string]command{
	"list":   {argument: "text", flags: []string{"connected", "category"}},
	"why":    {argument: "url", flags: []string{"method", "unmatched"}, repeatable: []string{"provider", "connection"}},
	"status": {argument: "provider"},
	"whoami": {},
	"doctor": {},
}

// switches are global flags of all commands.
var switches = []string{"json", "quiet"}

// The limits of a request.
const (
	maxQuery  = 64 << 10
	maxValue  = 16 << 10 // of one parameter
	maxValues = 100      // of one flag
	maxWidth  = 1000     // of a line, in columns
)

// Serves reports whether a proxy runs a command for its clients.
func Serves(name string) bool {
	_, ok := commands[name]
	return ok
}

// Flags returns the flags of a command that a client sends.
func Flags(name string) []string {
	return slices.Concat(commands[name].flags, commands[name].repeatable)
}

// Argument returns the parameter in which a client sends the argument of a command.
func Argument(name string) string { return commands[name].argument }

// Call is a command line that a client chose.
type Call struct {
	Args    []string // from the command's name on: each flag is one word, and the argument follows --
	Flags   []string // the names of the flags in Args
	Width   int      // of the client's terminal, in columns; 0 if it does not have one
	NoProxy string   // entries of NO_PROXY in the client's environment
}

// parse reads the command line that a request names. Everything that is not listed is an
// error.
func parse(name, rawQuery string) (Call, error) {
	listed, ok := commands[name]
	if !ok {
		return Call{}, fmt.Errorf("%q is not a command that the proxy runs for its clients", name)
	}
	if len(rawQuery) > maxQuery {
		return Call{}, fmt.Errorf("the query has more than %d bytes", maxQuery)
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return Call{}, errors.New("the query is not valid")
	}
	c := Call{Args: []string{name}}
	var argument []string
	for _, parameter := range slices.Sorted(maps.Keys(query)) {
		values := query[parameter]
		if err := check(parameter, values, slices.Contains(listed.repeatable, parameter)); err != nil {
			return Call{}, err
		}
		switch {
		case parameter == "width":
			if c.Width, err = strconv.Atoi(values[0]); err != nil || c.Width < 1 || c.Width > maxWidth {
				return Call{}, fmt.Errorf("width is not a number from 1 to %d", maxWidth)
			}
		case parameter == "no_proxy":
			c.NoProxy = values[0]
		case parameter != "" && parameter == listed.argument:
			argument = []string{"--", values[0]}
		case slices.Contains(slices.Concat(switches, Flags(name)), parameter):
			c.Flags = append(c.Flags, parameter)
			for _, value := range values {
				c.Args = append(c.Args, "--"+parameter+"="+value)
			}
		default:
			return Call{}, fmt.Errorf("%s has no parameter %q", name, parameter)
		}
	}
	c.Args = append(c.Args, argument...)
	return c, nil
}

// check checks the values of a parameter, as far as that does not depend on which one it
// is.
func check(parameter string, values []string, repeatable bool) error {
	switch {
	case len(values) > 1 && !repeatable:
		return fmt.Errorf("%s is given %d times", parameter, len(values))
	case len(values) > maxValues:
		return fmt.Errorf("%s is given more than %d times", parameter, maxValues)
	}
	for _, value := range values {
		if len(value) > maxValue || !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl) {
			return fmt.Errorf("a value of %s has more than %d bytes, or control characters", parameter, maxValue)
		}
	}
	return nil
}
