package intercept

import (
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Limits on writes without progress. Reading has none: a model may think for an hour.
const (
	// A receiver that takes nothing for stallLimit is not slow, it is gone: five times
	// what servers usually wait for the next part of an upload, and a rate of 55 bytes a
	// second, since each write has at most 16 KiB.
	stallLimit = 5 * time.Minute
	// leftCheck is how often a client is looked for whose upload makes no progress.
	leftCheck = 5 * time.Second
)

// steadyConn is a connection whose writes each have a limit, unless its user sets a
// deadline. A limit that passes breaks the connection.
type steadyConn struct {
	net.Conn
	limit    time.Duration
	deadline atomic.Bool // its user has set one
}

func (p *Proxy) steady(c net.Conn) *steadyConn { return &steadyConn{Conn: c, limit: p.stallLimit} }

func (c *steadyConn) Write(b []byte) (int, error) {
	if !c.deadline.Load() {
		c.Conn.SetWriteDeadline(time.Now().Add(c.limit))
	}
	return c.Conn.Write(b)
}

func (c *steadyConn) SetDeadline(t time.Time) error {
	c.deadline.Store(!t.IsZero())
	return c.Conn.SetDeadline(t)
}

func (c *steadyConn) SetWriteDeadline(t time.Time) error {
	c.deadline.Store(!t.IsZero())
	return c.Conn.SetWriteDeadline(t)
}

// socket returns the connection that c wraps.
func socket(c net.Conn) net.Conn {
	for {
		switch inner := c.(type) {
		case *interceptedConn:
			c = inner.Conn
		case *plainConn:
			c = inner.Conn
		case *prefixConn:
			c = inner.Conn
		case *steadyConn:
			c = inner.Conn
		case *trackedConn:
			c = inner.Conn
		default:
			return c
		}
	}
}

// errClientLeft ends a request whose client has closed its connection.
var errClientLeft = errors.New("the client left")

// upload notices that an upstream does not take a request's body. Over HTTP/1.1 nobody
// reads the client's connection then, so it also notices that the client has left.
type upload struct {
	limit, check time.Duration
	to           Target
	client       net.Conn    // nil over HTTP/2, where the server notices
	end          func(error) // ends the request

	mu    sync.Mutex  // guards all below
	given time.Time   // when the transport got what it has not sent yet; zero if it waits for the client
	timer *time.Timer // nil until a part of the body is given, and after the last one
	done  bool
}

// take is called when the transport has sent what it was given.
func (u *upload) take() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.given = time.Time{}
}

// give is called when the transport is given a part of the body that is not the last.
func (u *upload) give() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.given = time.Now()
	if u.timer == nil && !u.done {
		u.timer = time.AfterFunc(u.check, u.look)
	}
}

// stop is called when the body has ended, and when the request has.
func (u *upload) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.done = true
	if u.timer != nil {
		u.timer.Stop()
	}
}

func (u *upload) look() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return
	}
	waited := time.Duration(0)
	if !u.given.IsZero() {
		waited = time.Since(u.given)
	}
	switch {
	case waited >= u.limit:
		u.end(&Refusal{Status: http.StatusGatewayTimeout, Code: CodeUpstreamTimeout, NoFix: true,
			Message: u.to.String() + " took nothing of the request's body for " + u.limit.String()})
	case waited >= u.check && u.client != nil && hungUp(u.client):
		u.end(errClientLeft)
	default:
		u.timer.Reset(u.check)
	}
}

// steadyWriter limits how long a client may take nothing of its response's stream over
// HTTP/2. Its connection is read and written for other streams, so no deadline of the
// connection would pass.
type steadyWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	limit   time.Duration
	timer   *time.Timer

	mu      sync.Mutex // guards writing; held while the stream is reset
	writing bool
}

// http.ResponseController looks for both methods.
var _ interface {
	FlushError() error
	Unwrap() http.ResponseWriter
} = (*steadyWriter)(nil)

func newSteadyWriter(w http.ResponseWriter, limit time.Duration) *steadyWriter {
	return &steadyWriter{ResponseWriter: w, control: http.NewResponseController(w), limit: limit}
}

func (w *steadyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *steadyWriter) Write(b []byte) (int, error) {
	w.begin()
	defer w.end()
	return w.ResponseWriter.Write(b)
}

func (w *steadyWriter) FlushError() error {
	w.begin()
	defer w.end()
	return w.control.Flush()
}

func (w *steadyWriter) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = true
	if w.timer == nil {
		w.timer = time.AfterFunc(w.limit, w.reset)
	} else {
		w.timer.Reset(w.limit)
	}
}

func (w *steadyWriter) end() {
	w.timer.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writing = false
}

// reset makes a write that is under way fail. After the handler has returned, the
// response must not be touched.
func (w *steadyWriter) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.writing {
		w.control.SetWriteDeadline(time.Now())
	}
}

// endWhenBroken closes a tunnel of which one end was reset. While a copy waits for the
// other end to take what it has, nothing else notices. Writes into a tunnel have no
// limit: what a live client does in it is not ours.
func (t *tunnel) endWhenBroken(every time.Duration) (stop func()) {
	var mu sync.Mutex // guards timer and done
	var timer *time.Timer
	done := false
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(every, func() {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case done:
		case broken(t.client) || broken(t.upstream):
			t.close()
		default:
			timer.Reset(every)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done = true
		timer.Stop()
	}
}
