package signin

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/cmd/authsome/internal/terminal"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
)

// device signs the user in with a code to enter in a browser on any machine.
func (l *Login) device(ctx context.Context) (flows.Obtained, error) {
	config, err := l.configure(ctx)
	if err != nil {
		return flows.Obtained{}, err
	}
	d, err := config.DeviceAuthorize(ctx, l.scopes())
	if err != nil {
		return flows.Obtained{}, err
	}
	l.showCode(d)
	ctx, cancel := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	onPage := make(chan error, 1)
	if l.opened {
		work.Go(func() { onPage <- l.showCodeOnPage(ctx, d) })
	} else if l.browser != nil {
		// The address without the code: other users could read the code in the browser's
		// arguments and use it first.
		if _, err := l.browser.Open(ctx, d.VerificationURI); err != nil {
			l.console.Warnf("%v", err)
		}
	}
	type result struct {
		token flows.Token
		err   error
	}
	done := make(chan result, 1)
	work.Go(func() {
		token, err := config.DevicePoll(ctx, d)
		done <- result{token, err}
	})
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		l.countDown(d.ExpiresAt)
		select {
		case r := <-done:
			l.clearLine()
			if r.err != nil {
				return flows.Obtained{}, r.err
			}
			return l.withAccount(ctx, config, r.token), nil
		case err := <-onPage:
			if errors.Is(err, terminal.ErrInterrupted) {
				l.clearLine()
				return flows.Obtained{}, err
			}
		case <-tick.C:
		}
	}
}

// showCodeOnPage shows the code on the page that is open already, until ctx is done.
func (l *Login) showCodeOnPage(ctx context.Context, d flows.DeviceAuthorization) error {
	return l.onPage(ctx, func(ctx context.Context) error {
		return l.page.ShowCode(ctx, loopback.Code{User: d.UserCode, URL: d.VerificationURI, Link: d.VerificationURIComplete})
	})
}

// showCode says what the code gives access to (RFC 8628 section 5.4), and where to
// enter it.
func (l *Login) showCode(d flows.DeviceAuthorization) {
	scopes := ""
	if len(d.Scopes) > 0 {
		scopes = " (scopes: " + strings.Join(d.Scopes, ", ") + ")"
	}
	l.console.Notef("%s\n\n  %s\n", wrapped(fmt.Sprintf("sign in to %s%s: open %s and enter the code", l.d.DisplayName, scopes, d.VerificationURI)), d.UserCode)
	link := d.VerificationURIComplete
	if link == "" {
		link = d.VerificationURI
	}
	if l.terminal != nil {
		if code := terminal.QR(link, l.terminal.Width); code != "" {
			fmt.Fprintf(l.terminal.Out, "%s\n", code)
		}
	} else {
		if link != d.VerificationURI {
			l.console.Notef("or open %s, which contains the code", link)
		}
		l.console.Notef("the code expires in %s", show.Duration(time.Until(d.ExpiresAt).Round(time.Second)))
	}
}

// countDown shows the time that is left, on the line that it rewrites every second.
func (l *Login) countDown(end time.Time) {
	if l.terminal == nil {
		return
	}
	left := max(time.Until(end), 0).Round(time.Second)
	fmt.Fprintf(l.terminal.Out, "\r\x1b[KWaiting for approval… the code expires in %d:%02d", int(left.Minutes()), int(left.Seconds())%60)
}

func (l *Login) clearLine() {
	if l.terminal != nil {
		fmt.Fprint(l.terminal.Out, "\r\x1b[K")
	}
}
