package intercept

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// feed returns a connection from which b is read in pieces of n bytes.
func feed(b []byte, n int) net.Conn {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		for len(b) > 0 {
			piece := b[:min(n, len(b))]
			if _, err := theirs.Write(piece); err != nil {
				return
			}
			b = b[len(piece):]
		}
	}()
	return ours
}

func TestReadHead(t *testing.T) {
	const request = "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
	for _, n := range []int{1, 2, 7, 1000} {
		h, err := readHead(feed([]byte(request+"after"), n), nil, time.Minute)
		if err != nil || string(h.raw) != request || !strings.HasPrefix("after", string(h.rest)) || h.request.Method != http.MethodConnect {
			t.Errorf("in pieces of %d: %+v, %v", n, h, err)
		}
	}
	if _, err := readHead(feed([]byte(request[:20]), 5), nil, time.Minute); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("incomplete head: %v", err)
	}
	if _, err := readHead(feed(bytes.Repeat([]byte("a"), maxHeadBytes+1), 4096), nil, time.Minute); !errors.Is(err, errHeadTooLarge) {
		t.Errorf("too large: %v", err)
	}
	silent, _ := net.Pipe()
	if _, err := readHead(silent, nil, time.Millisecond); err == nil {
		t.Error("an idle connection has no limit")
	}
}

// For every head, gomitmproxy gets one clean CONNECT for the same target, or nothing.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"CONNECT a.test:443 HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
		"CONNECT a.test:443 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nProxy-Authorization: Basic eDp5\r\n\r\n",
		"CONNECT a.test:443 HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", "CONNECT [::1]:443 HTTP/1.0\r\n\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		i := bytes.Index(b, []byte("\r\n\r\n"))
		if i < 0 {
			return
		}
		h, err := parseHead(b[:i+4], b[i+4:])
		if err != nil || h.request.Method != http.MethodConnect {
			return
		}
		target, err := h.connectTarget()
		if err != nil {
			return
		}
		clean := cleanHead(target, 7, h.request.Header.Get("Proxy-Authorization"))
		parsed, err := parseHead(clean, nil)
		if err != nil {
			t.Fatalf("clean head %q: %v", clean, err)
		}
		same, err := parsed.connectTarget()
		if err != nil || same != target {
			t.Fatalf("%q has the target %v, and its clean head has %v, %v", b, target, same, err)
		}
		for name := range parsed.request.Header {
			if name != connIDHeader && name != "Proxy-Authorization" {
				t.Errorf("the clean head has %s", name)
			}
		}
		if strings.Count(string(clean), "\r\n\r\n") != 1 {
			t.Errorf("two heads in %q", clean)
		}
	})
}
