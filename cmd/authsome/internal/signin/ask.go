package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

type acceptFunc = func(ctx context.Context, entered map[string]secret.String) error

// askInForm asks in the browser. The form also has the fields that have a default or
// may be empty.
func (l *Login) askInForm(ctx context.Context, fields []loopback.Field, q question, accept acceptFunc) error {
	page, err := l.server()
	if err != nil {
		return err
	}
	return l.inBrowser(ctx, func(ctx context.Context) error {
		_, err := page.Ask(ctx, loopback.Form{
			Purpose: q.purpose, Fields: fields, KeyURL: q.keyURL, Redirect: q.redirect, Hosts: q.hosts, Accept: accept,
		})
		return err
	})
}

// maxTries is how often a value is asked for until it is valid.
const maxTries = 5

// askOnTerminal asks for the required values, and again if one is invalid.
func (l *Login) askOnTerminal(ctx context.Context, fields []loopback.Field, q question, accept acceptFunc) error {
	t := l.terminal
	if q.keyURL != "" {
		fmt.Fprintf(t.Out, "%s at %s\n", q.create, q.keyURL)
	}
	if q.redirect != "" {
		fmt.Fprintf(t.Out, "Its redirect URL is %s\n", q.redirect)
	}
	for try := 1; ; try++ {
		entered := make(map[string]secret.String)
		for _, field := range fields {
			value, err := l.askField(ctx, field)
			if err != nil {
				return err
			}
			entered[field.Name] = value
		}
		err := accept(ctx, entered)
		if err == nil || !errors.Is(err, flows.ErrRefused) || try == maxTries {
			return err
		}
		fmt.Fprintf(t.Out, "%v; try again\n", err)
	}
}

func (l *Login) askField(ctx context.Context, field loopback.Field) (secret.String, error) {
	question := field.Label + " for " + l.d.DisplayName
	if field.Secret {
		question += " (hidden)"
	}
	for try := 1; ; try++ {
		typed, err := l.terminal.Ask(ctx, question+": ", field.Secret)
		if errors.Is(err, terminal.ErrEnded) {
			err = fmt.Errorf("%s: %w", show.LowerFirst(field.Label), errNoValue)
		}
		if err != nil {
			return secret.String{}, err
		}
		value, err := field.Take(typed)
		if err == nil {
			return value, nil
		}
		if try == maxTries {
			return secret.String{}, &valueError{provider: l.d.Name, label: field.Label, err: err}
		}
		fmt.Fprintf(l.terminal.Out, "%v\n", err)
	}
}

// inBrowser runs fn while the page shows what fn waits for. The browser is opened once
// in a login; the page then follows by itself.
func (l *Login) inBrowser(ctx context.Context, fn func(context.Context) error) error {
	var ended <-chan error
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	go func() { done <- fn(ctx) }()
	stop := func(err error) error {
		cancel()
		<-done
		return err
	}
	defer cancel()
	if !l.opened && l.browser != nil {
		l.opened = true
		var err error
		if ended, err = l.browser.Open(ctx, l.page.Link()); err != nil {
			return stop(err)
		}
		l.console.Notef("opened your browser; if nothing appeared, open %s", l.page.Link())
	}
	for {
		select {
		case err := <-done:
			return err
		case err := <-ended:
			ended = nil
			if err != nil {
				l.console.Warnf("%v; open the address yourself", err)
			}
		}
	}
}

// server is the server for the browser, started when it is first needed.
func (l *Login) server() (*loopback.Server, error) {
	if l.page != nil {
		return l.page, nil
	}
	page := &loopback.Server{Title: l.d.DisplayName}
	if l.d.OAuth != nil && l.d.OAuth.Redirect != nil {
		r := l.d.OAuth.Redirect
		page.Host, page.Port, page.Path = r.Host, r.Port, r.Path
	}
	if err := l.listen(page); err != nil {
		return nil, err
	}
	l.page = page
	return page, nil
}

// hosts are where the credential is sent, for people.
func (l *Login) hosts(values providers.Values) []string {
	patterns, err := l.d.Patterns(values)
	if err != nil {
		return l.d.Hosts
	}
	var hosts []string
	for _, p := range patterns {
		if host := strings.TrimSuffix(p.String(), ":443"); !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
	}
	return hosts
}
