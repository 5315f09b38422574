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
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// Whatever a client says inside its tunnel may agree with the CONNECT target or
// be refused.
func TestAuthorityInsideTunnel(t *testing.T) {
	r := newRig(t, nil)
	tests := []struct {
		name, request string
		status        int
		code          Code
	}{
		{"agrees", "GET / HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 200, ""},
		{"agrees with port", "GET / HTTP/1.1\r\nHost: " + routedHost + ":443\r\n\r\n", 200, ""},
		{"agrees in capitals", "GET / HTTP/1.1\r\nHost: API.example.COM\r\n\r\n", 200, ""},
		{"other host", "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, CodeAuthorityMismatch},
		{"other port", "GET / HTTP/1.1\r\nHost: " + routedHost + ":444\r\n\r\n", 421, CodeAuthorityMismatch},
		{"suffix", "GET / HTTP/1.1\r\nHost: " + routedHost + ".evil.test\r\n\r\n", 421, CodeAuthorityMismatch},
		{"no host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 421, CodeAuthorityMismatch},
		{"absolute form", "GET https://" + routedHost + "/ HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 400, CodeBadRequest},
		{"absolute form of another", "GET http://evil.test/ HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 421, CodeAuthorityMismatch},
		{"CONNECT", "CONNECT " + routedHost + ":443 HTTP/1.1\r\nHost: " + routedHost + ":443\r\n\r\n", 400, CodeBadRequest},
		{"TRACE", "TRACE / HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 400, CodeBadRequest},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n", 400, CodeBadRequest},
		{"two hosts", "GET / HTTP/1.1\r\nHost: " + routedHost + "\r\nHost: evil.test\r\n\r\n", 400, ""},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, ""},
		{"bad content length", "POST / HTTP/1.1\r\nHost: " + routedHost + "\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400, ""},
		{"unknown transfer coding", "POST / HTTP/1.1\r\nHost: " + routedHost + "\r\nTransfer-Encoding: xchunked\r\n\r\n", 501, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := len(r.requests())
			// curl sends absolute form over the tunnel's Host only when told to;
			// whichever of 400 and 421 it gets, it must not get through.
			response, body := exchange(t, r.inside(), tt.request)
			refusedEitherWay := tt.status == 421 && response.StatusCode == 400
			if response.StatusCode != tt.status && !refusedEitherWay {
				t.Errorf("status %d %q, want %d", response.StatusCode, body, tt.status)
			}
			if tt.code != "" && !refusedEitherWay && response.Header.Get(ErrorHeader) != string(tt.code) {
				t.Errorf("code %q, want %q", response.Header.Get(ErrorHeader), tt.code)
			}
			if sent := len(r.requests()) - before; (tt.status == 200) != (sent == 1) {
				t.Errorf("the upstream saw %d requests", sent)
			}
		})
	}
}

func TestServerName(t *testing.T) {
	r := newRig(t, nil)
	cache := tls.NewLRUClientSessionCache(4)
	try := func(name string, sessions tls.ClientSessionCache) (*tls.Conn, error) {
		c := tls.Client(r.connect(routedHost+":443"), &tls.Config{RootCAs: pool(t, r.authority), ServerName: name, ClientSessionCache: sessions,
			InsecureSkipVerify: name == ""})
		return c, c.Handshake()
	}
	if _, err := try("evil.test", nil); err == nil || !strings.Contains(err.Error(), "tls:") {
		t.Errorf("wrong server name: %v", err)
	}
	if _, err := try("", nil); err != nil {
		t.Errorf("no server name: %v", err)
	}
	// A resumed session passes the same check: it never reaches GetCertificate.
	first, err := try(routedHost, cache)
	if err != nil {
		t.Fatal(err)
	}
	exchange(t, first, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n") // reads the session ticket
	second, err := try(routedHost, cache)
	if err != nil || !second.ConnectionState().DidResume {
		t.Fatalf("resumption: %v, resumed %v", err, second.ConnectionState().DidResume)
	}
	if _, err := try("evil.test", renamed{cache}); err == nil {
		t.Error("a resumed session with another server name was served")
	}
}

// renamed offers every session under any name.
type renamed struct{ tls.ClientSessionCache }

func (r renamed) Get(string) (*tls.ClientSessionState, bool) {
	return r.ClientSessionCache.Get(routedHost)
}

func TestHeadersTowardsUpstream(t *testing.T) {
	r := newRig(t, nil)
	_, _ = exchange(t, r.inside(), "POST /p HTTP/1.1\r\nHost: "+routedHost+"\r\n"+
		"Authorization: Bearer mine\r\nauthorization: Basic bWluZQ==\r\nConnection: keep-alive, Authorization, X-Mine\r\nX-Mine: 1\r\n"+
		"Proxy-Authorization: Basic eDp5\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"+
		"TE: trailers, gzip\r\nTrailer: Authorization\r\nTransfer-Encoding: chunked\r\nX-End: 2\r\n\r\n"+
		"4\r\nbody\r\n0\r\nAuthorization: Bearer late\r\n\r\n")
	seen := r.requests()
	if len(seen) != 1 {
		t.Fatalf("the upstream saw %d requests", len(seen))
	}
	h := seen[0].Header
	if got := h["Authorization"]; len(got) != 1 || got[0] != "Bearer "+realKey {
		t.Errorf("Authorization: %q", got)
	}
	for _, name := range []string{"Connection", "X-Mine", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive", "Http2-Settings", "Trailer", "User-Agent", "Accept-Encoding", "X-Forwarded-For"} {
		if v, ok := h[name]; ok {
			t.Errorf("%s was sent: %q", name, v)
		}
	}
	if h.Get("Te") != "trailers" || h.Get("X-End") != "2" {
		t.Errorf("TE %q, X-End %q", h.Get("Te"), h.Get("X-End"))
	}
	if len(seen[0].Trailer) > 0 {
		t.Errorf("trailers were sent: %v", seen[0].Trailer)
	}
}

// h2c would leave the rules behind; it is not offered on.
func TestUpgradeOtherThanWebSocket(t *testing.T) {
	r := newRig(t, nil)
	response, _ := exchange(t, r.inside(), "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
	if response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	if h := r.requests()[0].Header; h.Get("Upgrade") != "" || h.Get("Connection") != "" {
		t.Errorf("sent on: %v", h)
	}
}

func TestHeadersTowardsClient(t *testing.T) {
	r := newRig(t, nil)
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Alt-Svc", `h3=":443"`)
		h.Set("Location", "https://elsewhere.test/")
		h["Set-Cookie"] = []string{"a=1", "b=2"}
		h["Content-Type"] = nil
		h.Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusFound)
	})
	response, _ := get(t, r.client(), "https://"+routedHost+"/")
	if response.StatusCode != http.StatusFound || response.Header.Get("Location") != "https://elsewhere.test/" {
		t.Errorf("the redirect was not passed on: %d %v", response.StatusCode, response.Header)
	}
	if response.Header.Get("Alt-Svc") != "" {
		t.Error("Alt-Svc was passed on")
	}
	if got := response.Header["Set-Cookie"]; len(got) != 2 {
		t.Errorf("cookies: %q", got)
	}
	if _, ok := response.Header["Content-Type"]; ok {
		t.Error("a content type was made up")
	}
}

func TestInformationalAndTrailers(t *testing.T) {
	for _, name := range []string{"http1", "http2"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			r.handle(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Link", "</style.css>; rel=preload")
				w.WriteHeader(http.StatusEarlyHints)
				w.Header().Del("Link")
				w.Header().Set("Trailer", "Grpc-Status")
				io.WriteString(w, "body")
				w.Header().Set("Grpc-Status", "0")
				w.Header().Set(http.TrailerPrefix+"Unannounced", "yes")
			})
			c := r.client()
			if name == "http1" {
				c = r.http1()
			}
			var hints []string
			ctx := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, h.Get("Link")))
				return nil
			}})
			q, _ := http.NewRequestWithContext(ctx, "GET", "https://"+routedHost+"/", nil)
			response, err := c.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			io.Copy(io.Discard, response.Body)
			if len(hints) != 1 || hints[0] != "103</style.css>; rel=preload" {
				t.Errorf("1xx responses: %q", hints)
			}
			if response.Header.Get("Link") != "" {
				t.Error("a field of the 1xx response is in the final one")
			}
			if response.Trailer.Get("Grpc-Status") != "0" || response.Trailer.Get("Unannounced") != "yes" {
				t.Errorf("trailers: %v", response.Trailer)
			}
		})
	}
}

