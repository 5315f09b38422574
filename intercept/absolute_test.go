package intercept

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// A request for an https:// URL in absolute form is for the authority of the URL, which
// its Host must not contradict.
func TestAuthorityOfAnAbsoluteURL(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.ConnectTo = append(r.ConnectTo, ConnectTo{From: Target{routedHost, 8443}, To: r.ConnectTo[0].To})
	})
	host := "\r\nHost: " + routedHost + "\r\n\r\n"
	for _, tt := range []struct {
		name, request, want string // the status and the code or what the upstream saw
	}{
		{"same host", "GET https://" + routedHost + "/a?b=c HTTP/1.1" + host, "200 GET /a?b=c host=" + routedHost + " auth=Bearer " + realKey},
		{"without a path", "GET https://" + routedHost + " HTTP/1.1" + host, "200 GET / host="},
		{"query without a path", "GET https://" + routedHost + "?b HTTP/1.1" + host, "200 GET /?b host="},
		{"two slashes", "GET https://" + routedHost + "//evil.test/ HTTP/1.1" + host, "200 GET //evil.test/ host=" + routedHost},
		{"port", "GET https://" + routedHost + ":443/ HTTP/1.1" + host, "200 GET / host=" + routedHost + " "},
		{"port in Host", "GET https://" + routedHost + "/ HTTP/1.1\r\nHost: " + routedHost + ":443\r\n\r\n", "200 GET / host=" + routedHost + " "},
		{"capitals and a dot", "GET HTTPS://API.Example.COM./ HTTP/1.1" + host, "200 GET / host=" + routedHost + " auth=Bearer"},
		{"HTTP/1.0 without Host", "GET https://" + routedHost + "/ HTTP/1.0\r\n\r\n", "200 GET / host=" + routedHost + " auth=Bearer"},
		{"other port", "GET https://" + routedHost + ":8443/ HTTP/1.1\r\nHost: " + routedHost + ":8443\r\n\r\n", "200 GET / host=" + routedHost + ":8443 auth="},
		{"other host", "GET https://" + routedHost + "/ HTTP/1.1\r\nHost: evil.test\r\n\r\n", "421 authority_mismatch"},
		{"provider's host in Host", "GET https://" + otherHost + "/ HTTP/1.1" + host, "421 authority_mismatch"},
		{"other port in Host", "GET https://" + routedHost + "/ HTTP/1.1\r\nHost: " + routedHost + ":444\r\n\r\n", "421 authority_mismatch"},
		{"other host in HTTP/1.0", "GET https://" + routedHost + "/ HTTP/1.0\r\nHost: evil.test\r\n\r\n", "421 authority_mismatch"},
		{"empty Host", "GET https://" + routedHost + "/ HTTP/1.1\r\nHost:\r\n\r\n", "421 authority_mismatch"},
		{"two Hosts", "GET https://" + routedHost + "/ HTTP/1.1\r\nHost: " + routedHost + host, "400 "},
		{"no Host", "GET https://" + routedHost + "/ HTTP/1.1\r\n\r\n", "400 "},
		{"user name", "GET https://user@" + routedHost + "/ HTTP/1.1" + host, "400 bad_request"},
		{"host as user name", "GET https://" + routedHost + "@evil.test/ HTTP/1.1" + host, "400 bad_request"},
		{"no host", "GET https:///x HTTP/1.1" + host, "400 bad_request"},
		{"one slash", "GET https:/" + routedHost + "/ HTTP/1.1" + host, "400 bad_request"},
		{"opaque", "GET https:" + routedHost + " HTTP/1.1" + host, "400 "},
		{"no port", "GET https://" + routedHost + ":/ HTTP/1.1" + host, "400 bad_request"},
		{"leading zero", "GET https://" + routedHost + ":0443/ HTTP/1.1" + host, "400 bad_request"},
		{"encoded host", "GET https://%61pi.example.com/ HTTP/1.1" + host, "400 "},
		{"encoded host outside of ASCII", "GET https://%c3%a4pi.test/ HTTP/1.1\r\nHost: xn--pi-uia.test\r\n\r\n", "400 bad_request"},
		{"backslash", "GET https://" + routedHost + "\\@evil.test/ HTTP/1.1" + host, "400 "},
		{"fragment in the host", "GET https://" + routedHost + "#.evil.test/ HTTP/1.1" + host, "400 "},
		{"number as address", "GET https://2130706433/ HTTP/1.1\r\nHost: 2130706433\r\n\r\n", "400 bad_request"},
		{"zone", "GET https://[fe80::1%25eth0]/ HTTP/1.1\r\nHost: x\r\n\r\n", "400 bad_request"},
		{"TRACE", "TRACE https://" + routedHost + "/ HTTP/1.1" + host, "400 bad_request"},
		{"track", "track https://" + routedHost + "/ HTTP/1.1" + host, "400 bad_request"},
		{"OPTIONS of all", "OPTIONS https://" + routedHost + " HTTP/1.1" + host, "400 bad_request"},
		{"other scheme", "GET ftp://" + routedHost + "/ HTTP/1.1" + host, "400 bad_request"},
		{"wss", "GET wss://" + routedHost + "/ HTTP/1.1" + host, "400 bad_request"},
		{"own name", "GET https://" + SelfHost + "/ HTTP/1.1\r\nHost: " + SelfHost + "\r\n\r\n", "200 " + SelfAnswer},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(r.requests())
			response, body := exchange(t, r.raw(), tt.request)
			if response.StatusCode != 200 {
				body = response.Header.Get(errorHeader)
			}
			if got := fmt.Sprint(response.StatusCode, " ", body); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if sent := len(r.requests()) - before; sent > 0 != strings.Contains(tt.want, " host=") {
				t.Errorf("the upstream saw %d requests", sent)
			}
		})
	}
}

