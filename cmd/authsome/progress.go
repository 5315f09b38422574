package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http/httptrace"
	"sync"
	"time"
)

// patience is how long a command is silent about what it waits for.
const patience = time.Second

// waitingf says what a command waits for. While a child has the terminal, that is
// in the log.
func (a *app) waitingf(format string, args ...any) {
	if text := fmt.Sprintf("waiting for "+format, args...); a.childHasTerminal.Load() {
		a.log().Info(text)
	} else {
		a.infof("%s", text)
	}
}

// slow is for waits that take more than a second.
func (a *app) slow(format string, args ...any) (done func()) {
	t := time.AfterFunc(patience, func() { a.waitingf(format, args...) })
	return func() { t.Stop() }
}

// watched has every HTTP request under the context that takes its time told
// about.
func (a *app) watched(ctx context.Context) context.Context {
	var mu sync.Mutex
	done := func() {}
	next := func(d func()) {
		mu.Lock()
		defer mu.Unlock()
		done()
		done = d
	}
	end := func(err error) {
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
			next(a.slow("%s", host))
		},
		GotFirstResponseByte: func() { next(func() {}) },
		DNSDone:              func(i httptrace.DNSDoneInfo) { end(i.Err) },
		ConnectDone:          func(_, _ string, err error) { end(err) },
		TLSHandshakeDone:     func(_ tls.ConnectionState, err error) { end(err) },
	})
}
