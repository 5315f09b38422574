package signin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// missingValueError says which values are missing, where they were looked for, and why
// the user was not asked.
type missingValueError struct {
	provider string
	labels   []string
	reasons  []string
	token    string // the provider for a token to enter instead; may be empty
}

func (e *missingValueError) Error() string {
	reasons := strings.Join(e.reasons[:len(e.reasons)-1], ", ")
	if reasons != "" {
		reasons += ", and "
	}
	text := fmt.Sprintf("%s: no %s: %s", e.provider, strings.Join(e.labels, ", no "), reasons+e.reasons[len(e.reasons)-1])
	if e.token != "" {
		text += "; a token is for the provider " + e.token
	}
	return text
}

// Verdict implements the interface of package exit.
func (e *missingValueError) Verdict() exit.Verdict { return authenticationFailed() }

// missingValues is the error for values that are nowhere and cannot be asked for.
func (l *Login) missingValues(missing []loopback.Field) error {
	e := &missingValueError{provider: l.d.Name}
	if d := l.tokenInstead(missing); d != nil {
		e.token = d.Name
	}
	var variables, lines []string
	for _, field := range missing {
		label := show.LowerFirst(field.Label)
		if field.Name == valueKey {
			label = "key"
		}
		e.labels = append(e.labels, label)
		if named := l.variables(field.Name); len(named) > 0 {
			variables = append(variables, named[0].Name)
		}
		if field.Secret || l.o.SecretsStdin {
			lines = append(lines, field.Name+"=VALUE")
		}
	}
	switch len(variables) {
	case 0:
	case 1:
		e.reasons = append(e.reasons, variables[0]+" is unset")
	default:
		e.reasons = append(e.reasons, strings.Join(variables, " and ")+" are unset")
	}
	if len(lines) > 1 || l.o.SecretsStdin {
		word := "lines "
		if len(lines) == 1 {
			word = "line "
		}
		e.reasons = append(e.reasons, "standard input has no "+word+strings.Join(lines, " and "))
	}
	switch {
	case l.o.KeyStdin:
		e.reasons = append(e.reasons, "nothing is asked with --key-stdin")
	case !l.o.SecretsStdin:
		e.reasons = append(e.reasons, "stdin is not a terminal")
	}
	return e
}

// notGiven adds the command that gives the values to the error of an input that ended
// too early.
func (l *Login) notGiven(err error, missing []loopback.Field) error {
	return exit.WithHint(&loginError{provider: l.d.Name, err: err}, l.commandFor(missing))
}

// commandFor is the command that gives missing values without a terminal.
func (l *Login) commandFor(missing []loopback.Field) suggest.Suggestion {
	if d := l.tokenInstead(missing); d != nil {
		return suggest.Login(d.Name, l.o.Connection).With("--key-stdin < FILE")
	}
	command := l.command("")
	secrets := 0
	for _, field := range missing {
		switch {
		case l.given[field.Name].flag != "": // in the command already
		case field.Secret:
			secrets++
		case field.Name == valueClientID:
			command = command.With("--client-id ID")
		case field.Name == valueBaseURL:
			command = command.With("--base-url URL")
		default:
			command = command.With("--param " + field.Name + "=VALUE")
		}
	}
	switch {
	case secrets > 1, secrets == 0 && l.o.SecretsStdin:
		return command.With("--secrets-stdin < FILE")
	case secrets == 1, l.o.KeyStdin:
		return command.With("--key-stdin < FILE")
	}
	return command
}

// tokenInstead is the provider for a token, if an OAuth client is missing, nobody can be
// asked, and nothing says that a client is meant. Unlike a sign-in, a token needs no browser.
func (l *Login) tokenInstead(missing []loopback.Field) *providers.Definition {
	meant := l.o.Flow != "" || l.o.RedirectURL != "" || l.o.Scopes != nil || l.o.Reset || l.o.SecretsStdin || l.isGiven(valueClientID)
	if meant || l.asks() || l.d.HasFlow(providers.FlowAPIKey) || !slices.ContainsFunc(missing, func(f loopback.Field) bool { return f.Name == valueClientID }) {
		return nil
	}
	return l.tokenProvider()
}
