package signin

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/secret"
)

// acceptFunc checks the values that the user entered; see [loopback.Form].
type acceptFunc = func(ctx context.Context, entered map[string]secret.String) error

// askInForm asks in the browser. Unlike the terminal, the form also shows the fields
// that have a default or may be empty.
func (l *Login) askInForm(ctx context.Context, fields []loopback.Field, q question, accept acceptFunc) error {
	page, err := l.server()
	if err != nil {
		return err
	}
	err = l.onPage(ctx, func(ctx context.Context) error {
		_, err := page.Ask(ctx, loopback.Form{
			Purpose: q.purpose, Fields: fields, KeyURL: q.keyURL, Steps: q.steps, Redirect: q.redirect, Hosts: q.hosts, Back: l.chosen, Accept: accept,
		})
		return err
	})
	if errors.Is(err, errNotVisited) {
		return l.notGiven(err, required(fields))
	}
	return err
}

// maxTries is how many times a value is asked for, until it is valid.
const maxTries = 5

// askOnTerminal asks for the required values, and again if one is invalid.
func (l *Login) askOnTerminal(ctx context.Context, fields []loopback.Field, q question, accept acceptFunc) error {
	l.showInstructions(q)
	for try := 1; ; try++ {
		entered := make(map[string]secret.String)
		for _, field := range fields {
			value, err := l.askField(ctx, field)
			if errors.Is(err, errNoAnswer) {
				return l.notGiven(err, required(fields))
			}
			if err != nil {
				return err
			}
			entered[field.Name] = value
		}
		err := accept(ctx, entered)
		if err == nil || !errors.Is(err, flows.ErrRefused) || try == maxTries {
			return err
		}
		l.show("%v; try again", err)
	}
}

// showInstructions says how the values are created.
func (l *Login) showInstructions(q question) {
	switch {
	case len(q.steps) == 0 && q.keyURL != "":
		l.show("%s at %s", q.create, q.keyURL)
	case len(q.steps) > 0:
		l.show("%s at %s:", q.create, l.d.DisplayName)
		steps := q.steps
		if q.keyURL != "" {
			steps = append([]string{"Open " + q.keyURL}, steps...)
		}
		for i, step := range steps {
			l.showItem(i+1, step)
		}
	}
}

// askField asks for one value. The error wraps [errNoAnswer] if the input ends.
func (l *Login) askField(ctx context.Context, field loopback.Field) (secret.String, error) {
	question := field.Label + " for " + withoutLabel(l.d.DisplayName, field.Label)
	switch {
	case field.Secret && field.Optional:
		question += " (hidden, Enter if there is none)"
	case field.Secret:
		question += " (hidden)"
	case field.Optional:
		question += " (empty if there is none)"
	}
	for try := 1; ; try++ {
		typed, err := l.terminal.Ask(ctx, show.Visible(question)+": ", field.Secret)
		if errors.Is(err, terminal.ErrEnded) {
			err = fmt.Errorf("%s: %w", show.LowerFirst(field.Label), errNoAnswer)
		}
		if err != nil {
			return secret.String{}, err
		}
		value, err := field.Take(typed)
		if err == nil {
			return value, nil
		}
		if try == maxTries {
			return secret.String{}, l.invalid(field.Name, field.Label, err)
		}
		l.show("%v", err)
	}
}

// withoutLabel is the display name of a provider without the label in parentheses at its
// end, which a question has already: GitHub (personal access token).
func withoutLabel(displayName, label string) string {
	end := " (" + label + ")"
	if n := len(displayName) - len(end); n > 0 && strings.EqualFold(displayName[n:], end) {
		return displayName[:n]
	}
	return displayName
}

// show prints a line on the terminal, in several lines if it is long.
func (l *Login) show(format string, args ...any) {
	for _, line := range show.Wrap(show.Visible(fmt.Sprintf(format, args...)), min(l.terminal.Width, maxLine)) {
		fmt.Fprintln(l.terminal.Out, line)
	}
}
