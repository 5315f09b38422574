package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authsome/authsome/intercept"
)

// echo answers with the command line.
func echo(_ context.Context, c Call) (Answer, error) {
	out, problems := c.Output(), c.Output()
	fmt.Fprintf(out, "%q", c.Args)
	fmt.Fprintf(problems, "width %d", out.Columns())
	return c.Answer(out, problems, 5)
}

// serve serves a handler as a proxy would, and returns its URL.
func serve(t *testing.T, h http.Handler) *url.URL {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestAskHandler(t *testing.T) {
	proxy := serve(t, Handler(echo))
	got, err := Ask(t.Context(), proxy, "list", url.Values{"text": {"a b"}, "width": {"77"}})
	if want := (Answer{Stdout: `["list" "--" "a b"]`, Stderr: "width 77", ExitCode: 5}); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = Ask(t.Context(), proxy, "list", url.Values{"profile": {"other"}})
	if e, ok := errors.AsType[*RefusedError](err); !ok || err.Error() != `list has no parameter "profile"` || e.Code != "" {
		t.Errorf("a parameter that is not listed: %v", err)
	}
}

// What is not a GET of a listed command is refused, in JSON that a browser takes for
// nothing else.
func TestHandlerRefuses(t *testing.T) {
	proxy := serve(t, Handler(echo))
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/v1/whoami", 200}, {"POST", "/v1/whoami", 405}, {"HEAD", "/v1/whoami", 405}, {"OPTIONS", "/v1/whoami", 405},
		{"GET", "/v1/", 404}, {"GET", "/v1/login", 404}, {"GET", "/v1/x/whoami", 404}, {"GET", "/v2/whoami", 404}, {"GET", "/v1/whoami/", 404}, {"GET", "/v1//whoami", 404},
		{"GET", "/v1/whoami?profile=x", 400},
	} {
		r, err := http.NewRequest(tt.method, proxy.String()+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != tt.status || err != nil || response.Header.Get("X-Content-Type-Options") != "nosniff" || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %v, %v", tt.method, tt.path, response.StatusCode, response.Header, err)
		}
		if tt.method != http.MethodHead && !json.Valid(body) {
			t.Errorf("%s %s: %q", tt.method, tt.path, body)
		}
	}
}

// Output beyond the limit makes the answer an error; up to it, it arrives whole.
func TestOutputIsLimited(t *testing.T) {
	for n, want := range map[int]bool{maxOutput: true, maxOutput + 1: false} {
		proxy := serve(t, Handler(func(_ context.Context, c Call) (Answer, error) {
			out := c.Output()
			for range n {
				out.Write([]byte{'\x01'})
			}
			return c.Answer(out, out, 0)
		}))
		answer, err := Ask(t.Context(), proxy, "list", nil)
		if _, refused := errors.AsType[*RefusedError](err); refused == want || want && len(answer.Stdout)+len(answer.Stderr) != 2*n {
			t.Errorf("%d bytes: %d, %v", n, len(answer.Stdout), err)
		}
	}
}

// A few commands run at a time. The others wait, and a client that leaves waits no longer.
func TestFewCommandsRunAtATime(t *testing.T) {
	const calls = 3 * maxCalls
	var active, most atomic.Int32
	running, release := make(chan struct{}, calls), make(chan struct{})
	proxy := serve(t, Handler(func(ctx context.Context, c Call) (Answer, error) {
		n := active.Add(1)
		defer active.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		running <- struct{}{}
		<-release
		return echo(ctx, c)
	}))
	answered := make(chan error, calls)
	for range calls {
		go func() {
			_, err := Ask(t.Context(), proxy, "whoami", nil)
			answered <- err
		}()
	}
	for range maxCalls {
		<-running
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Ask(ctx, proxy, "whoami", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a client that left: %v", err)
	}
	for range calls {
		release <- struct{}{}
		if err := <-answered; err != nil {
			t.Error(err)
		}
	}
	if most.Load() != maxCalls {
		t.Errorf("%d commands ran at a time", most.Load())
	}
}

// A client that does not read its answer keeps no other from running a command.
func TestSlowReaderHoldsNothing(t *testing.T) {
	ran := make(chan struct{}, maxCalls)
	proxy := serve(t, Handler(func(ctx context.Context, c Call) (Answer, error) {
		if c.Args[0] == "whoami" {
			return echo(ctx, c)
		}
		defer func() { ran <- struct{}{} }()
		out := c.Output()
		out.Write(bytes.Repeat([]byte{'\x01'}, maxOutput)) // more than the sockets take
		return c.Answer(out, out, 0)
	}))
	for range maxCalls {
		c, err := net.Dial("tcp", proxy.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET http://"+intercept.SelfHost+"/v1/list HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	for range maxCalls {
		<-ran
	}
	ctx, cancel := context.WithTimeout(t.Context(), maxTime/3)
	defer cancel()
	if _, err := Ask(ctx, proxy, "whoami", nil); err != nil {
		t.Error(err)
	}
}

// Only the answer of an authsome proxy is one.
func TestAskOthers(t *testing.T) {
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		code   intercept.Code // of a refusal
	}{
		"a page":    {answer: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, intercept.SelfAnswer) }},
		"no answer": {answer: func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }},
		"502":       {answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }},
		"a redirect": {answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}},
		"JSON":              {answer: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"stdout":"x"}`) }},
		"without an answer": {answer: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"program":"authsome"}`) }},
		"without an end": {answer: func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `{"program":"`+strings.Repeat("a", maxDocument))
		}},
		"an older proxy":      {answer: refused("upstream_unreachable", 502)},
		"needs a token":       {answer: refused("proxy_auth_required", 407), code: intercept.CodeProxyAuthRequired},
		"of another user":     {answer: refused("not_your_proxy", 403), code: intercept.CodeNotYourProxy},
		"and CONNECT refused": {answer: refused("tunnel_required", 403), code: intercept.CodeTunnelRequired},
	} {
		proxy := serve(t, tt.answer)
		answer, err := Ask(t.Context(), proxy, "whoami", nil)
		e, ok := errors.AsType[*RefusedError](err)
		if answer != (Answer{}) || err == nil || ok != (tt.code != "") || ok && e.Code != tt.code {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
}

func refused(code string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Authsome-Error", code)
		w.WriteHeader(status)
	}
}
