package intercept

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// net/http sends a request again when the server says that it has not processed it
// (GOAWAY, REFUSED_STREAM), or when a reused connection breaks before the response.
// It has no limit that holds across connections, so a server could make one request
// into thousands, each with the credential. maxTries is how often the head of one
// request is sent.
const maxTries = 3

// attempts counts the tries of one request, and ends the request when it may not be
// sent again.
type attempts struct {
	to         Target
	via        *http.Transport
	repeatable bool // repeating the request changes nothing

	mu     sync.Mutex // guards all below
	cancel context.CancelCauseFunc
	sent   int      // heads that were sent
	conn   net.Conn // the connection of this try, or nil
	last   net.Conn // the connection that the last head was sent on, or nil
}

// trace returns the hooks for one RoundTrip, whose context cancel ends, and what ended
// the one before, or nil.
func (a *attempts) trace(cancel context.CancelCauseFunc) (*httptrace.ClientTrace, context.CancelCauseFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := a.cancel
	a.cancel, a.conn, a.last = cancel, nil, nil
	return &httptrace.ClientTrace{GotConn: a.gotConn, WroteHeaders: a.wroteHeaders}, before
}

// answeredBy makes cancel end the request again, after a replay without an answer.
func (a *attempts) answeredBy(cancel context.CancelCauseFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cancel != nil {
		a.cancel = cancel
	}
}

// gotConn runs before a request is sent on a connection. The cancelled context keeps
// it from being sent over HTTP/2. For HTTP/1.1, net/http looks at the context only
// after it has written the request, so the connection is closed.
//
// If the first try failed on an idle connection, the others may be dead too, for
// example after a change of the network. They are closed, so that the last try gets a
// new one.
func (a *attempts) gotConn(info httptrace.GotConnInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fault := ""
	switch {
	case a.sent >= maxTries:
		fault = fmt.Sprintf("did not process the request in %d tries", maxTries)
	case !a.mayRepeatLocked():
		fault = "broke off the request, which was not sent again because it may change something twice"
	default:
		a.conn = info.Conn
		if a.last != nil && !overHTTP2(a.last) {
			a.via.CloseIdleConnections()
		}
		return
	}
	a.cancel(badGateway(a.to.String() + " " + fault))
	if !overHTTP2(info.Conn) {
		info.Conn.Close()
	}
}

func (a *attempts) wroteHeaders() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent++
	a.last = a.conn
}

// mayRepeat reports whether the last try, which failed, can be repeated. What net/http
// repeats over HTTP/1.1 is safe; over HTTP/2 the upstream can provoke it.
func (a *attempts) mayRepeat() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mayRepeatLocked()
}

// mayRepeatLocked is mayRepeat for callers that hold a.mu.
func (a *attempts) mayRepeatLocked() bool {
	return a.last == nil || a.repeatable || !overHTTP2(a.last)
}

// reached reports whether the request's head was sent.
func (a *attempts) reached() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent > 0
}

// end ends the last RoundTrip, with the error that it returns if it still runs.
func (a *attempts) end(cause error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cancel(cause)
}

// errAnswered ends a RoundTrip whose response was passed on. Over HTTP/2, closing the
// body of the response waits for the body of the request unless it is ended.
var errAnswered = errors.New("the request was answered")

// exhausted reports whether the request may not be sent again.
func (a *attempts) exhausted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sent >= maxTries
}

func overHTTP2(c net.Conn) bool {
	t, ok := c.(*tls.Conn)
	return ok && t.ConnectionState().NegotiatedProtocol == "h2"
}

// repeatable reports whether a request can be sent twice with the effect of one (RFC
// 9110 section 9.2.2), by its method or because the server recognises the second.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
		return true
	}
	return len(r.Header["Idempotency-Key"]) > 0 || len(r.Header["X-Idempotency-Key"]) > 0
}
