package signin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/internal/loopback"
	"github.com/authsome/authsome/providers"
)

// onPage runs fn while the page shows what fn waits for. A login opens the browser
// once; after that, the page reloads itself.
func (l *Login) onPage(ctx context.Context, fn func(context.Context) error) error {
	var ended <-chan error // the browser's command
	var late <-chan time.Time
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
		timer := time.NewTimer(l.visitTime())
		defer timer.Stop()
		late = timer.C
	}
	for {
		select {
		case err := <-done:
			if errors.Is(err, loopback.ErrCancelled) {
				l.cancelledOnPage = true
				err = fmt.Errorf("on the page: %w", terminal.ErrInterrupted)
			}
			return err
		case <-late:
			late = nil
			if err := l.checkVisited(); err != nil {
				cancel()
				<-done
				return err
			}
		case err := <-ended:
			ended = nil
			if err != nil {
				l.console.Warnf("%v; open the address yourself", err)
			}
		}
	}
}

// visitTime is how long a browser may take to open the page. Some programs that BROWSER
// names open none, for example in CI, and then nobody may be there. Once the page is
// open, a person has the whole time of the login. A browser that starts can take many
// seconds, so a short login waits for it most of its time.
func (l *Login) visitTime() time.Duration {
	return max(l.o.Timeout/20, min(30*time.Second, l.o.Timeout*3/4))
}

// checkVisited returns an error if the page was not opened and nobody can be told.
func (l *Login) checkVisited() error {
	select {
	case <-l.page.Visited():
		return nil
	default:
	}
	if l.terminal == nil {
		return fmt.Errorf("%w within %v, and stdin is not a terminal", errNotVisited, l.visitTime())
	}
	l.console.Warnf("%v yet; open the address yourself, or press Ctrl-C and use --no-browser", errNotVisited)
	return nil
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
