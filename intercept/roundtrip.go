package intercept

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authsome/authsome/providers"
)

// roundTrip sends out upstream, with the credential that was applied, and streams
// the response back.
func (p *Proxy) roundTrip(w http.ResponseWriter, r *http.Request, out *http.Request, via http.RoundTripper, t Target, applied Applied, x *Exchange) {
	control := http.NewResponseController(w)
	if r.ProtoMajor == 1 && out.Body != http.NoBody {
		control.EnableFullDuplex() // an HTTP/1.1 upstream may answer before it has read everything
	}
	var sent countingBody
	if out.Body != http.NoBody {
		sent.ReadCloser = out.Body
		if applied.Mark != 0 {
			sent.keep(out.ContentLength)
		}
		out.Body = &sent
		defer func() { x.Sent = sent.count() }()
	}
	informational := &informational{w: w}
	out = out.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{Got1xxResponse: informational.forward}))
	x.Added = time.Since(x.Start)
	response, err := via.RoundTrip(out)
	informational.end()
	if err != nil {
		if canceled(r) {
			x.Aborted = true
			panic(http.ErrAbortHandler)
		}
		p.Log.Info("no response from upstream", "host", t.Host, "port", t.Port, "method", r.Method, "provider", x.Provider, "err", cause(err))
		p.refuse(w, x, upstreamRefusal(t, err))
		return
	}
	if applied.Mark != 0 && response.StatusCode == http.StatusUnauthorized {
		out, response, applied = p.replay(r, out, response, via, t, applied, &sent, x)
	}
	defer response.Body.Close()
	if response.StatusCode < http.StatusContinue { // net/http reads it, and panics at writing it
		p.refuse(w, x, &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamUnreachable, Message: t.String() + " answered with a status that is none"})
		return
	}
	conceal(response.Header, applied.Injection)
	x.FirstByte = time.Since(x.Start)
	x.Status = response.StatusCode
	if response.StatusCode == http.StatusSwitchingProtocols {
		p.switchProtocols(w, out, response, x)
		return
	}
	writeHead(w, response)
	x.Received, err = stream(w, control, response)
	if err != nil {
		x.Aborted = true
		panic(http.ErrAbortHandler) // the client must not take a cut response for a whole one
	}
	writeTrailers(w, response)
	if r.ProtoMajor == 1 && response.ContentLength >= 0 {
		control.Flush() // what is recorded about it need not be waited for
	}
}

// conceal puts placeholders where the addresses in a response have the credential
// of the request's own: servers that redirect keep the query, and build the next
// page's address of it. A request to that address gets the credential again.
func conceal(h http.Header, injection *providers.Injection) {
	if injection == nil || !injection.InURL() {
		return
	}
	for _, name := range []string{"Location", "Content-Location", "Link", "Refresh"} {
		for i, v := range h[name] {
			h[name][i] = injection.Conceal(v)
		}
	}
}

// writeHead sends the response's head, less what belongs to the upstream's
// connection. Alt-Svc would tell the client of a way around the proxy.
func writeHead(w http.ResponseWriter, response *http.Response) {
	h := w.Header()
	for name, values := range response.Header {
		if !hopByHop[name] && name != "Alt-Svc" {
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
			names = append(names, name)
		}
		h["Trailer"] = []string{strings.Join(names, ", ")}
		delete(h, "Content-Length") // in HTTP/1.1, trailers need a chunked body
		response.ContentLength = -1
	}
	w.WriteHeader(response.StatusCode)
}

// writeTrailers runs when the body has ended: only then are they known. Those
// that the upstream did not announce need net/http's prefix.
func writeTrailers(w http.ResponseWriter, response *http.Response) {
	announced := w.Header()["Trailer"]
	for name, values := range response.Trailer {
		if len(announced) > 0 && hasToken(name)(announced[0]) {
			w.Header()[name] = values
		} else {
			w.Header()[http.TrailerPrefix+name] = values
		}
	}
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 32<<10); return &b }}

// stream copies the body and flushes after every read, so that an event reaches
// the client when it reaches us. A body of known length is flushed by its end
// instead, and a head goes out early only when its body may take its time.
func stream(w http.ResponseWriter, control *http.ResponseController, response *http.Response) (int64, error) {
	if response.ContentLength < 0 {
		if err := control.Flush(); err != nil {
			return 0, fmt.Errorf("flush response head: %w", err)
		}
	}
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

// switchProtocols relays a WebSocket: after the handshake its bytes are not ours.
func (p *Proxy) switchProtocols(w http.ResponseWriter, out *http.Request, response *http.Response, x *Exchange) {
	upstream, ok := response.Body.(io.ReadWriteCloser)
	if !ok || !strings.EqualFold(response.Header.Get("Upgrade"), "websocket") || out.Header.Get("Upgrade") == "" {
		p.refuse(w, x, &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamUnreachable, Message: "the upstream switched to a protocol nobody asked for"})
		return
	}
	client, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.refuse(w, x, &Refusal{Status: http.StatusBadGateway, Code: CodeUpstreamUnreachable, Message: "the connection cannot be upgraded"})
		return
	}
	defer client.Close()
	response.Body = nil
	if err := response.Write(buffered); err != nil || buffered.Flush() != nil {
		x.Aborted = true
		return
	}
	var copies sync.WaitGroup
	copies.Go(func() {
		x.Sent, _ = io.Copy(upstream, buffered.Reader)
		upstream.Close() // a WebSocket ends as a whole
	})
	x.Received, _ = io.Copy(client, upstream)
	client.Close()
	copies.Wait()
}

// informational passes 1xx responses on while the final one is awaited. The
// trace may still be running when RoundTrip has returned, hence the lock.
type informational struct {
	mu sync.Mutex // guards w
	w  http.ResponseWriter
}

func (i *informational) forward(code int, header textproto.MIMEHeader) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	// net/http sends 100 by itself when the body is first read.
	if i.w == nil || code == http.StatusContinue {
		return nil
	}
	h := i.w.Header()
	for name, values := range header {
		if !hopByHop[name] && name != "Alt-Svc" {
			h[name] = values
		}
	}
	i.w.WriteHeader(code)
	clear(h)
	return nil
}

func (i *informational) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.w = nil
}

// countingBody counts what the upstream was sent. The transport may read it
// after the handler returned, hence the atomic.
type countingBody struct {
	io.ReadCloser
	n    atomic.Int64
	kept []byte // what was read, where that is kept
}

func (b *countingBody) Read(buf []byte) (int, error) {
	n, err := b.ReadCloser.Read(buf)
	if b.kept != nil {
		b.kept = append(b.kept, buf[:n]...)
	}
	b.n.Add(int64(n)) // whoever sees the whole length there may look at kept
	return n, err
}

func (b *countingBody) count() int64 { return b.n.Load() }
