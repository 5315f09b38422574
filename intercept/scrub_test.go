package intercept

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/routing"
	"github.com/authsome/authsome/secret"
)

// echoedKey has characters that JSON, forms and HTML escape.
const echoedKey = `sk/real+8d1f&6b2c"9a=zz`

// keyed gives the rig a credential from echoedKey, with the definition's inject.
func keyed(t *testing.T, inject string) func(*rig) {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":2,"name":"example","flows":["api_key"],"hosts":[%q],"inject":[%s]}`, routedHost, inject))
	if err != nil {
		t.Fatal(err)
	}
	injection, err := d.Injection(providers.Credential{Values: providers.Values{"api_key": secret.New(echoedKey)}})
	if err != nil {
		t.Fatal(err)
	}
	return func(r *rig) { r.Credentials = key{injection} }
}

const inHeader = `{"in":"header","name":"Authorization","value":"Bearer {api_key}"}`

// clients are the ways in which clients send requests to the proxy.
func clients(r *rig) map[string]*http.Client {
	return map[string]*http.Client{"HTTP/1.1": r.http1(), "HTTP/2.0": r.client(), "HTTP/1.1 in absolute form": r.absolute()}
}

// shows reports whether a text has the key, or most of it, under any escapes.
func shows(text string) bool {
	for range 4 {
		if strings.Contains(text, "real+8d1f&6b2c") || strings.Contains(text, "real 8d1f&6b2c") {
			return true
		}
		if unescaped, err := url.QueryUnescape(text); err == nil {
			text = unescaped
		}
		text = strings.NewReplacer(`\/`, `/`, `\u0026`, "&", `\u002b`, "+", `\"`, `"`, "&amp;", "&", "&#43;", "+").Replace(text)
	}
	return false
}

// fetched is a response with everything that was sent before and after it.
type fetched struct {
	*http.Response
	body  string
	early []textproto.MIMEHeader
}

func fetchAll(t *testing.T, c *http.Client, method, target string, header ...string) fetched {
	t.Helper()
	var f fetched
	q, err := http.NewRequest(method, "https://"+routedHost+target, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Add(header[i], header[i+1])
	}
	trace := &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
		f.early = append(f.early, h)
		return nil
	}}
	if f.Response, err = c.Do(q.WithContext(httptrace.WithClientTrace(t.Context(), trace))); err != nil {
		t.Fatal(err)
	}
	defer f.Body.Close()
	b, err := io.ReadAll(f.Body)
	if err != nil {
		t.Fatal(err)
	}
	f.body = string(b)
	return f
}

func (f *fetched) all() string { return fmt.Sprint(f.early, f.Status, f.Header, f.body, f.Trailer) }

