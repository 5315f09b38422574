package intercept

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
)

// deaf is an upstream that reads a request's head and nothing more, until the test ends.
func deaf(t *testing.T, r *rig) *hostile {
	h := &hostile{}
	ended := make(chan struct{})
	h.listen(t, r, "http/1.1", func(c net.Conn) {
		readRawHead(t, c)
		h.mu.Lock()
		h.heads = append(h.heads, "")
		h.mu.Unlock()
		<-ended
	})
	t.Cleanup(func() { close(ended) }) // runs before the listener's
	return h
}

// deafHTTP2 is the same over HTTP/2: it never allows more than the first bytes.
func deafHTTP2(t *testing.T, r *rig) *hostile {
	h := &hostile{}
	h.http2(t, r, func(*frames, *http2.MetaHeadersFrame) {})
	return h
}

// pour writes an endless body until the connection takes no more.
func pour(t *testing.T, c net.Conn, head string) {
	t.Helper()
	c.SetWriteDeadline(time.Now().Add(limit))
	io.WriteString(c, head)
	chunk := "10000\r\n" + strings.Repeat("z", 1<<16) + "\r\n"
	for {
		c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		if _, err := io.WriteString(c, chunk); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			return
		}
	}
}

// waitFor waits until a condition holds that no event announces.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); runtime.Gosched() {
		if time.Since(begin) > limit {
			t.Fatal("never: ", what)
		}
	}
}

// goroutines returns how many run one of the functions.
func goroutines(functions ...string) int {
	stacks := make([]byte, 4<<20)
	n := 0
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		if slices.ContainsFunc(functions, func(f string) bool { return strings.Contains(stack, f+"(") }) {
			n++
		}
	}
	return n
}

const upload1 = "POST / HTTP/1.1\r\nHost: " + routedHost + "\r\nTransfer-Encoding: chunked\r\n\r\n"

// Clients that leave during an upload which the upstream does not read leave nothing.
func TestClientLeavesAStuckUpload(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems notice it by the limit on writes only")
	}
	for name, upstream := range map[string]func(*testing.T, *rig) *hostile{"h1": deaf, "h2": deafHTTP2} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(r *rig) {
				upstream(t, r)
				r.stallLimit, r.leftCheck = time.Hour, 10*time.Millisecond
			})
			var clients []net.Conn
			for range 4 {
				c := r.inside()
				pour(t, c, upload1)
				clients = append(clients, c)
			}
			for _, c := range clients {
				c.(interface{ NetConn() net.Conn }).NetConn().(*net.TCPConn).SetLinger(0)
				c.(interface{ NetConn() net.Conn }).NetConn().Close()
			}
			for range clients {
				if x := r.next(); !x.Aborted || x.Code != "" {
					t.Errorf("recorded %+v", x)
				}
			}
			r.Proxy.upstream.closeIdle()
			waitFor(t, "no connections", func() bool { return r.Stats().Connections == 0 })
			waitFor(t, "no goroutines of their requests", func() bool { return goroutines("serveIntercepted", "writeLoop", "writeRequestBody") == 0 })
		})
	}
}

// An upload that makes no progress ends although its client waits, and the client is
// told whose fault it is.
func TestStuckUploadEnds(t *testing.T) {
	for name, upstream := range map[string]func(*testing.T, *rig) *hostile{"h1": deaf, "h2": deafHTTP2} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(r *rig) {
				upstream(t, r)
				r.stallLimit, r.leftCheck = 500*time.Millisecond, 10*time.Millisecond
			})
			c := r.inside()
			pour(t, c, upload1)
			response, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			if name == "h2" && (response.StatusCode != 504 || !strings.Contains(string(body), "took nothing of the request's body for 500ms")) {
				t.Errorf("got %d %s", response.StatusCode, body)
			}
			if code := response.Header.Get(errorHeader); !strings.HasPrefix(code, "upstream_") || !response.Close {
				t.Errorf("got %d %s %s", response.StatusCode, code, body)
			}
			waitFor(t, "no connections", func() bool { return r.Stats().Connections == 0 })
		})
	}
}

// A client that takes nothing of its response does not hold the upstream's connection.
func TestClientThatDoesNotReadItsResponse(t *testing.T) {
	for _, name := range []string{"h1", "h2"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, func(r *rig) { r.stallLimit = 300 * time.Millisecond })
			ended := make(chan struct{})
			r.handle(func(w http.ResponseWriter, q *http.Request) {
				defer close(ended)
				for b := make([]byte, 1<<16); ; {
					if _, err := w.Write(b); err != nil {
						return
					}
				}
			})
			if name == "h1" {
				fmt.Fprintf(r.inside(), "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", routedHost)
			} else {
				f := r.overHTTP2()
				f.head(1, true, ":method", "GET", ":scheme", "https", ":authority", routedHost, ":path", "/")
			}
			select {
			case <-ended:
			case <-time.After(limit):
				t.Error("the upstream still sends")
			}
			if x := r.next(); !x.Aborted || x.Status != 200 {
				t.Errorf("recorded %+v", x)
			}
		})
	}
}

// A tunnel whose client was reset ends although its upstream takes nothing.
func TestBrokenTunnelEnds(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("not noticed on other systems")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := newRig(t, func(r *rig) { r.leftCheck = time.Millisecond })
	c := r.connect(l.Addr().String())
	pour(t, c, "")
	if open := r.Stats().Tunnels; open != 1 {
		t.Fatalf("%d tunnels", open)
	}
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
	if x := r.next(); x.Kind != KindTunnel || x.Sent == 0 {
		t.Errorf("recorded %+v", x)
	}
	waitFor(t, "no connections", func() bool { return r.Stats().Connections == 0 })
}

// Only a body that an upstream does not take is limited: not a client that pauses, and
// not an upstream that takes a little every four minutes.
func TestSlowUploadIsNotEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, client := io.Pipe()
		ended := make(chan error, 1)
		b := &requestBody{source: body, upload: upload{limit: stallLimit, check: leftCheck, end: func(err error) { ended <- err }}}
		defer b.upload.stop()
		r, part := b.reader(), make([]byte, 1024)
		for range 30 {
			go client.Write(make([]byte, 1024))
			r.Read(part)
			time.Sleep(4 * time.Minute) // the upstream
		}
		go func() {
			time.Sleep(2 * time.Hour) // the client
			client.Write(make([]byte, 1024))
		}()
		r.Read(part)
		if len(ended) > 0 {
			t.Fatal(<-ended)
		}
		begin := time.Now()
		if r, ok := errors.AsType[*Refusal](<-ended); !ok || r.Code != CodeUpstreamTimeout || time.Since(begin) > stallLimit+leftCheck {
			t.Errorf("after %v: %v", time.Since(begin), r)
		}
	})
}

// A write has a limit, unless the user of the connection has set one. Reading has none.
func TestSteadyConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		c := &steadyConn{Conn: ours, limit: stallLimit}
		write := func() time.Duration {
			begin := time.Now()
			if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
			return time.Since(begin)
		}
		if d := write(); d != stallLimit {
			t.Errorf("write ended after %v", d)
		}
		c.SetWriteDeadline(time.Now().Add(time.Second)) // as crypto/tls does before its last alert
		if d := write(); d != time.Second {
			t.Errorf("write with a deadline ended after %v", d)
		}
		c.SetDeadline(time.Time{})
		if d := write(); d != stallLimit {
			t.Errorf("write ended after %v", d)
		}
		go func() {
			time.Sleep(24 * time.Hour)
			theirs.Write([]byte("y"))
		}()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
}
