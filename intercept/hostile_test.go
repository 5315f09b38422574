package intercept

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is one side of a raw HTTP/2 connection.
type frames struct {
	*http2.Framer
	net.Conn
	block   bytes.Buffer
	encoder *hpack.Encoder
}

func newFrames(c net.Conn) *frames {
	f := &frames{Framer: http2.NewFramer(c, c), Conn: c}
	f.AllowIllegalWrites = true
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.encoder = hpack.NewEncoder(&f.block)
	return f
}

// encode returns the header block of names and values.
func (f *frames) encode(fields ...string) []byte {
	f.block.Reset()
	for i := 0; i+1 < len(fields); i += 2 {
		f.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return bytes.Clone(f.block.Bytes())
}

func (f *frames) head(stream uint32, end bool, fields ...string) {
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.encode(fields...), EndHeaders: true, EndStream: end})
}

// hostile is an upstream for routedHost that speaks raw HTTP/2 or HTTP/1.1.
type hostile struct {
	mu     sync.Mutex // guards all below
	heads  []string   // the paths of the requests that it saw
	opened int        // connections
	open   int        // connections that are not closed yet
}

func (h *hostile) counts() (heads, opened, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.heads), h.opened, h.open
}

// listen replaces r's upstream by serve, which is called for each connection.
func (h *hostile) listen(t testing.TB, r *rig, protocol string, serve func(net.Conn)) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{NextProtos: []string{protocol},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) { return r.certs.Leaf(hello.ServerName) }})
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	conns := make(map[net.Conn]bool)
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.opened++
			h.open++
			conns[c] = true
			h.mu.Unlock()
			serving.Go(func() {
				defer func() {
					c.Close()
					h.mu.Lock()
					h.open--
					delete(conns, c)
					h.mu.Unlock()
				}()
				serve(c)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		h.mu.Lock()
		for c := range conns {
			c.Close()
		}
		h.mu.Unlock()
		serving.Wait()
	})
	to, err := parseTarget(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r.ConnectTo = []ConnectTo{{From: Target{routedHost, 443}, To: to}}
}

// http2 makes r's upstream answer each request head with answer.
func (h *hostile) http2(t testing.TB, r *rig, answer func(f *frames, head *http2.MetaHeadersFrame)) {
	h.listen(t, r, "h2", func(c net.Conn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := newFrames(c)
		f.WriteSettings()
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					f.WriteSettingsAck()
				}
			case *http2.DataFrame: // the stream's own window stays closed
				f.WriteWindowUpdate(0, max(1, frame.Length))
			case *http2.MetaHeadersFrame:
				h.mu.Lock()
				h.heads = append(h.heads, frame.PseudoValue("path"))
				h.mu.Unlock()
				answer(f, frame)
			}
		}
	})
}

// http1 makes r's upstream read request heads without a body and answer with what
// answer returns. An empty answer closes the connection.
func (h *hostile) http1(t testing.TB, r *rig, answer func(head string, nth int) string) {
	h.listen(t, r, "http/1.1", func(c net.Conn) {
		for nth := 1; ; nth++ {
			var head strings.Builder
			for one := make([]byte, 1); !strings.HasSuffix(head.String(), "\r\n\r\n"); head.Write(one) {
				if _, err := c.Read(one); err != nil {
					return
				}
			}
			h.mu.Lock()
			h.heads = append(h.heads, strings.Fields(head.String())[1])
			h.mu.Unlock()
			text := answer(head.String(), nth)
			if _, err := io.WriteString(c, text); err != nil || text == "" {
				return
			}
		}
	})
}

// A server that takes no request gets each at most three times.
func TestUpstreamGetsARequestAtMostThreeTimes(t *testing.T) {
	goaway := func(f *frames, _ *http2.MetaHeadersFrame) { f.WriteGoAway(0, http2.ErrCodeNo, nil) }
	reset := func(code http2.ErrCode) func(*frames, *http2.MetaHeadersFrame) {
		return func(f *frames, h *http2.MetaHeadersFrame) { f.WriteRSTStream(h.StreamID, code) }
	}
	tests := []struct {
		name   string
		method string
		body   string
		answer func(*frames, *http2.MetaHeadersFrame)
		sent   int
	}{
		{"GOAWAY", "GET", "", goaway, 3},
		{"GOAWAY for what may change something", "POST", "", goaway, 1},
		{"GOAWAY for a body", "POST", "body", goaway, 1},
		{"REFUSED_STREAM", "GET", "", reset(http2.ErrCodeRefusedStream), 3},
		{"REFUSED_STREAM for a body", "POST", "body", reset(http2.ErrCodeRefusedStream), 1},
		{"PROTOCOL_ERROR", "GET", "", reset(http2.ErrCodeProtocol), 3},
		{"PROTOCOL_ERROR for what may change something", "POST", "", reset(http2.ErrCodeProtocol), 1},
		{"HTTP_1_1_REQUIRED", "GET", "", reset(http2.ErrCodeHTTP11Required), 1},
		{"closed", "GET", "", func(f *frames, _ *http2.MetaHeadersFrame) { f.Close() }, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // net/http waits a second between tries
			var upstream hostile
			r := newRig(t, func(r *rig) { upstream.http2(t, r, tt.answer) })
			q, err := http.NewRequest(tt.method, "https://"+routedHost+"/", strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			response, err := r.client().Do(q)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			response.Body.Close()
			if response.StatusCode != 502 || response.Header.Get(errorHeader) != string(CodeUpstreamUnreachable) {
				t.Errorf("got %d %q", response.StatusCode, text)
			}
			if tt.sent == maxTries && !strings.Contains(string(text), "did not process the request in 3 tries") {
				t.Errorf("the reason is missing in %q", text)
			}
			if heads, opened, _ := upstream.counts(); heads != tt.sent || opened > maxTries+1 {
				t.Errorf("the upstream saw %d requests on %d connections, want %d requests", heads, opened, tt.sent)
			}
		})
	}
}

// Idle connections that are all dead do not fail a request that can be repeated: the
// last try uses a new connection. What may change something is sent once.
func TestDeadIdleConnections(t *testing.T) {
	const idle = 6
	for _, tt := range []struct {
		method string
		status int
	}{{"GET", 200}, {"POST", 502}} {
		t.Run(tt.method, func(t *testing.T) {
			var upstream hostile
			together := make(chan struct{}) // closed when all connections are open
			r := newRig(t, func(r *rig) {
				upstream.http1(t, r, func(head string, nth int) string {
					if strings.Contains(head, " /open ") {
						if heads, _, _ := upstream.counts(); heads == idle {
							close(together)
						}
						<-together
					} else if nth > 1 {
						return "" // closed after the request was read
					}
					return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
				})
			})
			var opening sync.WaitGroup
			for range idle {
				opening.Go(func() { get(t, r.client(), "https://"+routedHost+"/open") })
			}
			opening.Wait()
			q, err := http.NewRequest(tt.method, "https://"+routedHost+"/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := r.client().Do(q)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			sent := map[string]int{"GET": maxTries, "POST": 1}[tt.method]
			if heads, _, _ := upstream.counts(); response.StatusCode != tt.status || heads != idle+sent {
				t.Errorf("got %d after %d tries, want %d after %d", response.StatusCode, heads-idle, tt.status, sent)
			}
		})
	}
}
