package main

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// framingThreats try to make the proxy and the service read different requests from the
// same bytes.
var framingThreats = []threat{
	{6, "a request that parsers read differently", func(l *lab) {
		for _, head := range []string{
			"CONNECT api.resend.com:443 HTTP/1.1\nHost: x\r\n\r\n", "CONNECT api.resend.com:443 HTTP/1.1\r\nHost: x\rX: y\r\n\r\n",
			"CONNECT api.resend.com:443 HTTP/1.1\r\nHost: x\x00\r\n\r\n", "CONNECT api.resend.com:443 HTTP/1.1\r\nHost: x\r\n y: z\r\n\r\n",
		} {
			l.want(l.status(l.dial(), head), "400 bad_request")
		}
		body := "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.resend.com\r\n\r\n"
		l.send("api.resend.com", fmt.Sprintf("POST / HTTP/1.1\r\nHost: api.resend.com\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%s", len(body), body))
		l.send("api.resend.com", "POST / HTTP/1.1\r\nHost: api.resend.com\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n123456")
		for _, a := range l.arrived() {
			if a.URL.Path == "/smuggled" && a.Header.Get("Authorization") == "" || a.body != "" {
				l.t.Errorf("the service received %s %s with %q", a.Method, a.URL, a.body)
			}
		}
		for _, head := range l.service.heads() {
			if strings.Contains(head, "\r\nContent-Length:") && strings.Contains(head, "\r\nTransfer-Encoding:") || strings.Count(head, "\r\nHost:") != 1 {
				l.t.Errorf("the service was sent %q", head)
			}
		}
	}, []edit{{"intercept/head.go", "case b == '\\n' && (i == 0 || raw[i-1] != '\\r'):", "case b == 1:"}}},

	{6, "a request within the body of one with an absolute URL", func(l *lab) {
		smuggled := requestFor("https://api.resend.com/smuggled", "api.resend.com")
		for _, framed := range []string{fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(smuggled), smuggled), fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled)} {
			c := l.dial()
			l.status(c, "POST https://evil.example.com/ HTTP/1.1\r\nHost: evil.example.com\r\n"+framed)
			if got := l.status(c, requestFor("https://api.resend.com/", "evil.example.com")); got != "421 authority_mismatch" {
				l.t.Errorf("the next request: %s", got)
			}
		}
		for _, a := range l.arrived() {
			if a.URL.Path != "/" || a.body != smuggled || a.Header.Get("Authorization") != "" {
				l.t.Errorf("the service received %s %s with %q", a.Method, a.URL, a.body)
			}
		}
		if n := len(l.arrived()); n != 2 {
			l.t.Errorf("the service received %d requests", n)
		}
	}, []edit{{"intercept/observe.go", "case r.ContentLength > 0:", "case r.ContentLength > 1<<40:"}}},

	{7, "a Connection header that names the credential's header", func(l *lab) {
		l.want(l.send("api.resend.com", requestFor("/", "api.resend.com", "Connection: Authorization")), "200", connectionBearer)
	}, []edit{{"intercept/request.go", "c.applied, c.exchange.Injected = applied, true", "c.applied, c.exchange.Injected = applied, true\n\t\tfor _, name := range connectionOptions(c.r.Header) {\n\t\t\tc.out.Header.Del(name)\n\t\t}"}}},

	{9, "an upgrade to another protocol than WebSocket", func(l *lab) {
		l.want(l.send("api.resend.com", requestFor("/", "api.resend.com", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")), "200", connectionBearer)
		l.want(l.status(l.dial(), requestFor("https://api.resend.com/", "api.resend.com", "Connection: Authorization, Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__", "Proxy-Authorization: Basic eDp5")), "200", connectionBearer, connectionBearer)
		for _, a := range l.arrived() {
			if a.Header.Get("Proxy-Authorization") != "" || a.Header.Get("Upgrade") != "" || a.Header.Get("Http2-Settings") != "" {
				l.t.Errorf("the service received %v", a.Header)
			}
		}
	}, []edit{{"intercept/request.go", "if websocketUpgrade(r) {", "if len(r.Header[\"Upgrade\"]) > 0 {"}}},

	{10, "TRACE, and OPTIONS *", func(l *lab) {
		for _, line := range []string{"TRACE /", "trace /", "TRACK /", "OPTIONS *"} {
			if got := l.send("api.resend.com", line+" HTTP/1.1\r\nHost: api.resend.com\r\n\r\n"); !strings.HasPrefix(got, "400") && !strings.HasPrefix(got, "405") {
				l.t.Errorf("%s: %s", line, got)
			}
		}
		l.want("", "")
	}, []edit{{"intercept/request.go", "case echoes(r.Method):", "case false && echoes(r.Method):"}}},

	{11, "a credential in the trailers of a request", func(l *lab) {
		l.want(l.send("api.resend.com", "POST / HTTP/1.1\r\nHost: api.resend.com\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\nAuthorization: Bearer evil\r\n\r\n"), "200", connectionBearer)
		for _, a := range l.arrived() {
			if len(a.Trailer) > 0 || a.Header.Get("Trailer") != "" {
				l.t.Errorf("the service received trailers %v", a.Trailer)
			}
		}
	}, []edit{{"intercept/request.go", "Header: h, Body: r.Body,", "Header: h, Trailer: r.Trailer, Body: r.Body,"}}},

	{26, "an upgrade that the client did not ask for; a WebSocket is relayed as it is", func(l *lab) {
		c := l.secure("api.resend.com")
		got, _, _ := l.exchange(c, requestFor("/switch", "api.resend.com", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="))
		l.want(got, "101", connectionBearer)
		frame := []byte{0x81, 0x82, 1, 2, 3, 4, 'h' ^ 1, 'i' ^ 2, 0x00, 0xff}
		if _, err := c.Write(frame); err != nil {
			l.t.Fatal(err)
		}
		back := make([]byte, len(frame))
		if _, err := io.ReadFull(c, back); err != nil || !bytes.Equal(back, frame) {
			l.t.Errorf("%x came back as %x, %v", frame, back, err)
		}
		if got := l.send("api.resend.com", requestFor("/switch", "api.resend.com")); got != "502 upstream_unreachable" {
			l.t.Errorf("an upgrade that nobody asked for: %s", got)
		}
	}, []edit{{"intercept/response.go", `|| c.out.Header.Get("Upgrade") == "" {`, "{"}}},

	{29, "heads that are too large or never end", func(l *lab) {
		large := "X: " + strings.Repeat("a", 20<<10)
		if got := l.status(l.dial(), "CONNECT api.resend.com:443 HTTP/1.1\r\nHost: x\r\n"+large+"\r\n\r\n"); got != "431 bad_request" {
			l.t.Errorf("20 KiB before the tunnel: %s", got)
		}
		l.want(l.send("api.resend.com", requestFor("/", "api.resend.com", strings.TrimSuffix(strings.Repeat(large+"\r\n", 14), "\r\n"))), "431")
	}, []edit{{"intercept/proxy.go", "maxHeadBytes  = 16 << 10", "maxHeadBytes  = 16 << 20"}}},

	{36, "the first bytes of TLS in the same packet as CONNECT", func(l *lab) {
		c := &earlyConn{Conn: l.dial(), head: []byte("CONNECT api.resend.com:443 HTTP/1.1\r\nHost: x\r\n\r\n")}
		secure := tls.Client(c, &tls.Config{ServerName: "api.resend.com", RootCAs: l.roots})
		l.want(l.status(secure, requestFor("/", "api.resend.com")), "200", connectionBearer)
	}, []edit{{"intercept/adopt.go", "prefixConn{Conn: a.proxy.steady(client), early: early}", "prefixConn{Conn: a.proxy.steady(client)}"}}},
}

// earlyConn sends a head together with the first bytes that are written, and removes the
// answer to it from what is read.
type earlyConn struct {
	net.Conn
	head     []byte
	answered bool
}

func (c *earlyConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(slices.Concat(c.head, b))
	n -= len(c.head)
	c.head = nil
	return n, err
}

func (c *earlyConn) Read(b []byte) (int, error) {
	if !c.answered {
		c.answered = true
		var head []byte
		for one := make([]byte, 1); !bytes.HasSuffix(head, []byte("\r\n\r\n")); head = append(head, one[0]) {
			if _, err := io.ReadFull(c.Conn, one); err != nil {
				return 0, err
			}
		}
	}
	return c.Conn.Read(b)
}
