package intercept

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// A step is something that an upstream does.
type step struct {
	do     string // "info", "head", "data", "trailer", "read" (the body), "reset"
	status string
	fields []string
	text   string
}

// script is what an upstream does for one request, in either protocol.
type script struct {
	name   string
	method string
	body   string // of the request; "endless" never ends
	expect bool   // the client waits for 100 before it sends the body
	steps  []step
	want   string // a part of what the client sees
}

func info(status string, fields ...string) step {
	return step{do: "info", status: status, fields: fields}
}
func begin(status string, fields ...string) step {
	return step{do: "head", status: status, fields: fields}
}
func data(text string) step         { return step{do: "data", text: text} }
func trailer(fields ...string) step { return step{do: "trailer", fields: fields} }

var (
	readBody = step{do: "read"}
	reset    = step{do: "reset"}
)

var scripts = []script{
	{name: "103", steps: []step{info("103", "link", "</a>"), info("103", "link", "</b>"), begin("200"), data("x")}, want: "103 [</a>] 103 [</b>] 200"},
	{name: "102", steps: []step{info("102"), begin("200"), data("x")}, want: "102 [] 200"},
	{name: "100 that nobody asked for", steps: []step{info("100"), begin("200"), data("x")}, want: "200"},
	{name: "204", steps: []step{begin("204", "x-a", "1")}, want: "204 X-A=[1]"},
	{name: "304", steps: []step{begin("304", "etag", `"e"`)}, want: "304"},
	{name: "HEAD", method: "HEAD", steps: []step{begin("200", "content-length", "10")}, want: "Content-Length=[10]"},
	{name: "no body", steps: []step{begin("200", "content-length", "0")}, want: `200 "" complete`},
	{name: "length", steps: []step{begin("200", "content-length", "6"), data("abc"), data("def")}, want: `"abcdef" complete`},
	{name: "parts", steps: []step{begin("200"), data("abc"), data("def")}, want: `"abcdef" complete`},
	{name: "429", steps: []step{begin("429", "retry-after", "7", "x-ratelimit-reset", "1"), data("slow down")}, want: "429 Retry-After=[7]"},
	{name: "401 with a challenge", steps: []step{begin("401", "www-authenticate", "Bearer")}, want: "Www-Authenticate=[Bearer]"},
	{name: "redirect", steps: []step{begin("307", "location", "https://elsewhere.test/")}, want: "307"},
	{name: "cookies", steps: []step{begin("200", "set-cookie", "a=1", "set-cookie", "b=2")}, want: "Set-Cookie=[a=1 b=2]"},
	{name: "coded", steps: []step{begin("200", "content-encoding", "gzip", "content-length", "3"), data("\x1f\x8bx")}, want: "Content-Encoding=[gzip]"},
	{name: "unusual status", steps: []step{begin("599"), data("x")}, want: "599"},
	{name: "trailers", steps: []step{begin("200", "trailer", "x-sum"), data("abc"), trailer("x-sum", "1")}, want: "trailers X-Sum=[1]"},
	{name: "trailers without a body", steps: []step{begin("200", "trailer", "grpc-status"), trailer("grpc-status", "0")}, want: "trailers Grpc-Status=[0]"},
	{name: "reset in a body with a length", steps: []step{begin("200", "content-length", "9"), data("abc"), reset}, want: `"abc" incomplete`},
	{name: "reset in a body without a length", steps: []step{begin("200"), data("abc"), reset}, want: `"abc" incomplete`},
	{name: "reset before the trailers", steps: []step{begin("200", "trailer", "x-sum"), data("abc"), reset}, want: `"abc" incomplete`},
	{name: "reset before the head", steps: []step{reset}, want: "no answer"},
	{name: "reset after 103", steps: []step{info("103", "link", "</a>"), reset}, want: "103 [</a>] no answer"},
	{name: "body", method: "POST", body: "hello", steps: []step{readBody, begin("200"), data("x")}, want: "200"},
	{name: "continue", method: "POST", body: "hello", expect: true, steps: []step{info("100"), readBody, begin("200"), data("x")}, want: "200"},
	{name: "417", method: "POST", body: "hello", expect: true, steps: []step{begin("417"), data("no")}, want: "417"},
	{name: "answer before the body", method: "POST", body: "endless", steps: []step{begin("413"), data("too long")}, want: `413 "too long" complete`},
	{name: "reset of an upload", method: "POST", body: "hello", steps: []step{readBody, reset}, want: "no answer"},
}

