package intercept

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// respond streams an upstream's response to the client.
func (c *call) respond(response *http.Response) {
	if response.StatusCode < 100 || response.StatusCode > 999 { // net/http can read such a status, but panics when it writes one
		c.refuse(badGateway(c.target.String() + " answered with an invalid status"))
		return
	}
	c.maskHeader(response.Header)
	x := &c.exchange
	x.FirstByte = time.Since(x.Start)
	x.Status = response.StatusCode
	if response.StatusCode == http.StatusSwitchingProtocols {
		c.switchProtocols(response)
		return
	}
	filter, inHead := c.filter(response), x.Masked
	if filter != nil {
		defer filter.Close()
	}
	c.closeIfUnread()
	writeHead(c.w, response)
	control := http.NewResponseController(c.w)
	var err error
	if response.ContentLength < 0 {
		err = control.Flush() // otherwise the head is sent with the first bytes
	}
	switch {
	case err != nil:
	case filter == nil:
		x.Received, err = stream(c.w, control, response)
	default:
		x.Received, err = c.streamMasked(control, response, filter)
	}
	if err != nil {
		c.abort()
	}
	if bodyMasked := x.Masked - inHead; bodyMasked > 0 {
		dropDigests(response.Trailer)
	}
	c.maskHeader(response.Trailer)
	writeTrailers(c.w, response)
	if c.r.ProtoMajor == 1 && response.ContentLength >= 0 {
		control.Flush() // so that the client does not wait until the call is recorded
	}
}

// writeHead sends the response's head, as far as it comes from the upstream.
func writeHead(w http.ResponseWriter, response *http.Response) {
	h := w.Header()
	for name, values := range response.Header {
		if fromUpstream(name) {
			h[name] = values
		}
	}
	for _, name := range connectionOptions(response.Header) {
		h.Del(name)
	}
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // or net/http guesses one
	}
	if _, ok := h["Date"]; !ok {
		h["Date"] = nil
	}
	if len(response.Trailer) > 0 {
		names := make([]string, 0, len(response.Trailer))
		for name := range response.Trailer {
			if trailerFromUpstream(name) {
				names = append(names, name)
			}
		}
		h["Trailer"] = []string{strings.Join(names, ", ")}
		delete(h, "Content-Length") // in HTTP/1.1, trailers need a chunked body
		response.ContentLength = -1
	}
	w.WriteHeader(response.StatusCode)
}

// writeTrailers sends the trailers, which are known once the body has ended. Those
// that the upstream did not announce need net/http's prefix.
func writeTrailers(w http.ResponseWriter, response *http.Response) {
	announced := w.Header()["Trailer"]
	for name, values := range response.Trailer {
		if !trailerFromUpstream(name) {
			continue
		}
		if len(announced) > 0 && hasToken(name)(announced[0]) {
			w.Header()[name] = values
		} else {
			w.Header()[http.TrailerPrefix+name] = values
		}
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// stream copies the body and flushes after every read, so that an event reaches
// the client as soon as it reaches us. If the length of the body is known, the head
// is sent with the first bytes, and the flush after the last ones is the caller's.
func stream(w http.ResponseWriter, control *http.ResponseController, response *http.Response) (int64, error) {
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	var total int64
	for {
		n, err := response.Body.Read(*buffer)
		if n > 0 {
			total += int64(n)
			if _, err := w.Write((*buffer)[:n]); err != nil {
				return total, fmt.Errorf("write to client: %w", err)
			}
		}
		switch {
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, fmt.Errorf("read from upstream: %w", err)
		case total != response.ContentLength && n > 0:
			if err := control.Flush(); err != nil {
				return total, fmt.Errorf("flush to client: %w", err)
			}
		}
	}
}

// switchProtocols relays a WebSocket. Its bytes are not looked at.
func (c *call) switchProtocols(response *http.Response) {
	upstream, ok := response.Body.(io.ReadWriteCloser)
	if !ok || !strings.EqualFold(response.Header.Get("Upgrade"), "websocket") || c.out.Header.Get("Upgrade") == "" {
		c.refuse(badGateway("the upstream switched to a protocol that was not requested"))
		return
	}
	client, buffered, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		c.refuse(badGateway("the connection cannot be upgraded"))
		return
	}
	defer client.Close()
	if on, ok := client.(*plainConn); ok {
		on.heads.stop("") // what follows is not HTTP
	}
	response.Body = nil
	response.Status = "" // the upstream's text may repeat the request
	if err := response.Write(buffered); err != nil || buffered.Flush() != nil {
		c.exchange.Aborted = true
		return
	}
	var copies sync.WaitGroup
	copies.Go(func() {
		c.exchange.Sent, _ = io.Copy(upstream, buffered.Reader)
		upstream.Close() // a WebSocket ends in both directions at once
	})
	c.exchange.Received, _ = io.Copy(client, upstream)
	client.Close()
	copies.Wait()
}