// The client sees the credential in no part of a response that repeats the request.
func TestEchoedCredentialIsMasked(t *testing.T) {
	r := newRig(t, keyed(t, inHeader))
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		got := q.Header.Get("Authorization")
		h := w.Header()
		h.Set("X-Echo", got)
		h.Set("Link", "</x?a="+url.QueryEscape(got)+">")
		w.WriteHeader(http.StatusEarlyHints)
		kind := q.URL.Query().Get("type")
		h["Content-Type"] = nil
		if kind != "" {
			h.Set("Content-Type", kind)
		}
		h.Set("Trailer", "X-End")
		text, err := json.Marshal(map[string]string{"got": got, "php": strings.ReplaceAll(got, "/", `\/`)})
		if err != nil {
			t.Error(err)
		}
		for _, part := range []string{string(text), got, url.QueryEscape(got), "\n\ndata: " + got + "\n\n"} {
			io.WriteString(w, part[:len(part)/2])
			io.WriteString(w, part[len(part)/2:])
		}
		h.Set("X-End", got)
		h.Set(http.TrailerPrefix+"X-Unannounced", got)
	})
	for version, c := range clients(r) {
		for _, kind := range []string{
			"", "text/plain", "text/html; charset=utf-8", "application/json", "application/problem+json;x=1", "application/x-www-form-urlencoded", "text/event-stream",
			"APPLICATION/JSON", "application/xml", "application/x-ndjson", "message/http", "image/svg+xml", "multipart/mixed; boundary=x",
		} {
			f := fetchAll(t, c, "GET", "/?type="+url.QueryEscape(kind))
			if !strings.HasPrefix(version, f.Proto) || len(f.early) != 1 || f.Trailer.Get("X-End") == "" || f.Trailer.Get("X-Unannounced") == "" {
				t.Fatalf("%s: %s, trailers %v, early %v", version, f.Proto, f.Trailer, f.early)
			}
			if shows(f.all()) {
				t.Errorf("%s, %q: the client sees the key: %s", version, kind, f.all())
			}
			if want := "Bearer " + strings.Repeat("a", len(echoedKey)); f.Header.Get("X-Echo") != want || f.Trailer.Get("X-End") != want {
				t.Errorf("%s: X-Echo is %q, X-End is %q", version, f.Header.Get("X-Echo"), f.Trailer.Get("X-End"))
			}
			var got map[string]string
			if err := json.NewDecoder(strings.NewReader(f.body)).Decode(&got); err != nil || !strings.HasPrefix(got["got"], "Bearer aaa") {
				t.Errorf("%s: the masked JSON is %s: %v", version, f.body, err)
			}
			if x := r.next(); x.Masked != 2+2+5+2 { // early, head, body, trailers
				t.Errorf("%s, %q: %d masked", version, kind, x.Masked)
			}
		}
	}
	for _, q := range r.requests() {
		if q.Header.Get("Authorization") != "Bearer "+echoedKey || q.Header.Get("Accept-Encoding") != "identity" {
			t.Fatalf("the upstream saw %v", q.Header)
		}
	}
}

// Bodies that are not text pass as they are, with their digests.
func TestBinaryBodiesAreNotSearched(t *testing.T) {
	r := newRig(t, keyed(t, inHeader))
	kind := ""
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Digest", "sha-256=:x:")
		io.WriteString(w, echoedKey)
	})
	for _, kind = range []string{"application/octet-stream", "image/png", "application/grpc", "application/grpc+json", "application/grpc-web-text", "application/zip", "video/mp4", "application/x-protobuf"} {
		if f := fetchAll(t, r.client(), "GET", "/"); f.body != echoedKey || f.Header.Get("Content-Digest") == "" {
			t.Errorf("%s: %s", kind, f.all())
		}
		if x := r.next(); x.Masked != 0 || x.Unscanned {
			t.Errorf("%s: recorded %+v", kind, x)
		}
	}
}

// A response that is compressed although it must not be passes, and is counted.
func TestCompressedBodyIsCounted(t *testing.T) {
	r := newRig(t, keyed(t, inHeader))
	var compressed bytes.Buffer
	z := gzip.NewWriter(&compressed)
	io.WriteString(z, echoedKey)
	z.Close()
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Echo", q.Header.Get("Authorization"))
		w.Write(compressed.Bytes())
	})
	f := fetchAll(t, r.client(), "GET", "/", "Accept-Encoding", "gzip, br")
	if f.body != compressed.String() || f.Header.Get("Content-Encoding") != "gzip" || shows(fmt.Sprint(f.Header)) {
		t.Error(f.all())
	}
	if x := r.next(); !x.Unscanned || x.Masked != 1 {
		t.Errorf("recorded %+v", x)
	}
	if got := r.requests()[0].Header["Accept-Encoding"]; len(got) != 1 || got[0] != "identity" {
		t.Errorf("the upstream was asked for %q", got)
	}
}