// http1 plays the script on a connection of which the head was read.
func (s *script) http1(c net.Conn, in *bufio.Reader) (body string, goesOn bool) {
	chunked, ended := false, true
	for _, step := range s.steps {
		var b strings.Builder
		switch step.do {
		case "info", "head":
			fmt.Fprintf(&b, "HTTP/1.1 %s Status\r\n", step.status)
			hasLength := slices.Contains(step.fields, "content-length")
			if step.do == "head" && !hasLength && step.status != "204" && step.status != "304" {
				chunked, ended = true, false
				b.WriteString("transfer-encoding: chunked\r\n")
			}
			writeFields(&b, step.fields)
		case "data":
			if chunked {
				fmt.Fprintf(&b, "%x\r\n%s\r\n", len(step.text), step.text)
			} else {
				b.WriteString(step.text)
			}
		case "trailer":
			ended = true
			b.WriteString("0\r\n")
			writeFields(&b, step.fields)
		case "read":
			q := make([]byte, len(s.body))
			io.ReadFull(in, q)
			body = string(q)
		case "reset":
			return body, false
		}
		if _, err := io.WriteString(c, b.String()); err != nil {
			return body, false
		}
	}
	if !ended {
		io.WriteString(c, "0\r\n\r\n")
	}
	return body, s.body != "endless"
}

func writeFields(b *strings.Builder, fields []string) {
	for i := 0; i+1 < len(fields); i += 2 {
		fmt.Fprintf(b, "%s: %s\r\n", fields[i], fields[i+1])
	}
	b.WriteString("\r\n")
}

// http2 plays the script on a stream.
func (s *script) http2(f *frames, stream uint32) (body string) {
	for i, step := range s.steps {
		end := i == len(s.steps)-1
		switch step.do {
		case "info":
			f.head(stream, false, append([]string{":status", step.status}, step.fields...)...)
		case "head":
			f.head(stream, end, append([]string{":status", step.status}, step.fields...)...)
		case "data":
			f.WriteData(stream, end, []byte(step.text))
		case "trailer":
			f.head(stream, true, step.fields...)
		case "read":
			body = f.body(stream)
		case "reset":
			f.WriteRSTStream(stream, http2.ErrCodeInternal)
		}
	}
	return body
}

// body reads the body on a stream.
func (f *frames) body(stream uint32) string {
	var b strings.Builder
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return b.String()
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				f.WriteSettingsAck()
			}
		case *http2.DataFrame:
			f.WriteWindowUpdate(0, frame.Length)
			if frame.StreamID == stream {
				b.Write(frame.Data())
				if frame.StreamEnded() {
					return b.String()
				}
			}
		}
	}
}

// player is an upstream that plays the script that a request's path names.
type player struct {
	hostile
	got chan string // the bodies that it read
}

func (p *player) serve(t *testing.T, r *rig, protocol string) {
	play := func(path string) *script {
		n, _ := strconv.Atoi(strings.TrimPrefix(path, "/"))
		return &scripts[n]
	}
	if protocol == "h2" {
		p.http2(t, r, func(f *frames, h *http2.MetaHeadersFrame) {
			s := play(h.PseudoValue("path"))
			body := s.http2(f, h.StreamID)
			if s.body != "" && s.body != "endless" {
				p.got <- body
			}
		})
		return
	}
	p.listen(t, r, "http/1.1", func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			head, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			s := play(head.URL.Path)
			body, goesOn := s.http1(c, in)
			if s.body != "" && s.body != "endless" {
				p.got <- body
			}
			if s.steps[len(s.steps)-1].do == "reset" {
				c.(*tls.Conn).NetConn().(*net.TCPConn).SetLinger(0)
				c.(*tls.Conn).NetConn().Close()
			}
			if !goesOn {
				io.Copy(io.Discard, in)
				return
			}
		}
	})
}

