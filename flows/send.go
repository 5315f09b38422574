package flows

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
)

// softwareName is how authsome identifies itself to providers.
const softwareName = "authsome"

// request is one HTTP request of a flow.
type request struct {
	client   *http.Client
	method   string
	url      *url.URL
	header   http.Header
	body     string
	headOnly bool // do not read the answer's body, which may be an endless stream
}

// reply is a complete answer.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// send makes a request and never repeats it. Its errors are [*TokenError]s: Transient if
// the body was not sent, Ambiguous if it was but no complete answer came, Protocol if the
// answer is too large.
func send(ctx context.Context, q request) (*reply, error) {
	r, err := http.NewRequestWithContext(ctx, q.method, q.url.String(), nil)
	if err != nil {
		return nil, &TokenError{Kind: Protocol, Err: errors.New("the request is invalid")}
	}
	r.Header = q.header
	if r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", softwareName)
	}
	body := &bodyOnce{r: strings.NewReader(q.body)}
	if q.body != "" {
		r.Body, r.ContentLength = body, int64(len(q.body))
	}
	failed := func(err error) *TokenError {
		kind := Transient
		if body.sent.Load() {
			kind = Ambiguous
		}
		return &TokenError{Kind: kind, Err: transportError(err)}
	}
	resp, err := q.client.Do(r)
	if err != nil {
		return nil, failed(err)
	}
	defer resp.Body.Close()
	if q.headOnly {
		return &reply{resp.StatusCode, resp.Header, nil}, nil
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, failed(err)
	case len(data) > maxAnswer:
		return nil, protocolError(resp.StatusCode, "the answer is larger than %d bytes", maxAnswer)
	}
	return &reply{resp.StatusCode, resp.Header, data}, nil
}

// bodyOnce is a request body that net/http cannot rewind, so that it cannot repeat the
// request. It remembers whether sending has started.
type bodyOnce struct {
	r    io.Reader
	sent atomic.Bool
}

func (b *bodyOnce) Read(p []byte) (int, error) {
	b.sent.Store(true)
	return b.r.Read(p)
}

func (b *bodyOnce) Close() error { return nil }

// transportError keeps the part of an error that helps to fix it, and drops what may
// contain a secret: the URL, which can contain a token, and the bytes of a malformed
// answer.
func transportError(err error) error {
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return context.DeadlineExceeded
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*notPublicError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return e
	}
	if e, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("tls: " + e.Msg)
	}
	return errors.New("the connection was interrupted")
}
