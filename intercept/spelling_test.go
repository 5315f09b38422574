package intercept

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/authsome/authsome/routing"
)

// overHTTP2 returns an intercepted connection for raw HTTP/2, after its settings.
func (r *rig) overHTTP2() *frames {
	r.t.Helper()
	c := tls.Client(r.connect(routedHost+":443"), &tls.Config{RootCAs: pool(r.t, r.authority), ServerName: routedHost, NextProtos: []string{"h2"}})
	if err := c.Handshake(); err != nil {
		r.t.Fatal(err)
	}
	fmt.Fprint(c, http2.ClientPreface)
	f := newFrames(c)
	f.WriteSettings()
	return f
}

// answer returns the response head on a stream. A reset stream has the status "reset".
func (f *frames) answer(t *testing.T, stream uint32) (status, code string) {
	t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				f.WriteSettingsAck()
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == stream {
				return "reset", ""
			}
		case *http2.MetaHeadersFrame:
			if frame.StreamID == stream {
				for _, field := range frame.RegularFields() {
					if field.Name == strings.ToLower(errorHeader) {
						code = field.Value
					}
				}
				return frame.PseudoValue("status"), code
			}
		}
	}
}

// HTTP/2 can carry a target and a Host that HTTP/1.1 cannot. They are refused, whatever
// the upstream speaks.
func TestTargetAndHostOverHTTP2(t *testing.T) {
	r := newRig(t, nil)
	f := r.overHTTP2()
	for i, tt := range []struct {
		path, authority string
		more            []string
		status          string
		code            Code
	}{
		{"/ok", routedHost, nil, "200", ""},
		{"/ok", routedHost, []string{"host", routedHost}, "200", ""},
		{"/ok", routedHost, []string{"host", routedHost + ":443"}, "200", ""},
		{"/a b", routedHost, nil, "400", CodeBadRequest},
		{"/?a b", routedHost, nil, "400", CodeBadRequest},
		{"/?x HTTP/1.1", routedHost, nil, "400", CodeBadRequest},
		{"/a\x01", routedHost, nil, "reset", ""},
		{"/a\r\nX: y", routedHost, nil, "reset", ""},
		{"/a\x7f", routedHost, nil, "reset", ""},
		{"/", routedHost, []string{"host", otherHost}, "421", CodeAuthorityMismatch},
		{"/", routedHost, []string{"host", routedHost + ":444"}, "421", CodeAuthorityMismatch},
		{"/", routedHost, []string{"host", ""}, "421", CodeAuthorityMismatch},
		{"/", routedHost, []string{"host", routedHost, "host", otherHost}, "421", CodeAuthorityMismatch},
		{"/", otherHost, []string{"host", routedHost}, "421", CodeAuthorityMismatch},
	} {
		stream := uint32(2*i + 1)
		f.head(stream, true, append([]string{":method", "GET", ":scheme", "https", ":authority", tt.authority, ":path", tt.path}, tt.more...)...)
		if status, code := f.answer(t, stream); status != tt.status || code != string(tt.code) {
			t.Errorf("%q at %s with %q: %s %s", tt.path, tt.authority, tt.more, status, code)
		}
	}
	for _, q := range r.requests() {
		if q.URL.Path != "/ok" || q.Host != routedHost {
			t.Errorf("sent: %s at %s", q.URL, q.Host)
		}
	}
}

// Servers that make environment variables of headers cannot tell these names from the
// plain ones.
func TestDisguisedHeaders(t *testing.T) {
	d, injection := slots(t)
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) {
		r.Routes = func() *routing.Table { return routes }
		r.Credentials = key{injection}
	})
	names := []string{"X_Key", "x_KEY", "X.Key", "X!Key", "Content_Length", "transfer_encoding", "Transfer.Encoding", "Keep_Alive", "X_Own"}
	header := make([]string, 0, 2*len(names))
	for _, name := range names {
		header = append(header, name, "5")
	}
	if response, body := get(t, r.http1(), "https://"+routedHost+"/bot/x/y", header...); response.StatusCode != 200 {
		t.Fatalf("%d %s", response.StatusCode, body)
	}
	got := r.requests()[0].Header
	for name := range got {
		if strings.ContainsAny(name, "_.!") && name != "X_own" {
			t.Errorf("sent: %s", name)
		}
	}
	if got.Get("X-Key") != realKey || got.Get("X_own") != "5" {
		t.Errorf("sent: %v", got)
	}
}