// Each request on a connection is decided for itself, whatever came before it, also if
// they are sent at once.
func TestAbsoluteURLsOnOneConnection(t *testing.T) {
	r := newRig(t, nil)
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		io.Copy(io.Discard, q.Body) // a connection whose request was not read to its end is closed
		fmt.Fprintf(w, "%s %s host=%s auth=%s", q.Method, q.URL.RequestURI(), q.Host, strings.ReplaceAll(q.Header.Get("Authorization"), realKey, "KEY"))
	})
	origin := httptest.NewServer(http.HandlerFunc(r.serveUpstream))
	defer origin.Close()
	plain := strings.TrimPrefix(origin.URL, "http://")
	chunked := "Transfer-Encoding: chunked\r\n\r\n6;x=y\r\nGET \r\n\r\n0\r\nX-Late: 1\r\n\r\n"
	steps := []struct{ request, want string }{
		{"GET " + origin.URL + "/1 HTTP/1.1\r\nHost: other-name\r\nAuthorization: mine\r\n\r\n", "GET /1 host=" + plain + " auth=mine"},
		{"GET https://" + routedHost + "/2 HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", "GET /2 host=" + routedHost + " auth=Bearer KEY"},
		{"POST https://" + otherHost + "/3 HTTP/1.1\r\nHost: " + otherHost + "\r\nAuthorization: mine\r\nContent-Length: 4\r\n\r\nGET ", "POST /3 host=" + otherHost + " auth=mine"},
		{"GET https://" + routedHost + "/4 HTTP/1.1\r\nHost: " + otherHost + "\r\n\r\n", `"code":"authority_mismatch"`},
		{"POST https://" + routedHost + "/5 HTTP/1.1\r\nHost: " + routedHost + "\r\n" + chunked, "POST /5 host=" + routedHost + " auth=Bearer KEY"},
		{"GET https://" + otherHost + "/6 HTTP/1.1\r\nHost: " + otherHost + "\r\n\r\n", "GET /6 host=" + otherHost + " auth="},
		{"GET " + origin.URL + "/7 HTTP/1.1\r\nHost: x\r\n\r\n", "GET /7 host=" + plain + " auth="},
		{"POST https://" + otherHost + "/8 HTTP/1.1\r\nHost: " + otherHost + "\r\n" + chunked, "POST /8 host=" + otherHost + " auth="},
		{"GET https://" + otherHost + "/9 HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", `"code":"authority_mismatch"`},
	}
	var all strings.Builder
	for _, s := range steps {
		all.WriteString(s.request)
	}
	for _, atOnce := range []bool{false, true} {
		c := r.raw()
		in := bufio.NewReader(c)
		if atOnce {
			io.WriteString(c, all.String())
		}
		for _, s := range steps {
			if !atOnce {
				io.WriteString(c, s.request)
			}
			response, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatalf("%q: %v", s.request, err)
			}
			body, _ := io.ReadAll(response.Body)
			if !strings.Contains(string(body), s.want) {
				t.Errorf("%q: %d %q, want %q", s.request, response.StatusCode, body, s.want)
			}
		}
		// A CONNECT can follow.
		fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: x\r\n\r\n", otherHost)
		if response, err := http.ReadResponse(in, &http.Request{Method: "CONNECT"}); err != nil || response.StatusCode != 200 {
			t.Errorf("CONNECT: %v, %v", response, err)
		}
	}
	for _, q := range r.requests() {
		for _, name := range []string{"X-Late", "Proxy-Authorization", "Proxy-Connection"} {
			if q.Header.Get(name)+q.Trailer.Get(name) != "" {
				t.Errorf("%s has %s", q.URL, name)
			}
		}
	}
}

