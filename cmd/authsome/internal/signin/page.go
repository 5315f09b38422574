package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// onPage runs fn while the page shows what fn waits for. A login opens the browser
// once; after that, the page reloads itself.
func (l *Login) onPage(ctx context.Context, fn func(context.Context) error) error {
	var ended <-chan error // the browser's command
	done := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { done <- fn(ctx) }()
	if !l.opened && l.browser != nil {
		l.opened = true
		var err error
		if ended, err = l.browser.Open(ctx, l.page.Link()); err != nil {
			cancel()
			<-done
			return err
		}
		l.console.Notef("opened your browser; if nothing appeared, open\n  %s", l.page.Link())
	}
	for {
		select {
		case err := <-done:
			if errors.Is(err, loopback.ErrCancelled) {
				l.cancelledOnPage = true
				err = fmt.Errorf("on the page: %w", terminal.ErrInterrupted)
			}
			return err
		case err := <-ended:
			ended = nil
			if err != nil {
				l.console.Warnf("%v; open the address yourself", err)
			}
		}
	}
}

// server is the server for the browser. It is started when it is first needed.
func (l *Login) server() (*loopback.Server, error) {
	if l.page != nil {
		return l.page, nil
	}
	page := &loopback.Server{Title: l.d.DisplayName}
	if err := page.Listen(); err != nil {
		return nil, err
	}
	l.page = page
	return page, nil
}

// hosts lists the hosts that the credential is sent to, for people.
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
