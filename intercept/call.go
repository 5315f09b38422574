package intercept

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync"
	"time"
)

// call is one request on one of our servers, from its head to the end of its
// response.
type call struct {
	proxy    *Proxy
	w        http.ResponseWriter
	r        *http.Request // the client's
	client   net.Conn      // that r came on
	target   Target
	exchange Exchange // what will be recorded

	// Set before forward.
	out     *http.Request   // what is sent upstream
	via     *http.Transport // how it is sent
	applied Applied         // the credential on out, or zero

	body  requestBody   // the body of out, if it has one
	tries attempts      // of out and of its replay together
	hints informational // 1xx responses
}

// begin starts a call. The caller must end it. After Shutdown has cut off what was
// left, it aborts the handler instead, so that nothing more is recorded.
func (p *Proxy) begin(kind Kind, w http.ResponseWriter, r *http.Request) *call {
	if !p.handling.enter() {
		panic(http.ErrAbortHandler)
	}
	if r.ProtoMajor == 2 {
		w = newSteadyWriter(w, p.stallLimit)
	}
	return &call{proxy: p, w: w, r: r, exchange: Exchange{Kind: kind, Method: r.Method, Path: r.URL.Path, Start: time.Now()}}
}

// end records the call. It must be deferred: it also runs when the handler panics.
func (c *call) end() {
	defer c.proxy.handling.leave()
	x := &c.exchange
	x.Duration = time.Since(x.Start)
	if v := recover(); v != nil {
		x.Aborted = true
		c.proxy.Record(*x)
		panic(v) // net/http closes the connection; its log line goes to our log
	}
	c.proxy.Record(*x)
}

func (c *call) setTarget(t Target) {
	c.target = t
	c.exchange.Host, c.exchange.Port = t.Host, t.Port
}

// refuse answers the request itself.
func (c *call) refuse(r *Refusal) {
	x := &c.exchange
	x.Code, x.Status = r.Code, r.Status
	if r.Provider != "" {
		x.Provider, x.Connection = r.Provider, r.Connection
	}
	c.proxy.answer(c.w, r)
}

// forward sends the request upstream and streams the response back.
func (c *call) forward() {
	if c.out.Body != http.NoBody {
		c.prepareBody()
		defer func() {
			c.body.upload.stop()
			c.exchange.Sent = c.body.n.Load()
		}()
	}
	c.tries.to, c.tries.via, c.tries.repeatable = c.target, c.via, repeatable(c.out)
	if c.r.ProtoAtLeast(1, 1) { // HTTP/1.0 has no 1xx
		c.hints.w = c.w
	}
	c.hints.applied = c.applied
	c.exchange.Added = time.Since(c.exchange.Start)
	response, err := c.send(c.out)
	c.exchange.Masked += c.hints.end()
	if err != nil {
		if c.clientLeft(err) {
			c.abort()
		}
		c.closeIfUnread()
		if c.body.state.Load() == bodyUnreadable {
			c.refuse(badRequest(unreadableBody))
			return
		}
		c.proxy.Log.Info("no response from upstream", "host", c.target.Host, "port", c.target.Port, "method", c.r.Method,
			"provider", c.exchange.Provider, "err", loggable(err))
		c.refuse(upstreamRefusal(c.target, err, c.tries.reached()))
		return
	}
	if c.applied.Mark != 0 && response.StatusCode == http.StatusUnauthorized {
		response = c.replay(response)
	}
	response, refused := c.whole(response)
	if refused != nil {
		c.refuse(refused)
		return
	}
	defer func(body io.Closer) {
		c.tries.end(errAnswered)
		body.Close()
	}(response.Body)
	c.respond(response)
}

// clientLeft reports whether a request ended with err because its client did not wait.
// After a body that the client broke off in order, it may wait for an answer.
func (c *call) clientLeft(err error) bool {
	if errors.Is(err, errClientLeft) || c.body.state.Load() == bodyLost {
		return true
	}
	return c.r.Context().Err() != nil && (c.r.ProtoMajor > 1 || !c.body.unreadable())
}

// send sends out and waits for its response head. If there is one, what was sent before
// is ended.
func (c *call) send(out *http.Request) (*http.Response, error) {
	// Ends with the client's request, whose context is its parent.
	ctx, cancel := context.WithCancelCause(c.r.Context())
	trace, before := c.tries.trace(cancel)
	trace.Got1xxResponse = c.hints.forward
	response, err := c.via.RoundTrip(out.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if err != nil {
		c.tries.answeredBy(before)
		if cause := context.Cause(ctx); cause != nil { // net/http does not always return it
			err = cause
		}
	} else if before != nil {
		before(errAnswered)
	}
	return response, err
}

// abort ends the handler and closes the client's connection or stream, so that the
// client does not take an incomplete response for a complete one.
func (c *call) abort() {
	c.exchange.Aborted = true
	panic(http.ErrAbortHandler)
}

// informational passes 1xx responses on until the final one arrives. The trace may
// still be running when RoundTrip has returned, hence the lock.
type informational struct {
	mu      sync.Mutex // guards all below
	w       http.ResponseWriter
	applied Applied // the credential that the upstream was sent
	masked  int
}

func (i *informational) forward(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	// net/http itself sends 100 when the body is first read.
	if i.w == nil || code == http.StatusContinue {
		return nil
	}
	h := i.w.Header()
	for name, values := range header {
		if fromUpstream(name) {
			h[name] = values
		}
	}
	if i.applied.Injection != nil {
		i.masked += maskFields(h, i.applied.Injection.Mask())
	}
	i.w.WriteHeader(code)
	clear(h)
	return nil
}

// end stops the passing on and returns how many secrets were masked.
func (i *informational) end() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.w = nil
	return i.masked
}
