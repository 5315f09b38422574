package intercept

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
)

// replayLimit is the size up to which a request body is kept until the upstream has
// answered. Larger bodies, and those of unknown length, are streamed only: such a
// request cannot be sent twice.
const replayLimit = 64 << 10

// requestBody is the body of a client's request. It outlives its call, since the
// transport may read it after the handler has returned.
type requestBody struct {
	source io.ReadCloser // the client's
	keeps  bool
	upload upload

	n     atomic.Int64 // how much of source was read
	state atomic.Int32 // bodyOpen until source ended

	reading sync.Mutex // held while source is read

	mu   sync.Mutex // guards all below
	kept []byte     // all that was read, if the body keeps it
	end  error      // of source: nil, io.EOF or what made it unreadable
}

const (
	bodyOpen int32 = iota
	bodyComplete
	bodyUnreadable // malformed, or ended early
	bodyLost       // the client's connection was reset: nobody waits for an answer
)

// reader returns the body from its start, for one try. Only a body that keeps what it
// read can have several.
func (b *requestBody) reader() io.ReadCloser { return &bodyReader{body: b} }

// unreadable waits for a Read that the end of the client's connection is about to end, and
// reports whether the client broke the body off or sent it malformed.
func (b *requestBody) unreadable() bool {
	if b.source == nil {
		return false
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	return b.state.Load() == bodyUnreadable
}

type bodyReader struct {
	body   *requestBody
	offset int // in what is kept
}

func (r *bodyReader) Read(p []byte) (n int, err error) {
	b := r.body
	b.upload.take()
	defer func() {
		if err != nil {
			b.upload.stop()
		} else {
			b.upload.give()
		}
	}()
	if n, err := r.readKept(p); n > 0 || err != nil {
		return n, err
	}
	b.reading.Lock()
	defer b.reading.Unlock()
	if n, err := r.readKept(p); n > 0 || err != nil { // what another try has read meanwhile
		return n, err
	}
	n, err = b.source.Read(p)
	b.n.Add(int64(n))
	switch {
	case err == io.EOF:
		b.state.Store(bodyComplete)
	case errors.Is(err, syscall.ECONNRESET):
		b.state.Store(bodyLost)
	case err != nil:
		b.state.Store(bodyUnreadable)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = err
	if b.keeps {
		b.kept = append(b.kept, p[:n]...)
		r.offset += n
	}
	return n, err
}

// readKept returns what was read before, and the end of the body after it.
func (r *bodyReader) readKept(p []byte) (int, error) {
	b := r.body
	b.mu.Lock()
	defer b.mu.Unlock()
	n := copy(p, b.kept[r.offset:])
	if r.offset += n; r.offset < len(b.kept) {
		return n, nil
	}
	return n, b.end
}

// Close is called by the transport when it reads no more. Another try may still read a
// body that is kept; the server closes it after the call.
func (r *bodyReader) Close() error {
	if r.body.keeps {
		return nil
	}
	return r.body.source.Close()
}

// errSentOnce ends the second try of a request whose body cannot be sent again.
var errSentOnce = errors.New("the body was sent in part and cannot be sent again")

// again returns the body for another try of net/http, which asks for it only if the
// request may be repeated, or if nothing was written. Over HTTP/2 it also asks after
// an error of the upstream's choice.
func (c *call) again() (io.ReadCloser, error) {
	if !c.body.keeps && c.body.n.Load() > 0 || !c.tries.mayRepeat() {
		return nil, errSentOnce
	}
	return c.body.reader(), nil
}

// prepareBody has the outgoing body counted, and kept for another try if that is
// possible.
func (c *call) prepareBody() {
	if c.r.ProtoMajor == 1 {
		// An HTTP/1.1 upstream may answer before it has read everything.
		http.NewResponseController(c.w).EnableFullDuplex()
	}
	c.body.source = c.out.Body
	if length := c.out.ContentLength; 0 < length && length <= replayLimit {
		c.body.keeps = true
		c.body.kept = make([]byte, 0, length)
	}
	u := &c.body.upload
	u.limit, u.check, u.to, u.end = c.proxy.stallLimit, c.proxy.leftCheck, c.target, c.tries.end
	if c.r.ProtoMajor == 1 {
		u.client = c.client
	}
	c.out.Body, c.out.GetBody = c.body.reader(), c.again
}

// closeIfUnread has the connection of an HTTP/1.1 client closed after a response that
// is written before the request's body was read. If the rest is malformed, net/http
// would read a part of it as the next request.
func (c *call) closeIfUnread() {
	if c.r.ProtoMajor == 1 && c.body.source != nil && c.body.state.Load() != bodyComplete {
		c.w.Header().Set("Connection", "close")
	}
}