// Each event is sent only after the client has reported the one before: whatever
// buffers, hangs.
func TestStreamingIsCausal(t *testing.T) {
	for _, name := range []string{"http1", "http2"} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			reported := make(chan int)
			r.handle(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i := range 20 {
					fmt.Fprintf(w, "data: %d\n\n", i)
					w.(http.Flusher).Flush()
					select {
					case <-reported:
					case <-time.After(limit):
						return
					}
				}
			})
			c := r.client()
			if name == "http1" {
				c = r.http1()
			}
			response, err := c.Get("https://" + routedHost + "/events")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			events := bufio.NewScanner(response.Body)
			for i := range 20 {
				if !events.Scan() || events.Text() != fmt.Sprint("data: ", i) || !events.Scan() {
					t.Fatalf("event %d: %q, %v", i, events.Text(), events.Err())
				}
				reported <- i
			}
		})
	}
}

// A response that the upstream cut must not look whole to the client.
func TestCutResponseIsCutForTheClient(t *testing.T) {
	r := newRig(t, nil)
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "part")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	for _, c := range []*http.Client{r.client(), r.http1()} {
		response, err := c.Get("https://" + routedHost + "/")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(response.Body); err == nil {
			t.Errorf("%s: read %q without an error", response.Proto, b)
		}
		response.Body.Close()
		if x := r.next(); !x.Aborted {
			t.Errorf("recorded %+v", x)
		}
	}
}