// Only what cannot be read on the way to the proxy is taken without TLS.
func TestAbsoluteURLNeedsLoopback(t *testing.T) {
	for from, code := range map[string]Code{"192.0.2.7:4711": CodeTunnelRequired, "[2001:db8::1]:4711": CodeTunnelRequired, "127.0.0.1:4711": "", "[::1]:4711": ""} {
		first := newRig(t, nil)
		r := sibling(first, &Proxy{Token: secret.New("the token")})
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		r.serve(fromListener{l, from})
		for _, host := range []string{routedHost, otherHost} {
			request := "GET https://" + host + "/ HTTP/1.1\r\nHost: " + host + "\r\n"
			if response, _ := exchange(t, r.raw(), request+"\r\n"); response.StatusCode != http.StatusProxyAuthRequired {
				t.Errorf("without the token: %d", response.StatusCode)
			}
			if x := r.next(); !x.Stranger || x.Host != "" || x.Path != "" {
				t.Errorf("recorded %+v", x)
			}
			response, body := exchange(t, r.raw(), request+"Proxy-Authorization: Bearer the token\r\n\r\n")
			if got := response.Header.Get(errorHeader); got != string(code) || code != "" && response.StatusCode != http.StatusForbidden {
				t.Errorf("from %s to %s: %d %q", from, host, response.StatusCode, body)
			}
			if x := r.next(); x.Code != code || x.Host != host || x.Injected != (code == "" && host == routedHost) {
				t.Errorf("recorded %+v", x)
			}
		}
		for _, q := range first.requests() {
			if code != "" || q.Header.Get("Proxy-Authorization") != "" {
				t.Errorf("from %s: the upstream saw %s %v", from, q.Host, q.Header)
			}
		}
	}
}

// fromListener is a listener whose clients have one address.
type fromListener struct {
	net.Listener
	from string
}

func (l fromListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return addressed{c, l.from}, nil
}

// A request to a host without a route is forwarded over verified TLS, without a
// credential and without a placeholder.
func TestAbsoluteURLOfAnotherHost(t *testing.T) {
	r := newRig(t, nil)
	if _, body := get(t, r.absolute(), "https://"+otherHost+"/x?y", "Authorization", "Bearer mine", "Connection", "X-Hop", "X-Hop", "1"); body != "GET /x?y host="+otherHost+" auth=Bearer mine" {
		t.Errorf("upstream saw %q", body)
	}
	if x := r.next(); x.Kind != KindPlain || x.Reason != routing.NoRoute || x.Host != otherHost || x.Port != 443 || x.Provider != "" || x.Injected {
		t.Errorf("recorded %+v", x)
	}
	if h := r.requests()[0].Header; h.Get("X-Hop") != "" || r.requests()[0].ProtoMajor != 2 {
		t.Errorf("upstream got %s %v", r.requests()[0].Proto, h)
	}
	for _, header := range [][]string{{"Authorization", "Bearer " + providers.PlaceholderMark}, {"Authorization", "Basic " + basic(providers.PlaceholderMark+":")}, {"X-Any", "a" + providers.PlaceholderMark}} {
		response, body := get(t, r.absolute(), "https://"+otherHost+"/", header...)
		if response.StatusCode != 403 || response.Header.Get(errorHeader) != string(CodePlaceholder) {
			t.Errorf("%v: %d %s", header, response.StatusCode, body)
		}
	}
	if n := len(r.requests()); n != 1 {
		t.Errorf("the upstream saw %d requests", n)
	}
	second := newRig(t, func(s *rig) { s.ConnectTo, s.UpstreamRoots = r.ConnectTo, pool(t, r.authority) }) // not the upstream's
	if response, body := get(t, second.absolute(), "https://"+otherHost+"/"); response.StatusCode != 502 || response.Header.Get(errorHeader) != string(CodeUpstreamTLS) {
		t.Errorf("another certificate: %d %s", response.StatusCode, body)
	}
	denying := table(t, definition(t, routedHost), ready, routing.Options{DenyUnmatched: true})
	third := newRig(t, func(s *rig) { s.Routes = func() *routing.Table { return denying } })
	if response, body := get(t, third.absolute(), "https://"+otherHost+"/"); response.StatusCode != 403 || response.Header.Get(errorHeader) != string(CodeHostDenied) {
		t.Errorf("denied: %d %s", response.StatusCode, body)
	}
	if n := len(r.requests()) + len(second.requests()) + len(third.requests()); n != 1 {
		t.Errorf("the upstreams saw %d requests", n)
	}
}

