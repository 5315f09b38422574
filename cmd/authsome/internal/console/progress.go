package console

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// patience is how long a command waits for something before it says so.
const patience = time.Second

// Redirect sends progress messages to f until the returned function is called. A
// child process that has the terminal must not find our lines on its screen.
func (c *Console) Redirect(f func(text string)) (restore func()) {
	set := func(f func(string)) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.redirect = f
	}
	set(f)
	return func() { set(nil) }
}

// Waitingf says what the command is waiting for.
func (c *Console) Waitingf(format string, args ...any) {
	c.mu.Lock()
	redirect := c.redirect
	c.mu.Unlock()
	text := fmt.Sprintf("waiting for "+format, args...)
	if redirect != nil {
		redirect(text)
		return
	}
	c.Infof("%s", text)
}

// Slow says what the command is waiting for, if done is not called within a second.
func (c *Console) Slow(format string, args ...any) (done func()) {
	t := time.AfterFunc(patience, func() { c.Waitingf(format, args...) })
	return func() { t.Stop() }
}

// Watch returns a context whose slow HTTP requests are reported.
func (c *Console) Watch(ctx context.Context) context.Context {
	var mu sync.Mutex
	done := func() {}
	next := func(d func()) {
		mu.Lock()
		defer mu.Unlock()
		done()
		done = d
	}
	stopOn := func(err error) {
		if err != nil {
			next(func() {})
		}
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(hostPort string) {
			host, _, err := net.SplitHostPort(hostPort)
			if err != nil {
				host = hostPort
			}
			next(c.Slow("%s", host))
		},
		GotFirstResponseByte: func() { next(func() {}) },
		DNSDone:              func(i httptrace.DNSDoneInfo) { stopOn(i.Err) },
		ConnectDone:          func(_, _ string, err error) { stopOn(err) },
		TLSHandshakeDone:     func(_ tls.ConnectionState, err error) { stopOn(err) },
	})
}