// A digest never contradicts the body: those in the head are dropped where the body is
// searched, those in trailers if something was masked.
func TestDigestsOfMaskedBodiesAreDropped(t *testing.T) {
	r := newRig(t, keyed(t, inHeader))
	body := ""
	digests := []string{"Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "X-Amz-Checksum-Sha256", "X-Goog-Hash"}
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, name := range digests {
			w.Header().Set(name, "x")
			defer w.Header().Set(http.TrailerPrefix+name, "x")
		}
		io.WriteString(w, body)
		http.NewResponseController(w).Flush() // trailers need a chunked body
	})
	for _, tt := range []struct {
		method, body string
		head, end    bool // digests are kept there
	}{{"GET", `"` + echoedKey + `"`, false, false}, {"GET", `"nothing"`, false, true}, {"HEAD", "", true, false}} {
		body = tt.body
		for version, c := range clients(r) {
			f := fetchAll(t, c, tt.method, "/")
			for _, name := range digests {
				if got := f.Header.Get(name) != ""; got != tt.head {
					t.Errorf("%s, %v: %s in the head: %v", version, tt, name, got)
				}
				if got := f.Trailer.Get(name) != ""; got != tt.end {
					t.Errorf("%s, %v: %s in the trailers: %v", version, tt, name, got)
				}
			}
		}
	}
}

// Responses without a body keep their heads, and lengths.
func TestHeadsWithoutBodyAreMasked(t *testing.T) {
	r := newRig(t, keyed(t, inHeader))
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("X-Echo", q.Header.Get("Authorization"))
		if q.Method == "HEAD" {
			w.Header().Set("Content-Length", "1234")
			return
		}
		var status int
		fmt.Sscan(q.URL.Query().Get("status"), &status)
		w.WriteHeader(status)
	})
	for version, c := range clients(r) {
		for _, tt := range []struct{ method, status, length string }{{"HEAD", "200", "1234"}, {"GET", "204", ""}, {"GET", "304", ""}, {"GET", "302", ""}} {
			f := fetchAll(t, c, tt.method, "/?status="+tt.status)
			if fmt.Sprint(f.StatusCode) != tt.status || shows(f.all()) || tt.length != "" && f.Header.Get("Content-Length") != tt.length {
				t.Errorf("%s, %v: %s", version, tt, f.all())
			}
		}
	}
}

// A credential that is a number does not change the length of a response.
func TestLengthOfAResponseIsNotMasked(t *testing.T) {
	i, err := definition(t, routedHost).Injection(providers.Credential{Values: providers.Values{"api_key": secret.New("1234")}})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(r *rig) { r.Credentials = key{i} })
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Echo", "1234")
		io.WriteString(w, strings.Repeat("x", 1234))
	})
	for _, c := range clients(r) {
		if f := fetchAll(t, c, "GET", "/"); f.ContentLength != 1234 || len(f.body) != 1234 || f.Header.Get("X-Echo") != "1111" {
			t.Error(f.all())
		}
	}
}