// Requests in absolute form reach their hosts through the upstream proxy, intercepted or
// not.
func TestAbsoluteURLThroughAnUpstreamProxy(t *testing.T) {
	far := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return &routing.Table{} } })
	r := newRig(t, func(r *rig) {
		r.ConnectTo, r.UpstreamRoots = nil, pool(t, far.certs)
		r.UpstreamProxy = func(*url.URL) (*url.URL, error) { return &url.URL{Scheme: "http", Host: far.addr}, nil }
	})
	for _, host := range []string{routedHost, otherHost} {
		if _, body := get(t, r.absolute(), "https://"+host+"/"); !strings.HasPrefix(body, "GET / host="+host+" ") {
			t.Errorf("upstream saw %q", body)
		}
	}
	deadline := time.Now().Add(limit)
	for recorded := 0; recorded < 2; {
		r.ForgetConnections() // again and again: a connection may become idle only after its client has the whole response
		select {
		case x := <-far.recorded:
			if recorded++; x.Kind != KindTunnel {
				t.Errorf("the upstream proxy recorded %+v", x)
			}
		case <-time.After(10 * time.Millisecond):
			if time.Now().After(deadline) {
				t.Fatal("the connections to the upstream proxy did not end")
			}
		}
	}
}

// The upstream proxy may have a private address, also where clients cannot reach those.
func TestUpstreamProxyAtAPrivateAddress(t *testing.T) {
	origin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "plain") }))
	defer origin.Close()
	to, err := parseTarget(origin.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far := newRig(t, func(r *rig) {
		r.Routes = func() *routing.Table { return &routing.Table{} }
		r.ConnectTo = append(r.ConnectTo, ConnectTo{From: Target{"plain.example.net", 80}, To: to})
	})
	r := sibling(far, &Proxy{Token: secret.New("t"), UpstreamProxy: func(*url.URL) (*url.URL, error) { return &url.URL{Scheme: "http", Host: far.addr}, nil }})
	r.ConnectTo = nil
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	r.serve(l)
	r.addr = net.JoinHostPort("127.0.0.1", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	if _, body := get(t, r.absolute(), "https://"+otherHost+"/"); !strings.HasPrefix(body, "GET / host="+otherHost) {
		t.Errorf("https: %q", body)
	}
	if _, body := get(t, r.client(), "http://plain.example.net/"); body != "plain" {
		t.Errorf("http: %q", body)
	}
	for _, request := range everyForm("127.0.0.1:1", "/") {
		if response, body := exchange(t, r.raw(), request); response.Header.Get(errorHeader) != string(CodePrivateTarget) {
			t.Errorf("%q: %d %s", request, response.StatusCode, body)
		}
	}
}

// A client of HTTP/1.0 gets no 1xx response, which it would take for the final one.
func TestNoInformationalResponsesInHTTP10(t *testing.T) {
	r := newRig(t, nil)
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a>")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "final")
	})
	if response, body := exchange(t, r.raw(), "GET https://"+routedHost+"/ HTTP/1.0\r\n\r\n"); response.StatusCode != 200 || body != "final" {
		t.Errorf("%d %q", response.StatusCode, body)
	}
}

// A WebSocket can be opened in absolute form too, and its bytes are not read as requests.
func TestAbsoluteURLOfAWebSocket(t *testing.T) {
	for _, host := range []string{routedHost, otherHost} {
		r := newRig(t, nil)
		r.handle(func(w http.ResponseWriter, _ *http.Request) {
			c, buffered, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			fmt.Fprint(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
			io.CopyN(c, buffered, 12)
		})
		c := r.raw()
		fmt.Fprintf(c, "GET https://%s/ HTTP/1.1\r\nHost: %[1]s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", host)
		if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
			t.Fatalf("%s: %q", host, head)
		}
		io.WriteString(c, "\x81\x00\n\x00GET\r\n\r\n\x00")
		if back := readAll(t, c); back != "\x81\x00\n\x00GET\r\n\r\n\x00" {
			t.Errorf("%s: %q came back", host, back)
		}
	}
}
