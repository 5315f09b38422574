package intercept

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/authsome/authsome/internal/mask"
)

// maxHeld is how long the end of a body is held back because a secret may continue in
// the next part.
const maxHeld = time.Millisecond

// maskHeader masks the credential of the request in header fields. In the URLs of a
// response, a placeholder replaces it: servers that redirect keep the query, and use
// it in the URL of the next page.
func (c *call) maskHeader(h http.Header) {
	if c.applied.Injection != nil {
		c.exchange.Masked += maskFields(h, c.applied.Injection.Mask())
	}
}

// maskFields masks secrets in all fields and returns how many there were.
func maskFields(h http.Header, m *mask.Mask) int {
	total := 0
	for name, values := range h {
		if name == "Content-Length" { // a number that the client relies on
			continue
		}
		for i, v := range values {
			var n int
			values[i], n = m.Head(v)
			total += n
		}
	}
	return total
}

// filter returns the filter for a response body, or nil if the body is passed on as
// it is. It removes the digests of a body that it may change.
func (c *call) filter(response *http.Response) *mask.Filter {
	h := response.Header
	if c.applied.Injection == nil || !hasBody(c.r, response) || !isText(h["Content-Type"]) {
		return nil
	}
	f := c.applied.Injection.Mask().Body(eventStream(h["Content-Type"]))
	if f == nil {
		return nil
	}
	if coded(h["Content-Encoding"]) {
		f.Close()
		c.exchange.Unscanned = true
		return nil
	}
	dropDigests(h) // whether anything will be masked is not known yet
	return f
}

func hasBody(r *http.Request, response *http.Response) bool {
	return r.Method != http.MethodHead && response.StatusCode != http.StatusNoContent && response.StatusCode != http.StatusNotModified &&
		response.ContentLength != 0
}

// isText reports whether a media type is text, or unknown. Other bodies, such as
// images, archives and gRPC messages, do not repeat a request's header.
func isText(contentType []string) bool {
	if len(contentType) != 1 {
		return true
	}
	kind, sub, ok := strings.Cut(mediaType(contentType[0]), "/")
	if !ok || equalsAny(kind, "text", "message", "multipart") {
		return true
	}
	if !strings.EqualFold(kind, "application") && !endsWith(sub, "+xml") || startsWith(sub, "grpc") {
		return false
	}
	for _, end := range textEnds {
		if endsWith(sub, end) {
			return true
		}
	}
	return false
}

// textEnds are the ends of the subtypes of application that are text, such as
// problem+json and x-www-form-urlencoded.
var textEnds = [...]string{"json", "xml", "urlencoded", "javascript", "ecmascript", "yaml", "toml", "graphql", "jsonl", "jsonlines", "json-seq", "text", "http", "html", "csv", "sql"}

func eventStream(contentType []string) bool {
	return len(contentType) == 1 && strings.EqualFold(mediaType(contentType[0]), "text/event-stream")
}

// mediaType returns a media type without its parameters.
func mediaType(contentType string) string {
	kind, _, _ := strings.Cut(contentType, ";")
	return strings.TrimSpace(kind)
}

func equalsAny(s string, all ...string) bool {
	for _, one := range all {
		if strings.EqualFold(s, one) {
			return true
		}
	}
	return false
}

func startsWith(s, start string) bool {
	return len(s) >= len(start) && strings.EqualFold(s[:len(start)], start)
}

func endsWith(s, end string) bool {
	return len(s) >= len(end) && strings.EqualFold(s[len(s)-len(end):], end)
}

// coded reports whether a body is compressed, although the request asked for
// identity.
func coded(contentEncoding []string) bool {
	for _, v := range contentEncoding {
		if v = strings.TrimSpace(v); v != "" && !strings.EqualFold(v, "identity") {
			return true
		}
	}
	return false
}

// dropDigests removes the fields that would contradict a body in which something was
// masked.
func dropDigests(h http.Header) {
	for name := range h {
		if equalsAny(name, "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "X-Goog-Hash", "X-Ms-Content-Crc64") || startsWith(name, "X-Amz-Checksum-") {
			delete(h, name)
		}
	}
}

// maskedStream copies a body through a filter to the client.
type maskedStream struct {
	w       http.ResponseWriter
	control *http.ResponseController

	mu     sync.Mutex // guards all below, and writing
	filter *mask.Filter
	total  int64 // bytes sent
	reads  int   // parts written to filter
	timer  *time.Timer
	err    error // of writing to the client
	ended  bool
}

// streamMasked is stream for a body that is filtered.
func (c *call) streamMasked(control *http.ResponseController, response *http.Response, f *mask.Filter) (int64, error) {
	s := &maskedStream{w: c.w, control: control, filter: f}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ended = true
		if s.timer != nil {
			s.timer.Stop()
		}
		c.exchange.Masked += f.Masked()
	}()
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	var received int64
	for {
		n, err := response.Body.Read(*buffer)
		received += int64(n)
		complete := err == io.EOF || received == response.ContentLength
		if failed := s.write((*buffer)[:n], complete || err != nil); failed != nil {
			return s.total, failed
		}
		switch {
		case err == io.EOF:
			return s.total, nil
		case err != nil:
			s.mu.Lock()
			s.flush() // what arrived before the body broke off, as without a filter
			s.mu.Unlock()
			return s.total, fmt.Errorf("read from upstream: %w", err)
		}
	}
}

// write filters a part of the body. Everything is sent after the last part, and
// otherwise what the filter does not hold back.
func (s *maskedStream) write(part []byte, last bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	if s.timer != nil {
		s.timer.Stop()
	}
	s.send(s.filter.Write(part))
	if last {
		s.send(s.filter.Rest())
		return s.err
	}
	s.flush()
	if s.filter.Waiting() {
		reads := s.reads
		s.timer = time.AfterFunc(maxHeld, func() { s.sendHeld(reads) })
	}
	return s.err
}

// sendHeld sends what is held back if nothing was read since.
func (s *maskedStream) sendHeld(reads int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended && s.reads == reads {
		s.send(s.filter.Rest())
		s.flush()
	}
}

func (s *maskedStream) send(part []byte) {
	if len(part) == 0 || s.err != nil {
		return
	}
	s.total += int64(len(part))
	if _, err := s.w.Write(part); err != nil {
		s.err = fmt.Errorf("write to client: %w", err)
	}
}

func (s *maskedStream) flush() {
	if s.err != nil {
		return
	}
	if err := s.control.Flush(); err != nil {
		s.err = fmt.Errorf("flush to client: %w", err)
	}
}