// observe describes what a careful client sees.
func observe(t *testing.T, c *http.Client, number int, s *script) string {
	t.Helper()
	var seen []string
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if code != 100 {
			seen = append(seen, fmt.Sprint(code, " ", h["Link"]))
		}
		return nil
	}})
	var body io.Reader
	if s.body == "endless" {
		body = endless{}
	} else if s.body != "" {
		body = strings.NewReader(s.body)
	}
	method := s.method
	if method == "" {
		method = "GET"
	}
	q, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("https://%s/%d", routedHost, number), body)
	if err != nil {
		t.Fatal(err)
	}
	if s.expect {
		q.Header.Set("Expect", "100-continue")
	}
	response, err := c.Do(q)
	if err != nil || response.Header.Get(errorHeader) == string(CodeUpstreamUnreachable) {
		if err == nil {
			response.Body.Close()
		}
		return strings.Join(append(seen, "no answer"), " ")
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	seen = append(seen, fmt.Sprint(response.StatusCode))
	if len(response.Trailer) > 0 || method != "HEAD" && len(text) == 0 {
		response.Header.Del("Content-Length") // HTTP/1.1 has either; and an empty body has 0 or none
	}
	seen = append(seen, sorted(response.Header)...)
	seen = append(seen, fmt.Sprintf("%q", text), map[bool]string{true: "complete", false: "incomplete"}[err == nil])
	if err == nil {
		seen = append(append(seen, "trailers"), sorted(response.Trailer)...)
	}
	return strings.Join(seen, " ")
}

func sorted(h http.Header) (fields []string) {
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if name != "Connection" && name != "Trailer" && len(h[name]) > 0 {
			fields = append(fields, fmt.Sprint(name, "=", h[name]))
		}
	}
	return fields
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// A client sees through the proxy what it would see without it, in each protocol, and
// the upstream gets the same body.
func TestUpstreamIsSeenAsItIs(t *testing.T) {
	for _, protocol := range []string{"http/1.1", "h2"} {
		upstream := &player{got: make(chan string, 8)}
		r := newRig(t, func(r *rig) { upstream.serve(t, r, protocol) })
		direct := &http.Client{Timeout: limit, CheckRedirect: r.client().CheckRedirect, Transport: &http.Transport{
			ForceAttemptHTTP2: true, DisableCompression: true, ExpectContinueTimeout: time.Hour, TLSClientConfig: &tls.Config{RootCAs: pool(t, r.certs)},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, r.ConnectTo[0].To.String())
			},
		}}
		t.Cleanup(direct.CloseIdleConnections)
		for number, s := range scripts {
			want, body := observe(t, direct, number, &s), upstream.body(&s)
			if !strings.Contains(want, s.want) {
				t.Errorf("%s, %s: seen directly: %s", s.name, protocol, want)
			}
			for name, c := range map[string]*http.Client{"h1": r.http1(), "h2": r.client(), "absolute": r.absolute()} {
				c.Transport.(*http.Transport).ExpectContinueTimeout = time.Hour
				got := observe(t, c, number, &s)
				if gotBody := upstream.body(&s); got != want || gotBody != body {
					t.Errorf("%s, %s upstream, %s client:\n got %s %q\nwant %s %q", s.name, protocol, name, got, gotBody, want, body)
				}
			}
		}
	}
}

// body returns the body that the upstream got for s.
func (p *player) body(s *script) string {
	if s.body == "" || s.body == "endless" {
		return ""
	}
	select {
	case body := <-p.got:
		return body
	case <-time.After(limit):
		return "the upstream did not get the request"
	}
}

// An answer that comes before the body is complete for a client that waits for it
// before it sends the body.
func TestAnswerDoesNotWaitForTheBody(t *testing.T) {
	number := slices.IndexFunc(scripts, func(s script) bool { return s.name == "answer before the body" })
	for _, protocol := range []string{"http/1.1", "h2"} {
		upstream := &player{}
		r := newRig(t, func(r *rig) { upstream.serve(t, r, protocol) })
		for name, c := range map[string]*http.Client{"h1": r.http1(), "h2": r.client(), "absolute": r.absolute()} {
			for _, length := range []int64{5, -1} {
				body, more := io.Pipe()
				q, err := http.NewRequest("POST", fmt.Sprintf("https://%s/%d", routedHost, number), body)
				if err != nil {
					t.Fatal(err)
				}
				q.ContentLength = length
				response, err := c.Do(q)
				if err != nil {
					t.Fatal(err)
				}
				if text, err := io.ReadAll(response.Body); err != nil || string(text) != "too long" {
					t.Errorf("%s upstream, %s client, length %d: %q, %v", protocol, name, length, text, err)
				}
				response.Body.Close()
				more.Close()
			}
		}
	}
}
