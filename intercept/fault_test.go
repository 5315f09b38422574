package intercept

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/authsome/authsome/providers"
)

// A body that cannot be read is the client's fault. Its connection ends, whatever the
// upstream answered, so that no part of the body is read as another request.
func TestUnreadableBodyEndsTheConnection(t *testing.T) {
	const smuggled = "GET /smuggled HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n"
	tests := []struct {
		name  string
		early bool   // the upstream answers before it reads the body
		start string // of the body
		rest  string
		code  Code
	}{
		{"bad chunk", false, "4\r\nbody\r\n", "xyz\r\n" + smuggled + smuggled, CodeBadRequest},
		{"bad chunk end", false, "4\r\nbody", "XX" + smuggled, CodeBadRequest},
		{"bad trailer", false, "4\r\nbody\r\n", "0\r\nno colon\r\n\r\n" + smuggled, CodeBadRequest},
		{"broken off", false, "4\r\nbody\r\n", "", CodeBadRequest},
		{"bad chunk after the answer", true, "4\r\nbody\r\n", "xyz\r\n" + smuggled, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, nil)
			started := make(chan struct{})
			r.handle(func(w http.ResponseWriter, q *http.Request) {
				io.ReadFull(q.Body, make([]byte, 2))
				close(started)
				if !tt.early {
					io.Copy(io.Discard, q.Body)
				}
			})
			c := r.inside()
			answers := bufio.NewReader(c)
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: %s\r\nTransfer-Encoding: chunked\r\n\r\n%s", routedHost, tt.start)
			<-started
			var response *http.Response
			var err error
			if tt.early {
				response, err = http.ReadResponse(answers, nil)
			}
			io.WriteString(c, tt.rest)
			if tt.rest == "" {
				c.CloseWrite()
			}
			if !tt.early {
				response, err = http.ReadResponse(answers, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, response.Body)
			if response.Header.Get(errorHeader) != string(tt.code) || !response.Close {
				t.Errorf("got %s %v", response.Status, response.Header)
			}
			if more, err := http.ReadResponse(answers, nil); err == nil {
				t.Errorf("the connection went on: %s", more.Status)
			}
			if x := r.next(); x.Code != tt.code || x.Status != response.StatusCode {
				t.Errorf("recorded %+v", x)
			}
			if n := len(r.requests()); n != 1 {
				t.Errorf("the upstream saw %d requests", n)
			}
		})
	}
}

// A request that cannot take the credential is the client's fault, and no reason to log
// in again.
func TestRequestThatCannotTakeTheCredential(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.Credentials = failing{fmt.Errorf("apply: %w", providers.RequestError("the query is ambiguous"))}
	})
	response, body := get(t, r.client(), "https://"+routedHost+"/")
	if response.StatusCode != 400 || response.Header.Get(errorHeader) != string(CodeBadRequest) || !strings.Contains(body, "the query is ambiguous") {
		t.Errorf("got %d %q", response.StatusCode, body)
	}
	if x := r.next(); x.Code != CodeBadRequest || x.Provider != "example" {
		t.Errorf("recorded %+v", x)
	}
}

// waiting is a Credentials that has none before the client has left.
type waiting struct{ entered chan struct{} }

func (w waiting) Apply(ctx context.Context, _ *http.Request, _, _ string) (Applied, error) {
	close(w.entered)
	<-ctx.Done()
	return Applied{}, ctx.Err()
}

func (w waiting) Renew(context.Context, string, string, uint64) bool { return false }

// A client that leaves while its credential is refreshed does not need a login.
func TestClientLeavesBeforeItsCredentialIsReady(t *testing.T) {
	w := waiting{make(chan struct{})}
	r := newRig(t, func(r *rig) { r.Credentials = w })
	c := r.inside()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", routedHost)
	<-w.entered
	c.Close()
	if x := r.next(); x.Code != "" || !x.Aborted {
		t.Errorf("recorded %+v", x)
	}
}

// The answer names the side at fault, and does not say that a request was not sent when
// it was.
func TestWhoseFaultAFailedRequestIs(t *testing.T) {
	op := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	tests := []struct {
		name string
		err  error
		sent bool
		code Code
		text string
	}{
		{"no route to the host", op("dial", os.NewSyscallError("connect", syscall.EHOSTUNREACH)), false, CodeUpstreamUnreachable, "cannot reach "},
		{"reset before the request", op("read", syscall.ECONNRESET), false, CodeUpstreamUnreachable, "cannot reach "},
		{"reset after the request", op("read", syscall.ECONNRESET), true, CodeUpstreamUnreachable, "got the request and sent no valid response"},
		{"closed after the request", io.EOF, true, CodeUpstreamUnreachable, "got the request and sent no valid response"},
		{"malformed response", errors.New("malformed"), true, CodeUpstreamUnreachable, "got the request and sent no valid response"},
		{"dial of a second try", op("dial", syscall.ECONNREFUSED), true, CodeUpstreamUnreachable, "cannot reach "},
		{"alert in the handshake", op("remote error", tls.AlertError(40)), false, CodeUpstreamTLS, "the request was not sent"},
		{"alert after the request", op("remote error", tls.AlertError(116)), true, CodeUpstreamTLS, "ended TLS after the request was sent"},
		{"no descriptors", op("dial", os.NewSyscallError("socket", syscall.EMFILE)), false, CodeInternal, "too many open files"},
		{"no ports", op("dial", os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)), false, CodeInternal, "the proxy's machine"},
	}
	for _, tt := range tests {
		r := upstreamRefusal(Target{routedHost, 443}, tt.err, tt.sent)
		if r.Code != tt.code || !strings.Contains(r.Message, tt.text) {
			t.Errorf("%s: %s", tt.name, r)
		}
	}
}