// Where the key belongs in the URL, every field of every head has a placeholder
// instead of it, however it is escaped. A request to such a URL gets the key again.
func TestKeyInAddressesIsConcealedInEveryHead(t *testing.T) {
	r := newRig(t, keyed(t, `{"in":"query","name":"key","value":"{api_key}"}`))
	escaped := url.QueryEscape(echoedKey)
	spellings := []string{
		echoedKey, escaped, strings.ToLower(escaped), url.PathEscape(echoedKey), strings.Replace(escaped, "%2F", "/", 1), url.QueryEscape(escaped),
		url.QueryEscape(url.QueryEscape(escaped)), strings.Replace(escaped, "%2B", "%252B", 1), strings.ReplaceAll(escaped, "%26", "&amp;"), strings.ReplaceAll(echoedKey, "/", `\/`),
	}
	fields := []string{
		"Location", "Link", "Content-Location", "Refresh", "Operation-Location", "Azure-Asyncoperation", "X-Goog-Upload-Url", "Uri", "Sourcemap", "X-Anything",
	}
	spelling := ""
	r.handle(func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		set := func(prefix string) {
			for _, name := range fields {
				h.Set(prefix+name, "https://"+routedHost+"/next?key="+spelling)
			}
		}
		set("")
		w.WriteHeader(http.StatusEarlyHints)
		h.Set("Content-Type", "application/octet-stream")
		io.WriteString(w, "x")
		http.NewResponseController(w).Flush() // trailers need a chunked body
		set(http.TrailerPrefix)
	})
	for version, c := range clients(r) {
		for _, spelling = range spellings {
			f := fetchAll(t, c, "GET", "/")
			if shows(f.all()) || len(f.early) != 1 || len(f.Trailer) != len(fields) {
				t.Errorf("%s, %s: %s", version, spelling, f.all())
			}
			for _, name := range fields {
				for _, got := range []string{f.Header.Get(name), f.Trailer.Get(name), f.early[0].Get(name)} {
					if got != "https://"+routedHost+"/next?key="+providers.PlaceholderMark {
						t.Errorf("%s, %s: %s: %s", version, spelling, name, got)
					}
				}
			}
		}
		fetchAll(t, c, "GET", "/next?key="+providers.PlaceholderMark)
		if seen := r.requests(); seen[len(seen)-1].RequestURI != "/next?key="+escaped {
			t.Errorf("the next request went to %s", seen[len(seen)-1].RequestURI)
		}
	}
}

// A range of a text could end within the key, so the client gets the whole text.
func TestRangeOfATextIsAnsweredAsAWhole(t *testing.T) {
	r := newRig(t, keyed(t, inHeader))
	kind, padding := "", 0
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", kind)
		http.ServeContent(w, q, "", time.Time{}, strings.NewReader("echo: "+q.Header.Get("Authorization")+strings.Repeat(" ", padding)))
	})
	key := strings.Repeat("a", len(echoedKey))
	for _, tt := range []struct {
		kind, span string
		padding    int
		status     int
		body       string
		asked      int
	}{
		{"text/plain", "bytes=0-20", 0, 200, "echo: Bearer " + key, 2},
		{"application/json", "bytes=20-", 0, 200, "echo: Bearer " + key, 2},
		{"text/plain", "bytes=0-1,20-21", 0, 200, "echo: Bearer " + key, 2},
		{"text/plain", "bytes=0-3", maxWhole, 206, "echo", 1},
		{"application/octet-stream", "bytes=0-3", 0, 206, "echo", 1},
		{"text/plain", "bytes=9999-", 0, 416, "", 1},
	} {
		kind, padding = tt.kind, tt.padding
		for version, c := range clients(r) {
			before := len(r.requests())
			f := fetchAll(t, c, "GET", "/", "Range", tt.span)
			if asked := len(r.requests()) - before; f.StatusCode != tt.status || tt.body != "" && f.body != tt.body || asked != tt.asked {
				t.Errorf("%s, %v: asked %d times, %s", version, tt, asked, f.all())
			}
		}
	}
	r.handle(func(w http.ResponseWriter, q *http.Request) { // a service that uses 206 in another way
		w.Header().Set("Content-Type", "application/json")
		if unit := q.URL.Query().Get("unit"); unit != "" {
			w.Header().Set("Content-Range", unit+" a-b/9")
		}
		w.WriteHeader(http.StatusPartialContent)
		io.WriteString(w, `["`+q.Header.Get("Authorization")+`"]`)
	})
	for _, tt := range []struct {
		unit, span string
		status     int
	}{{"", "", 206}, {"id", "id ]a..b", 206}, {"bytes", "", 206}, {"", "bytes=0-3", 400}, {"bytes", "bytes=0-3", 400}} {
		header := []string{"Range", tt.span}
		if tt.span == "" {
			header = nil
		}
		f := fetchAll(t, r.client(), "GET", "/?unit="+tt.unit, header...)
		if f.StatusCode != tt.status || shows(f.all()) || tt.status == 206 && f.body != `["Bearer `+key+`"]` {
			t.Errorf("%v: %s", tt, f.all())
		}
	}
	if f := fetchAll(t, r.client(), "DELETE", "/", "Range", "bytes=3-9"); f.StatusCode != 400 || f.Header.Get(errorHeader) != string(CodeBadRequest) {
		t.Errorf("a range in answer to DELETE: %s", f.all())
	}
}

