package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

type acceptFunc = func(ctx context.Context, entered map[string]secret.String) error

// askInForm asks in the browser. Fields that have a default or may be empty are
// there as well.
func (l *loginRun) askInForm(ctx context.Context, fields []loopback.Field, q question, accept acceptFunc) error {
	page, err := l.loopback()
	if err != nil {
		return err
	}
	return l.inBrowser(ctx, "the form", func(ctx context.Context) error {
		_, err := page.Ask(ctx, loopback.Form{
			Purpose: q.purpose, Fields: fields, KeyURL: q.keyURL, Redirect: q.redirect, Hosts: q.hosts, Accept: accept,
		})
		return err
	})
}

// maxTries is how often a wrong value is asked for again.
const maxTries = 5

// askOnTerminal asks for what must be there, and once more for what is wrong.
func (l *loginRun) askOnTerminal(ctx context.Context, fields []loopback.Field, q question, accept acceptFunc) error {
	t := l.terminal
	if q.keyURL != "" {
		fmt.Fprintf(t.out, "get it at %s\n", q.keyURL)
	}
	if q.redirect != "" {
		fmt.Fprintf(t.out, "register the client with the redirect URL %s\n", q.redirect)
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
		fmt.Fprintf(t.out, "%v: try again\n", err)
	}
}

func (l *loginRun) askField(ctx context.Context, field loopback.Field) (secret.String, error) {
	question := field.Label + " for " + l.d.DisplayName
	if field.Secret {
		question += " (not shown)"
	}
	for try := 1; ; try++ {
		typed, err := l.terminal.ask(ctx, question+": ", field.Secret)
		if errors.Is(err, errEnded) {
			err = fmt.Errorf("%s: %w", lowerFirst(field.Label), errNoKey)
		}
		if err != nil {
			return secret.String{}, err
		}
		value, err := field.Take(typed)
		if err == nil {
			return value, nil
		}
		if try == maxTries {
			return secret.String{}, &valueError{l.d.Name, field.Label, err}
		}
		fmt.Fprintf(l.terminal.out, "%v\n", err)
	}
}

// inBrowser shows the page, which is about what fn waits for. The page is opened
// once in a login; after that it goes on by itself.
func (l *loginRun) inBrowser(ctx context.Context, what string, fn func(context.Context) error) error {
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
		l.a.tellf("%s is open in your browser; if it is not, visit %s", what, l.page.Link())
	}
	for {
		select {
		case err := <-done:
			return err
		case err := <-ended:
			ended = nil
			if err != nil {
				l.a.warnf("%v: visit the address yourself", err)
			}
		}
	}
}

// loopback is the server for the browser, started when it is first needed.
func (l *loginRun) loopback() (*loopback.Server, error) {
	if l.page != nil {
		return l.page, nil
	}
	page := &loopback.Server{Title: l.d.DisplayName}
	if l.d.OAuth != nil && l.d.OAuth.Redirect != nil {
		r := l.d.OAuth.Redirect
		page.Host, page.Port, page.Path = r.Host, r.Port, r.Path
	}
	if err := l.registered(page); err != nil {
		return nil, err
	}
	l.page = page
	return page, nil
}

// hosts are where a credential goes, for people.
func (l *loginRun) hosts(values providers.Values) []string {
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
