package intercept

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A client that speaks another protocol is answered at once, in its protocol if that is
// possible, and the log says why.
func TestOtherProtocolsAreAnsweredAtOnce(t *testing.T) {
	var log bytes.Buffer
	r := newRig(t, func(r *rig) { r.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	const canary = "canary-5c1f"
	for _, tt := range []struct{ name, sent, answer, fault string }{
		{"TLS", "\x16\x03\x01\x05\xa8\x01" + canary + strings.Repeat("x", 30<<10), "", "the client began TLS, and this port speaks plain HTTP"},
		{"first byte of TLS", "\x16", "", "the client began TLS"},
		{"SOCKS4", "\x04\x01\x01\xbb\x01\x02\x03\x04" + canary + "\x00", "\x00\x5b\x00\x00\x00\x00\x00\x00", "the client speaks SOCKS4, and this is an HTTP proxy"},
		{"SOCKS5", "\x05\x02\x00\x02", "\x05\xff", "the client speaks SOCKS5, and this is an HTTP proxy"},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + canary, "", "the client began HTTP/2 without TLS"},
		{"PROXY protocol", "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n", "", "the client began with the PROXY protocol"},
		{"PROXY protocol, version 2", "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + canary, "", "the client began with the PROXY protocol"},
		{"binary", "\x00\x00\x00\x08\x04\xd2\x16\x2f", "", "the client does not speak HTTP/1.1"},
		{"SSH", "SSH-2.0-" + canary + "\r\n", "", "the client does not speak HTTP/1.1"},
		{"SMTP", "EHLO " + canary + "\r\n", "", "the client does not speak HTTP/1.1"},
		{"HTTP/0.9", "GET /" + canary + "\r\n", "", "the client does not speak HTTP/1.1"},
		{"a response", "HTTP/1.1 200 OK\r\n", "", "the client does not speak HTTP/1.1"},
		{"UTF-16", "\xff\xfeG\x00E\x00T\x00", "", "the client does not speak HTTP/1.1"},
		{"bare line feeds", "GET / HTTP/1.1\nHost: " + canary + "\n", "", "bare line feed in the request head"},
		{"NUL", "GET / HTTP/1.1\r\nHost: \x00", "", "NUL in the request head"},
		{"bare carriage return", "GET / HTTP/1.1\rHost", "", "bare carriage return in the request head"},
		{"folded line", "GET / HTTP/1.1\r\n Host", "", "folded header line in the request head"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			log.Reset()
			c := r.raw()
			c.SetDeadline(time.Now().Add(headTimeout / 2)) // an answer after the timeout of a head fails
			io.WriteString(c, tt.sent)
			answer := readAll(t, c)
			x := r.next()
			status := 0
			if tt.answer == "" {
				status = http.StatusBadRequest
				tt.answer = "HTTP/1.1 400 bad_request (authsome)\r\n"
				if !strings.Contains(answer, "\r\n\r\nauthsome: "+tt.fault) {
					t.Errorf("the answer is %q", answer)
				}
			}
			if !strings.HasPrefix(answer, tt.answer) {
				t.Errorf("answered %q, want %q", answer, tt.answer)
			}
			if x.Kind != KindRefused || x.Code != CodeBadRequest || x.Status != status || x.Host != "" || x.Method != "" || x.Path != "" {
				t.Errorf("recorded %+v", x)
			}
			if strings.Contains(log.String()+answer, canary) {
				t.Errorf("what the client sent is in %q or %q", &log, answer)
			}
			if lines := strings.Count(log.String(), "\n"); strings.HasPrefix(tt.fault, "the client") && (lines != 1 || !strings.Contains(log.String(), "refused a connection: "+tt.fault)) {
				t.Errorf("logged %q", &log)
			}
		})
	}
}

// Strangers can write one line a minute into the log.
func TestStrangersWithOtherProtocols(t *testing.T) {
	var log bytes.Buffer
	r, _ := newTokenRig(t, func(p *Proxy) { p.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for range 5 {
		c := r.raw()
		io.WriteString(c, "\x16\x03\x01")
		if answer := wantClosed(t, c); !strings.HasPrefix(answer, "HTTP/1.1 400 ") {
			t.Errorf("answered %q", answer)
		}
		if x := r.next(); !x.Stranger || x.Code != CodeBadRequest {
			t.Errorf("recorded %+v", x)
		}
	}
	if lines := strings.Count(log.String(), "refused a connection"); lines != 1 {
		t.Errorf("logged %d lines: %s", lines, &log)
	}
}

// Clients of TLS say that the other end does not speak it.
func TestTLSClientsSayWhatIsWrong(t *testing.T) {
	r := newRig(t, nil)
	if _, err := http.Get("https://" + r.addr + "/"); err == nil || !strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		t.Errorf("net/http says: %v", err)
	}
	if err := tls.Client(r.raw(), &tls.Config{ServerName: routedHost}).Handshake(); err == nil || !strings.Contains(err.Error(), "does not look like a TLS handshake") {
		t.Errorf("crypto/tls says: %v", err)
	}
}

// A head is accepted in any parts.
func TestHeadInParts(t *testing.T) {
	r := newRig(t, nil)
	for _, request := range []string{
		fmt.Sprintf("CONNECT %s:443 HTTP/1.1\r\nHost: %[1]s\r\nA: b\r\n\r\n", routedHost),
		fmt.Sprintf("get http://%s/ HTTP/1.0\r\n\r\n", routedHost), // answered with 403
	} {
		c := r.raw()
		c.(*net.TCPConn).SetNoDelay(true)
		for i := range request {
			io.WriteString(c, request[i:i+1])
		}
		if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") && !strings.Contains(head, string(CodeHTTPSRequired)) {
			t.Errorf("%q was answered %q", request, head)
		}
	}
}

// FuzzForeign checks that no beginning of a head that is accepted is taken for another
// protocol or refused.
func FuzzForeign(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Add("CONNECT a:443 HTTP/1.1\r\n\r\n")
	f.Add("M-SEARCH * HTTP/1.0\r\nA:\r\n\r\n")
	f.Add("PROXY http://a/ HTTP/1.1\r\nHost: a\r\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		i := strings.Index(text, "\r\n\r\n")
		if i < 0 || len(text) > maxHeadBytes {
			return
		}
		raw := []byte(text[:i+4])
		h, err := parseHead(raw, nil)
		if err != nil || h.request.ProtoMajor != 1 || h.request.Method == "PROXY" {
			return
		}
		for n := range raw {
			if err := foreign(raw[:n]); err != nil {
				t.Fatalf("%q: %v", raw[:n], err)
			}
			if err := ambiguous(raw[:n], 0); err != nil {
				t.Fatalf("%q: %v", raw[:n], err)
			}
		}
	})
}