// gated is a body whose parts are read when the test sends them.
type gated chan string

func (g gated) Read(b []byte) (int, error) {
	part, ok := <-g
	if !ok {
		return 0, io.EOF
	}
	return copy(b, part), nil
}

func (gated) Close() error { return nil }

// sink is a ResponseWriter that keeps the body. Time is what orders its uses, which the
// race detector does not know, hence the lock.
type sink struct {
	http.ResponseWriter
	mu   sync.Mutex // guards body
	body string
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.body += string(b)
	return len(b), nil
}

func (*sink) Flush() {}

func (s *sink) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body
}

// The end of a body is held back for a millisecond at most, whatever it is. The end of
// an event is not held back, and its beginning is, for as long as it takes.
func TestWhatIsHeldBackPassesInTime(t *testing.T) {
	_, injection := slots(t)
	for _, guess := range []string{realKey[:1], realKey[:8], realKey[:17], "sk-guess-000", "nothing of the key"} {
		for _, events := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				body, w := make(gated), &sink{}
				c := &call{w: w, r: httptest.NewRequest("GET", "/", nil), applied: Applied{Injection: injection}}
				response := &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, ContentLength: -1}
				done := make(chan error)
				go func() {
					_, err := c.streamMasked(http.NewResponseController(w), response, injection.Mask().Body(events))
					done <- err
				}()
				text := "data: " + strings.Repeat("x", 100) + guess
				body <- text
				synctest.Wait()
				if held := len(text) - len(w.text()); held != 26-1 && !events || held != len(text) && events {
					t.Errorf("%q, events %v: %d bytes are held back", guess, events, held)
				}
				time.Sleep(maxHeld)
				synctest.Wait()
				if held := len(text) - len(w.text()); held != 0 && !events || held != len(text) && events {
					t.Errorf("%q, events %v: %d bytes are held back after %v", guess, events, held, maxHeld)
				}
				body <- "\n\n"
				synctest.Wait()
				if held := len(text) + 2 - len(w.text()); held != 2 && !events || held != 0 && events {
					t.Errorf("%q, events %v: %d bytes are held back after the end of the event", guess, events, held)
				}
				close(body)
				if err := <-done; err != nil || w.text() != text+"\n\n" {
					t.Errorf("%q, events %v: %q, %v", guess, events, w.text(), err)
				}
			})
		}
	}
}

// rotating is a Credentials whose token changes when it is renewed, or whenever it was
// applied.
type rotating struct {
	t      testing.TB
	tokens []string
	fails  bool // to renew
	always bool // the token changes after each request

	mu   sync.Mutex // guards used
	used int        // index of the token
}

func (c *rotating) Apply(_ context.Context, r *http.Request, _, _ string) (Applied, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := definition(c.t, routedHost).Injection(providers.Credential{Values: providers.Values{"api_key": secret.New(c.tokens[c.used])}})
	if err != nil {
		return Applied{}, err
	}
	applied := Applied{Injection: i, Mark: uint64(c.used + 1)}
	if c.always {
		c.used++
	}
	return applied, i.ApplyMasked(r)
}

func (c *rotating) Renew(context.Context, string, string, uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fails {
		c.used++
	}
	return !c.fails
}

