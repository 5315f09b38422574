package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/authsome/authsome/flows"
)

// device signs the user in by a code that is entered in a browser anywhere.
func (l *loginRun) device(ctx context.Context) (flows.Obtained, error) {
	config, err := l.configure(ctx, "")
	if err != nil {
		return flows.Obtained{}, err
	}
	d, err := config.DeviceAuthorize(ctx, l.scopes())
	if err != nil {
		return flows.Obtained{}, err
	}
	l.showCode(d)
	if l.browser != nil {
		// Without the code: others could read it in the arguments, and be faster.
		if _, err := l.browser.Open(ctx, d.VerificationURI); err != nil {
			l.a.warnf("%v", err)
		}
	}
	type result struct {
		token flows.Token
		err   error
	}
	done := make(chan result, 1)
	go func() {
		token, err := config.DevicePoll(ctx, d)
		done <- result{token, err}
	}()
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
			return l.tokenObtained(ctx, config, r.token), nil
		case <-tick.C:
		}
	}
}

// showCode says whom the code gives access to what (RFC 8628 section 5.4), and
// where it is entered.
func (l *loginRun) showCode(d flows.DeviceAuthorization) {
	scopes := ""
	if len(d.Scopes) > 0 {
		scopes = " (scopes: " + strings.Join(d.Scopes, ", ") + ")"
	}
	l.a.tellf("sign in to %s%s: open %s and enter the code\n\n  %s\n", l.d.DisplayName, scopes, d.VerificationURI, d.UserCode)
	link := d.VerificationURIComplete
	if link == "" {
		link = d.VerificationURI
	}
	if l.terminal != nil {
		if code := qrCode(link, l.terminal.width); code != "" {
			fmt.Fprintf(l.terminal.out, "%s\n", code)
		}
	} else {
		if link != d.VerificationURI {
			l.a.tellf("or open %s, which has the code in it", link)
		}
		l.a.tellf("the code is good for %s", roughly(time.Until(d.ExpiresAt).Round(time.Second)))
	}
}

func (l *loginRun) countDown(end time.Time) {
	if l.terminal == nil {
		return
	}
	left := max(time.Until(end), 0).Round(time.Second)
	fmt.Fprintf(l.terminal.out, "\r\x1b[Kwaiting for you to agree; the code is good for %d:%02d", int(left.Minutes()), int(left.Seconds())%60)
}

func (l *loginRun) clearLine() {
	if l.terminal != nil {
		fmt.Fprint(l.terminal.out, "\r\x1b[K")
	}
}
