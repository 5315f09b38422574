package intercept

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// plainRig is a capture whose otherHost also serves plain http, on port 80 and 8080.
func plainRig(t *testing.T) *capture {
	t.Helper()
	c := newCapture(t, func(r *rig) {
		server := httptest.NewServer(http.HandlerFunc(r.serveUpstream))
		t.Cleanup(server.Close)
		to, err := parseTarget(server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for _, port := range []int{80, 8080} {
			r.ConnectTo = append(r.ConnectTo, ConnectTo{From: Target{otherHost, port}, To: to}, ConnectTo{From: Target{routedHost, port}, To: to})
		}
	})
	return c
}

// Plain requests are decided each by its own Host, and none gets a credential.
func TestCapturedPlainRequests(t *testing.T) {
	const other, routed = "Host: " + otherHost, "Host: " + routedHost
	for _, tt := range []struct {
		name, address, head string
		status              int
		code                Code
		host                string
	}{
		{"forwarded", elsewhere + ":80", "GET /x HTTP/1.1\r\n" + other, 200, "", otherHost + ":80"},
		{"with a query", elsewhere + ":80", "GET /x?y=http://z/ HTTP/1.1\r\n" + other, 200, "", otherHost + ":80"},
		{"two slashes", elsewhere + ":80", "GET //" + routedHost + "/x HTTP/1.1\r\n" + other, 200, "", otherHost + ":80"},
		{"with the port", elsewhere + ":80", "GET /x HTTP/1.1\r\n" + other + ":80", 200, "", otherHost + ":80"},
		{"another port", elsewhere + ":8080", "GET /x HTTP/1.1\r\n" + other, 200, "", otherHost + ":8080"},
		{"another port, named", elsewhere + ":8080", "GET /x HTTP/1.1\r\n" + other + ":8080", 200, "", otherHost + ":8080"},
		{"Host over DNS", "198.18.0.1:80", "GET /x HTTP/1.1\r\n" + other, 200, "", otherHost + ":80"},
		{"DNS", "198.18.0.2:80", "GET /x HTTP/1.0", 200, "", otherHost + ":80"},
		{"empty Host", "198.18.0.2:80", "GET /x HTTP/1.1\r\nHost:", 200, "", otherHost + ":80"},
		{"absolute form", elsewhere + ":80", "GET http://" + otherHost + "/x HTTP/1.1\r\n" + other, 200, "", otherHost + ":80"},
		{"absolute form, https", elsewhere + ":80", "GET https://" + otherHost + "/x HTTP/1.1\r\n" + other, 200, "", otherHost + ":443"},

		{"intercepted", elsewhere + ":80", "GET /x HTTP/1.1\r\n" + routed, 403, CodeHTTPSRequired, routedHost + ":80"},
		{"intercepted, another case", elsewhere + ":80", "GET /x HTTP/1.1\r\nHost: " + strings.ToUpper(routedHost) + ".", 403, CodeHTTPSRequired, routedHost + ":80"},
		{"intercepted, on its port", elsewhere + ":443", "GET /x HTTP/1.1\r\n" + routed, 403, CodeHTTPSRequired, routedHost + ":443"},
		{"intercepted by DNS", "198.18.0.1:80", "GET /x HTTP/1.0", 403, CodeHTTPSRequired, routedHost + ":80"},
		{"intercepted, absolute form", elsewhere + ":80", "GET http://" + routedHost + "/x HTTP/1.1\r\n" + other, 403, CodeHTTPSRequired, routedHost + ":80"},
		{"no name", elsewhere + ":80", "GET /x HTTP/1.0", 400, CodeTargetUnknown, elsewhere + ":80"},
		{"no name, empty Host", elsewhere + ":80", "GET /x HTTP/1.1\r\nHost:", 400, CodeTargetUnknown, elsewhere + ":80"},
		{"another port in Host", elsewhere + ":80", "GET /x HTTP/1.1\r\n" + other + ":8080", 421, CodeAuthorityMismatch, elsewhere + ":80"},
		{"invalid Host", elsewhere + ":80", "GET /x HTTP/1.1\r\nHost: a..b", 400, CodeBadRequest, elsewhere + ":80"},
		{"port without a host", elsewhere + ":80", "GET /x HTTP/1.1\r\nHost: :80", 400, CodeBadRequest, elsewhere + ":80"},
		{"asterisk", elsewhere + ":80", "OPTIONS * HTTP/1.1\r\n" + other, 400, CodeBadRequest, otherHost + ":80"},
		{"TRACE", elsewhere + ":80", "TRACE /x HTTP/1.1\r\n" + other, 400, CodeBadRequest, otherHost + ":80"},
		{"metadata", elsewhere + ":80", "GET /x HTTP/1.1\r\nHost: 169.254.169.254", 403, CodePrivateTarget, "169.254.169.254:80"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := plainRig(t)
			response, body := exchange(t, c.dial(tt.address), tt.head+"\r\n\r\n")
			if response.StatusCode != tt.status || response.Header.Get(errorHeader) != string(tt.code) || strings.Contains(body, realKey) {
				t.Errorf("answered %d %s", response.StatusCode, body)
			}
			x := c.next()
			if x.Kind != KindPlain || x.Code != tt.code || net.JoinHostPort(x.Host, fmt.Sprint(x.Port)) != tt.host || x.Injected {
				t.Errorf("recorded %+v", x)
			}
			if got := len(c.requests()); (got == 1) != (tt.status == 200) {
				t.Errorf("the upstream saw %d requests", got)
			}
		})
	}
}

