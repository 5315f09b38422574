package intercept

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// slow is a Credentials that has none before the end of a test. It counts its calls.
type slow struct {
	released      chan struct{}
	serving, most atomic.Int64
}

func (s *slow) Apply(context.Context, *http.Request, string, string) (Applied, error) {
	n := s.serving.Add(1)
	for most := s.most.Load(); n > most && !s.most.CompareAndSwap(most, n); most = s.most.Load() {
	}
	<-s.released
	return Applied{}, &Refusal{Status: http.StatusServiceUnavailable, Code: CodeVaultUnavailable}
}

func (s *slow) Renew(context.Context, string, string, uint64) bool { return false }

// A client's HTTP/2 connection has limits that the server of net/http holds. This
// shows that they hold here: each flood ends its connection, or costs no more than the
// streams that one connection may have.
func TestFloodsOfAnHTTP2Client(t *testing.T) {
	const streams = 250 // that net/http allows at a time
	request := func(f *frames, stream uint32, end bool) {
		f.head(stream, end, ":method", "GET", ":scheme", "https", ":authority", routedHost, ":path", "/")
	}
	tests := []struct {
		name  string
		flood func(f *frames) error
		ends  bool // the connection
	}{
		{"CONTINUATION", func(f *frames) error {
			f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: f.encode(":method", "GET")})
			for {
				if err := f.WriteContinuation(1, false, f.encode("x-a", strings.Repeat("v", 1000))); err != nil {
					return nil
				}
			}
		}, true},
		{"rapid reset", func(f *frames) error {
			for stream := uint32(1); ; stream += 2 {
				request(f, stream, true)
				if err := f.WriteRSTStream(stream, http2.ErrCodeCancel); err != nil {
					return nil
				}
			}
		}, true},
		{"streams", func(f *frames) error {
			for stream := uint32(1); stream < 8*streams; stream += 2 {
				request(f, stream, true)
			}
			return f.WritePing(false, [8]byte{1})
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			credentials := &slow{released: make(chan struct{})}
			defer close(credentials.released)
			r := newRig(t, func(r *rig) { r.Credentials = credentials })
			f := r.overHTTP2()
			f.SetWriteDeadline(time.Now().Add(2 * limit))
			read := make(chan struct{})
			go func() {
				defer close(read)
				io.Copy(io.Discard, f.Conn)
			}()
			if err := tt.flood(f); err != nil {
				t.Error(err)
			}
			if tt.ends {
				waitFor(t, "no connection", func() bool { return r.Stats().Connections == 0 })
			}
			if n := credentials.most.Load(); n > streams {
				t.Errorf("%d requests at a time", n)
			}
			f.Close()
			<-read
		})
	}
}
