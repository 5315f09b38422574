package intercept

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// scripted is a connection on which the client's bytes arrive in parts of one size.
type scripted struct {
	net.Conn // nil
	heads    observer
	text     []byte
	part     int
	closed   chan struct{}
	once     sync.Once
}

func (c *scripted) Read(b []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.text[:min(len(c.text), c.part)])
	c.text = c.text[n:]
	c.heads.observe(b[:n])
	return n, nil
}

func (c *scripted) Write(b []byte) (int, error)      { return len(b), nil }
func (c *scripted) Close() error                     { c.once.Do(func() { close(c.closed) }); return nil }
func (c *scripted) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *scripted) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// handled has net/http serve text, and returns what its handler got to know of each
// request and what the observer saw.
func handled(text string, part int) (requests []*http.Request, seen []observed) {
	c := &scripted{text: []byte(text), part: part, closed: make(chan struct{})}
	q := newQueue(&net.TCPAddr{})
	s := &http.Server{DisableGeneralOptionsHandler: true, MaxHeaderBytes: maxInnerHead, ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := c.heads.next()
		requests, seen = append(requests, r), append(seen, head)
		if head.fault != "" {
			w.Header().Set("Connection", "close")
		}
	})}
	go s.Serve(q)
	defer s.Close()
	q.put(c)
	<-c.closed
	return requests, seen
}

// FuzzObserver checks that the observer sees the Host of each request that net/http
// serves, and no other, however the bytes are cut.
func FuzzObserver(f *testing.F) {
	for _, text := range []string{
		"GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET / HT\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=\"\r\n\r\n\r\r\n0\r\nA: b\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
		"POST /a HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\nA\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: b\r\n\r\n",
		"POST /a HTTP/1.1\r\nHost: a\r\n\r\n\r\n\r\nGET /b HTTP/1.1\nHost: b\n\nGET /c HTTP/1.1\r\nHost: c\r\n\r\n",
		"GET /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nabCONNECT b:1 HTTP/1.1\r\nHost: b\r\n\r\nGET /c HTTP/1.1\r\nHost: c\r\n\r\n",
	} {
		f.Add(text, 1)
		f.Add(text, 4096)
	}
	f.Fuzz(func(t *testing.T, text string, part int) {
		if part <= 0 || len(text) > 8192 {
			return
		}
		requests, seen := handled(text, part)
		for i, r := range requests {
			head := seen[i]
			switch {
			case head.fault != "":
				if i != len(requests)-1 {
					t.Fatalf("a request after one that cannot be seen: %q", text)
				}
			case len(head.hosts) > 1 || len(head.hosts) == 0 && r.ProtoAtLeast(1, 1) && r.Method != "PRI" && r.Method != http.MethodConnect:
				t.Fatalf("%q: hosts %q", text, head.hosts)
			case r.URL.Host == "" && r.Method != http.MethodConnect && r.Host != strings.Join(head.hosts, ""):
				t.Fatalf("%q: the handler got Host %q, the observer saw %q", text, r.Host, head.hosts)
			}
		}
	})
}

// Requests after bytes that parsers read in different ways are refused.
func TestRequestsThatCannotBeFollowedAreRefused(t *testing.T) {
	const good = "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n"
	for _, tt := range []struct {
		name, text string
		requests   int // that the handler got
		fault      string
	}{
		{"bare line feeds", good + "GET / HTTP/1.1\nHost: b\n\n", 2, "malformed request head"},
		{"one bare line feed", good + "GET / HTTP/1.1\r\nA: b\nHost: b\r\n\r\n", 2, "bare line feed in the request head"},
		{"folded line", good + "GET / HTTP/1.1\r\nHost: b\r\nA: b\r\n c\r\n\r\n", 2, "folded header line in the request head"},
		{"chunks", strings.Replace(good, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\nC: d\r\n\r\n", 1) + good, 2, unreadableBody},
	} {
		_, seen := handled(tt.text, 4096)
		if len(seen) != tt.requests || seen[len(seen)-1].fault != tt.fault {
			t.Errorf("%s: %+v", tt.name, seen)
		}
	}
	r := newRig(t, nil)
	c := r.raw()
	exchange(t, c, "GET https://"+otherHost+"/ HTTP/1.1\r\nHost: "+otherHost+"\r\n\r\n")
	response, body := exchange(t, c, "GET https://"+routedHost+"/ HTTP/1.1\nHost: "+routedHost+"\n\n")
	if response.StatusCode != 400 || !response.Close || len(r.requests()) != 1 {
		t.Errorf("%d %s, the upstream saw %d requests", response.StatusCode, body, len(r.requests()))
	}
	c = r.raw()
	exchange(t, c, "GET https://"+otherHost+"/ HTTP/1.1\r\nHost: "+otherHost+"\r\n\r\n")
	if answer, _ := exchange(t, c, "CONNECT "+routedHost+":443 HTTP/1.1\nHost: x\n\n"); answer.StatusCode != 400 {
		t.Errorf("CONNECT: %d", answer.StatusCode)
	}
}

// What is kept of a connection has a limit.
func TestObserverKeepsLittle(t *testing.T) {
	for _, head := range []string{"", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;"} {
		var o observer
		o.observe([]byte(head))
		o.next()
		endless := bytes.Repeat([]byte("a"), 4096)
		for range 1024 {
			o.observe(endless)
		}
		if cap(o.text) > 2*maxObservedHead || o.next().fault == "" {
			t.Errorf("keeps %d bytes after %q", cap(o.text), head)
		}
	}
}