func TestUpstreamFailures(t *testing.T) {
	t.Run("certificate", func(t *testing.T) {
		r := newRig(t, nil)
		second := newRig(t, func(s *rig) { s.ConnectTo, s.UpstreamRoots = r.ConnectTo, pool(t, r.authority) }) // not the upstream's
		response, body := get(t, second.client(), "https://"+routedHost+"/")
		if response.StatusCode != 502 || response.Header.Get(ErrorHeader) != string(CodeUpstreamTLS) {
			t.Errorf("got %d %q", response.StatusCode, body)
		}
		if len(r.requests()) > 0 {
			t.Error("the request was sent all the same")
		}
		// and it stays an interception: no second try in the open
		if response, _ := get(t, second.client(), "https://"+routedHost+"/"); response.TLS.PeerCertificates[0].Issuer.CommonName != "proxy test authority" || response.StatusCode != 502 {
			t.Errorf("second try: %d by %s", response.StatusCode, response.TLS.PeerCertificates[0].Issuer.CommonName)
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		r := newRig(t, func(r *rig) { r.ConnectTo = []ConnectTo{{Target{routedHost, 443}, Target{"127.0.0.1", 1}}} })
		response, body := get(t, r.client(), "https://"+routedHost+"/")
		if response.StatusCode != 502 || response.Header.Get(ErrorHeader) != string(CodeUpstreamUnreachable) {
			t.Errorf("got %d %q", response.StatusCode, body)
		}
	})
	t.Run("no response head", func(t *testing.T) {
		r := newRig(t, func(r *rig) { r.ResponseTimeout = 50 * time.Millisecond })
		done := make(chan struct{})
		defer close(done)
		r.handle(func(http.ResponseWriter, *http.Request) { <-done })
		for _, c := range []*http.Client{r.client(), r.http1()} {
			response, body := get(t, c, "https://"+routedHost+"/")
			if response.StatusCode != 504 || response.Header.Get(ErrorHeader) != string(CodeUpstreamTimeout) {
				t.Errorf("got %d %q", response.StatusCode, body)
			}
		}
	})
}

// When the credential cannot be had the request is answered here, and never sent.
func TestCredentialNotAvailable(t *testing.T) {
	tests := []struct {
		name   string
		err    error
		status int
		code   Code
	}{
		{"a refusal", fmt.Errorf("apply: %w", &Refusal{Status: 503, Code: CodeRefreshUnavailable, Message: "later", RetryAfter: 7}), 503, CodeRefreshUnavailable},
		{"anything else", errors.New("the detail sk-detail"), 403, CodeLoginRequired},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t, func(r *rig) { r.Credentials = failing{tt.err} })
			response, body := get(t, r.client(), "https://"+routedHost+"/")
			if response.StatusCode != tt.status || response.Header.Get(ErrorHeader) != string(tt.code) || !strings.Contains(body, `"code":"`+string(tt.code)+`"`) {
				t.Errorf("got %d %v %q", response.StatusCode, response.Header, body)
			}
			if strings.Contains(body, "sk-detail") {
				t.Error("the cause is in the answer")
			}
			if len(r.requests()) > 0 {
				t.Error("the request was sent")
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Apply(context.Context, *http.Request, string, string) (Applied, error) {
	return Applied{}, f.err
}

func (f failing) Renew(context.Context, string, string, uint64) bool { return false }

func TestRoutingRefusals(t *testing.T) {
	d := definition(t, "https://"+routedHost+"/api/")
	tests := []struct {
		name    string
		binding routing.Binding
		target  string
		status  int
		code    Code
		sent    bool
	}{
		{"login required", routing.Binding{Provider: "example", Connection: "work", State: routing.Unusable}, "/api/x", 403, CodeLoginRequired, false},
		{"login required, with the problem", routing.Binding{Provider: "example", Connection: "work", State: routing.Unusable, Problem: "invalid since noon"}, "/api/x", 403, CodeLoginRequired, false},
		{"logged out since", routing.Binding{Provider: "example", Connection: "default", State: routing.Gone}, "/api/x", 403, CodeLoginRequired, false},
		{"path outside", ready, "/other", 200, "", true},
		{"path that reads two ways", ready, "/api/..%2fother", 400, CodeBadRequest, false},
		{"dot segments", ready, "/api/../other", 400, CodeBadRequest, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			routes := table(t, d, tt.binding, routing.Options{})
			r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
			response, body := exchange(t, r.inside(), "GET "+tt.target+" HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n")
			if response.StatusCode != tt.status || response.Header.Get(ErrorHeader) != string(tt.code) {
				t.Errorf("got %d %s %q", response.StatusCode, response.Header.Get(ErrorHeader), body)
			}
			if tt.code == CodeLoginRequired && !strings.Contains(body, tt.binding.Problem) {
				t.Errorf("no problem in %q", body)
			}
			if (len(r.requests()) > 0) != tt.sent {
				t.Errorf("the upstream saw %d requests", len(r.requests()))
			}
			for _, q := range r.requests() {
				if q.Header.Get("Authorization") != "" {
					t.Errorf("a credential went to %s", q.URL)
				}
			}
		})
	}
}

// A placeholder never leaves an interception, wherever it stands.
func TestPlaceholderIsNotSent(t *testing.T) {
	d := definition(t, "https://"+routedHost+"/api/")
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
	mark := providers.PlaceholderMark
	for _, tt := range []struct{ path, header, value string }{
		{"/outside", "Authorization", "Bearer " + mark},
		{"/outside", "Authorization", "Bearer authsome_proxy_managed"},
		{"/outside", "Authorization", "Bearer sbp_61757468736f6d652d70726f78792d6d616e6167"},
		{"/outside?key=" + mark, "X", ""},
		{"/outside?a=%zz&key=" + strings.Replace(mark, "a", "%61", 1), "X", ""},
		{"/outside/bot" + mark + "/x", "X", ""},
		{"/outside?key=" + url.QueryEscape(strings.Replace(mark, "a", "%61", 1)), "X", mark},
		{"/api/x", "X-Api-Key", "sk-" + mark},
		{"/outside", "Authorization", "Basic " + basic(mark+":")},
	} {
		response, body := get(t, r.client(), "https://"+routedHost+tt.path, tt.header, tt.value)
		if response.StatusCode != 403 || response.Header.Get(ErrorHeader) != string(CodePlaceholder) {
			t.Errorf("%v: %d %q", tt, response.StatusCode, body)
		}
	}
	if len(r.requests()) > 0 {
		t.Errorf("the upstream saw %d requests", len(r.requests()))
	}
}

// slots is a service that takes its credential in every place at once.
func slots(t *testing.T) (*providers.Definition, *providers.Injection) {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":2,"name":"example","flows":["api_key"],"hosts":[%q],"paths":["/bot"],"methods":["GET"],
		"inject":[{"in":"header","name":"X-Key","value":"{api_key}"},{"in":"basic","username":"{api_key}"},{"in":"query","name":"key","value":"{api_key}"},
			{"in":"path","prefix":"/bot/","value":"{api_key}"}]}`, routedHost))
	if err != nil {
		t.Fatal(err)
	}
	injection, err := d.Injection(providers.Credential{Values: providers.Values{"api_key": secret.New(realKey)}})
	if err != nil {
		t.Fatal(err)
	}
	return d, injection
}

// Servers that redirect keep the query, and make the address of the next page of
// it: the client gets a placeholder there, and its next request the credential.
func TestAddressesInAnswersHoldNoCredential(t *testing.T) {
	d, injection := slots(t)
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) {
		r.Routes = func() *routing.Table { return routes }
		r.Credentials = key{injection}
	})
	var asked []string
	r.handler = func(w http.ResponseWriter, q *http.Request) {
		asked = append(asked, q.URL.String())
		w.Header()["Link"] = []string{"<" + q.URL.String() + `&page=2>; rel="next"`, "</plain>"}
		w.Header().Set("Content-Location", strings.ToLower(q.URL.String()))
		w.Header().Set("X-Echo", q.URL.String())
		if len(asked) == 1 {
			w.Header().Set("Location", strings.Replace(q.URL.String(), "/getMe", "/getMe/", 1))
			w.WriteHeader(http.StatusFound)
		}
	}
	client := r.client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	path := "/bot/placeholder/getMe?key=x&a=1"
	for range 2 {
		response, _ := get(t, client, "https://"+routedHost+path)
		for _, name := range []string{"Location", "Link"} {
			if text := strings.Join(response.Header[name], " "); strings.Contains(text, realKey) {
				t.Errorf("%s: %s", name, text)
			}
		}
		if next := response.Header.Get("Location"); next != "" {
			path = next
		}
	}
	if want := "/bot/" + realKey + "/getMe/?key=" + realKey + "&a=1"; len(asked) != 2 || asked[1] != want {
		t.Errorf("asked for %q, want %s at last", asked, want)
	}
}

// A placeholder is replaced where a credential belongs, and refused elsewhere; a
// method that the definition does not list gets none.
func TestPlaceholderIsReplacedInItsPlace(t *testing.T) {
	d, injection := slots(t)
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) {
		r.Routes = func() *routing.Table { return routes }
		r.Credentials = key{injection}
	})
	mark := providers.PlaceholderMark
	send := func(method, target string, header ...string) *http.Response {
		t.Helper()
		head := method + " " + target + " HTTP/1.1\r\nHost: " + routedHost + "\r\n"
		for i := 0; i < len(header); i += 2 {
			head += header[i] + ": " + header[i+1] + "\r\n"
		}
		response, _ := exchange(t, r.inside(), head+"\r\n")
		return response
	}
	response := send("GET", "/bot/"+mark+"/getMe?a=1&k%65y="+mark+"&b=%2F", "x-key", mark, "Authorization", "Basic "+basic(mark+":"))
	if response.StatusCode != 200 {
		t.Fatalf("status %d", response.StatusCode)
	}
	got := r.requests()[0]
	if got.RequestURI != "/bot/"+realKey+"/getMe?a=1&key="+realKey+"&b=%2F" || got.Header.Get("X-Key") != realKey || got.Header.Get("Authorization") != "Basic "+basic(realKey+":") {
		t.Errorf("the upstream saw %s %v", got.RequestURI, got.Header)
	}
	if x := r.next(); !x.Injected || x.Path != "/bot/"+secret.Redacted+"/getMe" {
		t.Errorf("recorded %+v", x)
	}
	for _, refused := range []struct {
		method, target string
		header         []string
		code           Code
	}{
		{"GET", "/bot/x/getMe", []string{"Other", mark}, CodePlaceholder},
		{"GET", "/bot/x/" + mark, nil, CodePlaceholder},
		{"GET", "/bot/x/getMe?other=" + mark, nil, CodePlaceholder},
		{"GET", "/bot", []string{"X-Key", mark}, CodeLoginRequired}, // no place in the path
		{"POST", "/bot/x/getMe", []string{"X-Key", mark}, CodePlaceholder},
	} {
		if response := send(refused.method, refused.target, refused.header...); response.StatusCode != 403 || response.Header.Get(ErrorHeader) != string(refused.code) {
			t.Errorf("%s %s: %d %s", refused.method, refused.target, response.StatusCode, response.Header.Get(ErrorHeader))
		}
		r.next()
	}
	if response := send("DELETE", "/bot/x/getMe", "X-Key", "the client's"); response.StatusCode != 200 {
		t.Errorf("a method outside: %d", response.StatusCode)
	}
	if x := r.next(); x.Injected || x.Reason != routing.MethodOutside {
		t.Errorf("recorded %+v", x)
	}
	if seen := r.requests(); len(seen) != 2 || seen[1].Header.Get("X-Key") != "the client's" {
		t.Errorf("the upstream saw %d requests", len(seen))
	}
}

// A request to a service whose requests are signed goes on unsigned if the client
// sent it so: it asks for nothing.
func TestUnsignedIsForwarded(t *testing.T) {
	r := newRig(t, func(r *rig) { r.Credentials = failing{fmt.Errorf("apply: %w", providers.ErrUnsigned)} })
	if response, _ := get(t, r.client(), "https://"+routedHost+"/public"); response.StatusCode != 200 {
		t.Errorf("status %d", response.StatusCode)
	}
	if x := r.next(); x.Injected || x.Reason != routing.Unsigned {
		t.Errorf("recorded %+v", x)
	}
	if response, _ := get(t, r.client(), "https://"+routedHost+"/public", "Authorization", "AWS4 "+providers.PlaceholderMark); response.StatusCode != 403 {
		t.Errorf("a placeholder left: %d", response.StatusCode)
	}
}

func basic(s string) string {
	q, _ := http.NewRequest("GET", "/", nil)
	user, password, _ := strings.Cut(s, ":")
	q.SetBasicAuth(user, password)
	return strings.TrimPrefix(q.Header.Get("Authorization"), "Basic ")
}

func TestPlainHTTP(t *testing.T) {
	r := newRig(t, nil)
	origin := &http.Server{Handler: http.HandlerFunc(r.serveUpstream)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go origin.Serve(l)
	defer origin.Close()
	if response, body := get(t, r.client(), "http://"+l.Addr().String()+"/plain", "Authorization", "Bearer mine"); response.StatusCode != 200 || !strings.HasSuffix(body, "auth=Bearer mine") {
		t.Errorf("forwarded: %d %q", response.StatusCode, body)
	}
	if response, body := get(t, r.client(), "http://"+routedHost+"/"); response.StatusCode != 403 || response.Header.Get(ErrorHeader) != string(CodeHTTPSRequired) {
		t.Errorf("routed host: %d %q", response.StatusCode, body)
	}
	for name, request := range map[string]string{
		"origin form":    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"https absolute": "GET https://" + routedHost + "/ HTTP/1.1\r\nHost: " + routedHost + "\r\n\r\n",
		"user name":      "GET http://u:p@" + l.Addr().String() + "/ HTTP/1.1\r\nHost: x\r\n\r\n",
		"TRACE":          "TRACE http://" + l.Addr().String() + "/ HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		if response, body := exchange(t, r.raw(), request); response.StatusCode != 400 {
			t.Errorf("%s: %d %q", name, response.StatusCode, body)
		}
	}
	// Then a CONNECT on the same connection, as pooling clients send it.
	c := r.raw()
	exchange(t, c, "GET http://"+l.Addr().String()+"/ HTTP/1.1\r\nHost: x\r\n\r\n")
	fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %s\r\n\r\n", routedHost, routedHost)
	if head := readRawHead(t, c); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
		t.Fatalf("CONNECT after GET: %q", head)
	}
	inner := tls.Client(c, &tls.Config{RootCAs: pool(t, r.authority), ServerName: routedHost})
	if _, body := exchange(t, inner, "GET / HTTP/1.1\r\nHost: "+routedHost+"\r\n\r\n"); !strings.Contains(body, realKey) {
		t.Errorf("upstream saw %q", body)
	}
}

func TestDenyUnmatched(t *testing.T) {
	routes := table(t, definition(t, routedHost), ready, routing.Options{DenyUnmatched: true})
	r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
	response, body := exchange(t, r.raw(), "CONNECT "+otherHost+":443 HTTP/1.1\r\n\r\n")
	if response.StatusCode != 403 || response.Header.Get(ErrorHeader) != string(CodeHostDenied) {
		t.Errorf("CONNECT: %d %q", response.StatusCode, body)
	}
	if response, _ := get(t, r.client(), "http://"+otherHost+"/"); response.StatusCode != 403 {
		t.Errorf("plain: %d", response.StatusCode)
	}
	if _, body := get(t, r.client(), "https://"+routedHost+"/"); !strings.Contains(body, realKey) {
		t.Errorf("the route: %q", body)
	}
}

// Tunnels and requests go through the parent's own proxy where one is set, and
// the route's TLS stays end to end through it.
func TestUpstreamProxy(t *testing.T) {
	r := newRig(t, nil)
	corporate := newRig(t, func(c *rig) {
		c.ConnectTo = r.ConnectTo
		c.Routes = func() *routing.Table { return &routing.Table{} }
		c.Token, c.RequireToken = secret.New("p"), true
	})
	via := &url.URL{Scheme: "http", Host: corporate.addr, User: url.UserPassword("u", "p")}
	r2 := newRig(t, func(s *rig) {
		s.ConnectTo, s.UpstreamRoots = nil, r.UpstreamRoots
		s.UpstreamProxy = func(*url.URL) (*url.URL, error) { return via, nil }
	})
	if _, body := get(t, r2.client(), "https://"+routedHost+"/"); !strings.Contains(body, realKey) {
		t.Errorf("route: %q", body)
	}
	roots := pool(t, r.certs)
	c := r2.client()
	c.Transport.(*http.Transport).TLSClientConfig.RootCAs = roots
	if _, body := get(t, c, "https://"+otherHost+"/"); !strings.Contains(body, "host="+otherHost) {
		t.Errorf("tunnel: %q", body)
	}
	if open := corporate.Stats().Tunnels; open != 2 {
		t.Errorf("%d tunnels through the upstream proxy, want one each", open)
	}
	via.User = url.UserPassword("u", "wrong")
	if response, _ := exchange(t, r2.raw(), "CONNECT "+otherHost+":443 HTTP/1.1\r\n\r\n"); response.StatusCode != 502 {
		t.Errorf("tunnel that the upstream proxy refuses: %d", response.StatusCode)
	}
}

// Some servers take the method from a header, and some know TRACE by another name.
func TestMethodSpellings(t *testing.T) {
	d, err := providers.Parse([]byte(`{"schema_version":2,"name":"example","flows":["api_key"],"hosts":["` + routedHost + `"],"methods":["GET","POST"]}`))
	if err != nil {
		t.Fatal(err)
	}
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
	for _, tt := range []struct {
		method, header, value string
		want                  int
	}{
		{"POST", "X-Other", "DELETE", 200},
		{"POST", "X-HTTP-Method-Override", "POST", 200},
		{"POST", "X-HTTP-Method-Override", "get", 200},
		{"POST", "X-HTTP-Method-Override", "DELETE", 400},
		{"POST", "x-http-method", " delete", 400},
		{"GET", "X-Method-Override", "PATCH", 400},
		{"DELETE", "X-HTTP-Method-Override", "POST", 400},
		{"DELETE", "X-Other", "", 200}, // without the credential
		{"POST", "X-HTTP-Method-Override", "TRACE", 400},
		{"TRACK", "X-Other", "", 400},
		{"trace", "X-Other", "", 400},
	} {
		for _, c := range []*http.Client{r.client(), r.http1()} {
			before := len(r.requests())
			q, err := http.NewRequest(tt.method, "https://"+routedHost+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			q.Header.Set(tt.header, tt.value)
			response, err := c.Do(q)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if sent := len(r.requests()) > before; response.StatusCode != tt.want || sent != (tt.want == 200) {
				t.Errorf("%s, %s: %s: %s, sent %t", tt.method, tt.header, tt.value, response.Status, sent)
			}
		}
	}
}
