// Package suggest has what a message proposes to do next: a command of this program,
// or advice in words.
//
// It is the only place where such a command is written out, so that each one is for
// the profile that the user is working in, and works as it stands.
package suggest

import (
	"fmt"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/guard"
)

// Suggestion is what to do next. The zero value proposes nothing.
type Suggestion struct {
	text    string
	command bool
	person  bool // an agent behind the proxy cannot do it
	scope   scope
}

// scope says whether a command acts on one profile.
type scope int

const (
	inProfile scope = iota // acts on the profile in use
	general                // does not depend on a profile, or names it
)

// Command proposes a command of this program. The text begins after "authsome".
func Command(format string, args ...any) Suggestion {
	s := Suggestion{text: fmt.Sprintf(format, args...), command: true}
	s.person = guard.NeedsPerson(s.text)
	if strings.HasPrefix(s.text, "profile ") || strings.HasPrefix(s.text, "help") || strings.HasSuffix(s.text, "--help") || strings.Contains(s.text, "--profile ") {
		s.scope = general
	}
	return s
}

// Advice proposes something that is not a command of this program.
func Advice(format string, args ...any) Suggestion {
	return Suggestion{text: fmt.Sprintf(format, args...)}
}

// ByPerson is advice that an agent behind the proxy cannot follow. The text is what
// to do, as an order.
func ByPerson(format string, args ...any) Suggestion {
	return Suggestion{text: fmt.Sprintf(format, args...), person: true}
}

// Outside proposes a command of this program that does not work inside of an isolated
// run. The text begins after "authsome".
func Outside(format string, args ...any) Suggestion {
	s := Command(format, args...)
	s.person = true
	return s
}

// Login proposes to obtain a credential for a connection that does not exist or needs a
// new login.
func Login(provider, connection string) Suggestion {
	s := Command("login %s", provider)
	if connection != "" && connection != auth.DefaultName {
		s = s.With("--connection " + connection)
	}
	return s
}

// Relogin proposes to replace the credential of a connection that may still work.
func Relogin(provider, connection string) Suggestion {
	return Login(provider, connection).With("--force")
}

// Accept proposes to let a connection use its changed definition.
func Accept(provider, connection string) Suggestion {
	s := Command("connection accept %s", provider)
	if connection != auth.DefaultName {
		s = s.With(connection)
	}
	return s
}

// With adds a flag or argument to a command.
func (s Suggestion) With(argument string) Suggestion {
	s.text += " " + argument
	return s
}

// IsZero reports whether nothing is proposed.
func (s Suggestion) IsZero() bool { return s.text == "" }

// IsCommand reports whether a command of this program is proposed.
func (s Suggestion) IsCommand() bool { return s.command }

// In writes the suggestion out for the profile that the user named, or "" if none
// was named.
func (s Suggestion) In(profile string) string {
	switch {
	case !s.command:
		return s.text
	case profile == "" || s.scope == general:
		return "authsome " + s.text
	}
	return "authsome --profile " + profile + " " + s.text
}

// person is who has to act on a suggestion that an agent cannot follow.
const person = "person"

// ForAgent writes the suggestion out for an agent behind the proxy, and says who has to
// act: "" if the agent can, else "person".
func (s Suggestion) ForAgent(profile string) (text, who string) {
	text = s.In(profile)
	switch {
	case !s.person:
		return text, ""
	case s.command:
		return "ask the person to run, in another terminal: " + text, person
	}
	return "ask the person to " + text, person
}