// The requests of a connection go each to the host that it names, and a CONNECT may follow.
func TestCapturedConnectionsAreKept(t *testing.T) {
	c := plainRig(t)
	conn := c.dial("198.18.0.2:80")
	for _, tt := range []struct {
		host string
		code Code
	}{{otherHost, ""}, {routedHost, CodeHTTPSRequired}, {otherHost, ""}, {"a..b", CodeBadRequest}, {otherHost, ""}} {
		response, body := exchange(t, conn, "GET /x HTTP/1.1\r\nHost: "+tt.host+"\r\n\r\n")
		if response.Header.Get(errorHeader) != string(tt.code) || tt.code == "" && body != "GET /x host="+otherHost+" auth=" {
			t.Errorf("%s: %d %s", tt.host, response.StatusCode, body)
		}
	}
	fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: x\r\n\r\n", routedHost)
	if head := readRawHead(t, conn); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("CONNECT was answered %q", head)
	}
	first := c.dial(elsewhere + ":80")
	fmt.Fprintf(first, "CONNECT %s:443 HTTP/1.1\r\nHost: x\r\n\r\n", otherHost)
	if head := readRawHead(t, first); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Errorf("CONNECT as the first request was answered %q", head)
	}
}

// What is neither TLS nor HTTP/1 is refused at its first bytes, and recorded for the host.
func TestCapturedOtherProtocols(t *testing.T) {
	c := newCapture(t, nil)
	for _, tt := range []struct{ address, sent, host string }{
		{elsewhere + ":80", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", elsewhere},
		{"198.18.0.2:443", "SSH-2.0-OpenSSH\r\n", otherHost},
		{"198.18.0.2:443", "\x00\x00\x00\x08\x04\xd2\x16\x2f", otherHost},
		{"198.18.0.2:80", "GET / HTTP/1.1\nHost: x\n", otherHost},
		{"198.18.0.2:80", "GET / HTTP/1.1\r\nHost: " + strings.Repeat("x", maxHeadBytes), otherHost},
	} {
		conn := c.dial(tt.address)
		io.WriteString(conn, tt.sent)
		if answer := wantClosed(t, conn); !strings.HasPrefix(answer, "HTTP/1.1 4") {
			t.Errorf("%.20q was answered %q", tt.sent, answer)
		}
		if x := c.next(); x.Kind != KindRefused || x.Code != CodeBadRequest || x.Host != tt.host || x.Stranger {
			t.Errorf("%.20q: recorded %+v", tt.sent, x)
		}
	}
}
