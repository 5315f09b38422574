package intercept

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
)

// answers replaces r's upstream by one that sends text to every client, without
// HTTP/2.
func answers(t *testing.T, r *rig, text string) {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return r.certs.Leaf(h.ServerName) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func(c net.Conn) {
				defer c.Close()
				c.Read(make([]byte, 4096))
				io.WriteString(c, text)
			}(c)
		}
	}()
	to, err := parseTarget(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	r.ConnectTo = []ConnectTo{{From: Target{routedHost, 443}, To: to}}
}

// For a malformed response the client gets the proxy's own answer. The log gets
// nothing of the response, which may repeat the request.
func TestMalformedResponse(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, text := range []string{
		"GET /?key=" + realKey + " HTTP/1.1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nAuthorization Bearer " + realKey + "\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: " + realKey + "\r\n\r\n",
		realKey + "\r\n\r\n",
		"HTTP/1.1 000 " + realKey + "\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 099 " + realKey + "\r\nContent-Length: 0\r\n\r\n",
	} {
		var log bytes.Buffer
		r := newRig(t, func(r *rig) {
			answers(t, r, text)
			r.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		for _, c := range []*http.Client{r.client(), r.http1(), r.absolute()} {
			response, err := c.Get("https://" + routedHost + "/")
			if err != nil {
				t.Errorf("%q: %v", text, err)
				continue
			}
			response.Body.Close()
			if response.StatusCode != 502 || response.Header.Get(errorHeader) != string(CodeUpstreamUnreachable) {
				t.Errorf("%q: %s", text, response.Status)
			}
			r.next()
		}
		r.Shutdown(ended)
		if strings.Contains(log.String(), realKey) {
			t.Errorf("%q: %s", text, &log)
		}
	}
}