// A response is masked with the credential that its request had: after a refused token
// was renewed, with the new one; with the old one if the refusal is what the client
// gets; and a stream goes on with its own while later requests have another.
func TestResponseIsMaskedWithTheCredentialOfItsRequest(t *testing.T) {
	tokens := []string{"token-one-0123456789", "token-two-0123456789"}
	for name, fails := range map[string]bool{"renewed": false, "not renewed": true} {
		r := newRig(t, func(r *rig) { r.Credentials = &rotating{t: t, tokens: tokens, fails: fails} })
		r.handle(func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("X-Echo", q.Header.Get("Authorization"))
			if q.Header.Get("Authorization") == "Bearer "+tokens[0] {
				w.WriteHeader(http.StatusUnauthorized)
			}
			io.WriteString(w, q.Header.Get("Authorization"))
		})
		f := fetchAll(t, r.client(), "GET", "/")
		if (f.StatusCode == 401) != fails || f.body != "Bearer "+strings.Repeat("a", len(tokens[0])) || f.Header.Get("X-Echo") != f.body {
			t.Errorf("%s: %s", name, f.all())
		}
	}
	r := newRig(t, func(r *rig) { r.Credentials = &rotating{t: t, tokens: tokens, always: true} })
	more := make(chan bool)
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		http.NewResponseController(w).Flush()
		if q.URL.Path == "/stream" {
			<-more
		}
		fmt.Fprintf(w, "data: %s\n\n", q.Header.Get("Authorization"))
	})
	first, err := r.client().Get("https://" + routedHost + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Body.Close()
	second := fetchAll(t, r.client(), "GET", "/")
	close(more)
	streamed, err := io.ReadAll(first.Body)
	if want := "data: Bearer " + strings.Repeat("a", len(tokens[0])) + "\n\n"; err != nil || string(streamed) != want || second.body != want {
		t.Errorf("the stream is %q, the later response %q, %v", streamed, second.body, err)
	}
}

// The head that answers a WebSocket's handshake is masked, with the text of its status.
// The WebSocket itself is not searched.
func TestWebSocketHandshakeIsMasked(t *testing.T) {
	r := newRig(t, keyed(t, inHeader))
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		c, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		got := q.Header.Get("Authorization")
		fmt.Fprintf(buffered, "HTTP/1.1 101 %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX-Echo: %s\r\n\r\n%s", got, got, got)
		buffered.Flush()
	})
	c := r.inside()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", routedHost)
	head := readRawHead(t, c)
	rest, err := io.ReadAll(c)
	if shows(head) || !strings.HasPrefix(head, "HTTP/1.1 101 Switching Protocols\r\n") || string(rest) != "Bearer "+echoedKey || err != nil {
		t.Errorf("%q, then %q, %v", head, rest, err)
	}
}

// Responses to requests that got no credential are not searched.
func TestResponsesWithoutCredentialAreNotSearched(t *testing.T) {
	d := definition(t, "https://"+routedHost+"/api/")
	routes := table(t, d, ready, routing.Options{})
	r := newRig(t, func(r *rig) { r.Routes = func() *routing.Table { return routes } })
	r.handle(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("X-Echo", realKey)
		io.WriteString(w, realKey+q.Header.Get("Accept-Encoding"))
	})
	if f := fetchAll(t, r.client(), "GET", "/outside", "Accept-Encoding", "br"); f.body != realKey+"br" || f.Header.Get("X-Echo") != realKey {
		t.Error(f.all())
	}
}

// Deciding that a body is not searched allocates nothing.
func TestBinaryBodiesCostNothing(t *testing.T) {
	_, injection := slots(t)
	injection.Mask()
	c := &call{r: httptest.NewRequest("GET", "/", nil), out: httptest.NewRequest("GET", "/", nil), applied: Applied{Injection: injection}}
	response := &http.Response{StatusCode: 200, ContentLength: 1 << 20, Header: http.Header{"Content-Type": {"application/octet-stream"}, "Date": {"Mon, 02 Jan 2006 15:04:05 GMT"}}}
	if n := testing.AllocsPerRun(100, func() {
		c.maskHeader(response.Header)
		if c.filter(response) != nil {
			t.Error("a binary body is searched")
		}
		if _, refused := c.whole(response); refused != nil {
			t.Error(refused)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