// A method in another spelling of a header or in the query counts as the header does.
func TestMethodOverridesInEverySpelling(t *testing.T) {
	d, _ := slots(t) // gives credentials to GET only
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) {
		r.Routes = func() *routing.Table { return routes }
		r.Credentials = failing{&Refusal{Status: http.StatusTeapot, Code: CodeInternal}}
	})
	for _, tt := range []struct {
		query, header string
		status        int
	}{
		{"", "X_HTTP_Method_Override: DELETE", 400},
		{"", "X_Http_Method: DELETE", 400},
		{"", "X.Method.Override: delete", 400},
		{"", "X_HTTP_Method_Override: TRACE", 400},
		{"", "X_HTTP_Method_Override: GET", 418},
		{"?_method=DELETE", "X: y", 400},
		{"?a=b&%5Fmethod=%64elete", "X: y", 400},
		{"?a=b;_METHOD=put", "X: y", 400},
		{"?+_method=put", "X: y", 400},
		{"?_HttpMethod=PATCH", "X: y", 400},
		{"?x-http-method-override=PATCH", "X: y", 400},
		{"?_method=track", "X: y", 400},
		{"?_method=get", "X: y", 418},
		{"?method=flickr.photos.search&a=_method", "X: y", 418},
	} {
		response, body := exchange(t, r.inside(), "GET /bot/x/y"+tt.query+" HTTP/1.1\r\nHost: "+routedHost+"\r\n"+tt.header+"\r\n\r\n")
		if response.StatusCode != tt.status {
			t.Errorf("%s %s: %d %s", tt.query, tt.header, response.StatusCode, body)
		}
	}
}

// What an upstream sends in the proxy's name, or to frame a message in its trailers,
// does not reach the client.
func TestUpstreamCannotAnswerForTheProxy(t *testing.T) {
	for _, protocol := range []string{"h2", "http/1.1"} {
		t.Run(protocol, func(t *testing.T) {
			var upstream hostile
			r := newRig(t, func(r *rig) {
				if protocol == "h2" {
					upstream.http2(t, r, func(f *frames, h *http2.MetaHeadersFrame) {
						f.head(h.StreamID, false, ":status", "103", "x-authsome-error", "login_required", "x-authsome-new", "1", "link", "<a>")
						f.head(h.StreamID, false, ":status", "200", "x-authsome-error", "login_required", "trailer", "content-length, x-sum, x-authsome-error")
						f.WriteData(h.StreamID, false, []byte("body"))
						f.head(h.StreamID, true, "transfer-encoding", "chunked", "content-length", "9", "host", "x", "trailer", "y", "x-authsome-error", "login_required", "set-cookie", "a=b", "x-sum", "1")
					})
					return
				}
				upstream.http1(t, r, func(string, int) string {
					return "HTTP/1.1 103 Early Hints\r\nX-Authsome-Error: login_required\r\nX-authsome-New: 1\r\nLink: <a>\r\n\r\n" +
						"HTTP/1.1 200 OK\r\nX-Authsome-Error: login_required\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Authsome-Error\r\n\r\n4\r\nbody\r\n" +
						"0\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\nHost: x\r\nX-Authsome-Error: login_required\r\nX-Sum: 1\r\n\r\n"
				})
			})
			c := r.inside()
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nTE: trailers\r\nConnection: close\r\n\r\n", routedHost)
			got := readAll(t, c)
			for _, never := range []string{"X-Authsome", "Content-Length", "Host", "\r\nTrailer: Content-Length", "\r\nTrailer: Y"} {
				if strings.Contains(got, never) {
					t.Errorf("%s in %q", never, got)
				}
			}
			if strings.Count(got, "Transfer-Encoding") != 1 || !strings.HasSuffix(got, "0\r\nX-Sum: 1\r\n\r\n") && !strings.Contains(got, "X-Sum: 1\r\n") || !strings.Contains(got, "Link: <a>") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A status that a client cannot be sent gives a 502, not a broken connection.
func TestInvalidStatusOverHTTP2(t *testing.T) {
	var upstream hostile
	status := make(chan string, 1)
	r := newRig(t, func(r *rig) {
		upstream.http2(t, r, func(f *frames, h *http2.MetaHeadersFrame) { f.head(h.StreamID, true, ":status", <-status) })
	})
	for _, s := range []string{"99999", "1000", "99", "-1", "abc", "2e2", ""} {
		for _, c := range []*http.Client{r.client(), r.http1(), r.absolute()} {
			status <- s
			response, body := get(t, c, "https://"+routedHost+"/")
			if response.StatusCode != 502 || response.Header.Get(errorHeader) != string(CodeUpstreamUnreachable) {
				t.Errorf("%q: %d %s", s, response.StatusCode, body)
			}
		}
	}
	for _, s := range []string{"200", "599", "999"} {
		status <- s
		if response, _ := get(t, r.client(), "https://"+routedHost+"/"); fmt.Sprint(response.StatusCode) != s {
			t.Errorf("%q: %d", s, response.StatusCode)
		}
	}
}
