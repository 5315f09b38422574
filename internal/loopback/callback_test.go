package loopback_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/loopback"
)

const (
	state = "state-canary-9f8e7d6c5b4a"
	code  = "code-canary-0123456789ab"
)

// result is what the function that Expect returns has returned.
type result struct {
	values url.Values
	err    error
}

// expect calls Expect and waits for the answer in the background.
func expect(t *testing.T, s *loopback.Server, a flows.Authorization) <-chan result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	done := make(chan result, 1)
	wait := s.Expect(a)
	go func() {
		values, err := wait(ctx)
		done <- result{values, err}
	}()
	return done
}

// callbackURL returns the redirect URI with a query.
func callbackURL(s *loopback.Server, pairs ...string) string {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	return s.RedirectURI() + "?" + query.Encode()
}

type strayRequest struct {
	name   string
	r      *http.Request
	status int
}

// strayRequests are requests that do not belong to the login.
func strayRequests(t *testing.T, s *loopback.Server) []strayRequest {
	t.Helper()
	at, err := url.Parse(s.RedirectURI())
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + at.Host
	good := callbackURL(s, "code", code, "state", state)
	request := func(method, address string, change func(*http.Request)) *http.Request {
		r, err := http.NewRequest(method, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(r)
		}
		return r
	}
	withHost := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	withLongHeader := func(kilobytes int) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("x", kilobytes<<10)) }
	}
	return []strayRequest{
		{"root", request("GET", origin+"/", nil), 404},
		{"favicon", request("GET", origin+"/favicon.ico", nil), 404},
		{"scanner", request("GET", origin+"/callback?code=evil&state="+state, nil), 404},
		{"guessed path", request("GET", origin+"/callback/ABCDEFGHIJKLMNOPQRSTUVWXYZ?code=evil&state="+state, nil), 404},
		{"dot segments", request("GET", strings.Replace(good, "/callback/", "/x/../callback/", 1), nil), 404},
		{"no query", request("GET", s.RedirectURI(), nil), 400},
		{"wrong state", request("GET", callbackURL(s, "code", "evil", "state", "other"), nil), 400},
		{"no state", request("GET", callbackURL(s, "code", "evil"), nil), 400},
		{"empty state", request("GET", callbackURL(s, "code", "evil", "state", ""), nil), 400},
		{"state twice", request("GET", callbackURL(s, "code", "evil", "state", state, "state", "other"), nil), 400},
		{"code twice", request("GET", callbackURL(s, "code", "evil", "code", code, "state", state), nil), 400},
		{"neither code nor error", request("GET", callbackURL(s, "state", state), nil), 400},
		{"malformed query", request("GET", s.RedirectURI()+"?code=evil;state="+state, nil), 400},
		{"error without state", request("GET", callbackURL(s, "error", "access_denied", "error_description", "<script>alert(1)</script>"), nil), 400},
		{"error with wrong state", request("GET", callbackURL(s, "error", "<script>", "state", "other"), nil), 400},
		{"POST", request("POST", good, nil), 405},
		{"HEAD", request("HEAD", good, nil), 405},
		{"PUT", request("PUT", good, nil), 405},
		{"DNS rebinding", request("GET", good, withHost("evil.test")), 421},
		{"DNS rebinding with the right port", request("GET", good, withHost("evil.test:"+at.Port())), 421},
		{"localhost instead of 127.0.0.1", request("GET", good, withHost("localhost:"+at.Port())), 421},
		{"other port", request("GET", good, withHost("127.0.0.1:1")), 421},
		{"head of 10 KB", request("GET", origin+"/", withLongHeader(10)), 404},
		{"head of 100 KB", request("GET", good, withLongHeader(100)), 431},
		{"prefetch", request("GET", good, func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch;prerender") }), 503},
	}
}

// Requests that do not belong to the login are refused, reveal nothing, and leave
// the login waiting for the right answer.
func TestStrayRequestsDoNotAffectTheLogin(t *testing.T) {
	s := listen(t, loopback.Redirect{})
	done := expect(t, s, flows.Authorization{URL: "https://acme.test/authorize?x=1", State: state})
	at, err := url.Parse(s.RedirectURI())
	if err != nil {
		t.Fatal(err)
	}
	// Connections that send nothing or only part of a request.
	for _, head := range []string{"", "G", "GET /callback HTTP/1.1\r\nHost: " + at.Host + "\r\nX-Slow: "} {
		for range 10 {
			c, err := net.Dial("tcp", at.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, head)
		}
	}
	for _, test := range strayRequests(t, s) {
		p := do(t, test.r)
		if p.status != test.status {
			t.Errorf("%s: status %d, want %d", test.name, p.status, test.status)
		}
		for _, text := range []string{"script", "evil", state, code, "acme.test", "Acme"} {
			if strings.Contains(p.body, text) {
				t.Errorf("%s: the page contains %q", test.name, text)
			}
		}
		if p.status != 431 {
			wantSecurityHeaders(t, test.name, p)
		}
		select {
		case got := <-done:
			t.Fatalf("%s ended the login: %v, %v", test.name, got.values, got.err)
		default:
		}
	}
	p := get(t, callbackURL(s, "code", code, "state", state))
	if shown := p.header.Get("Location") + p.body; p.status != http.StatusSeeOther || strings.Contains(shown, code) || strings.Contains(shown, state) {
		t.Errorf("the right answer: status %d, redirected to %q", p.status, p.header.Get("Location"))
	}
	if got := <-done; got.err != nil || got.values.Get("code") != code {
		t.Errorf("the login: %v, %v", got.values, got.err)
	}
}

func TestAnswersThatEndTheLogin(t *testing.T) {
	wrongIssuer := errors.New("the answer is from another server")
	for _, test := range []struct {
		name  string
		query []string
		check func(url.Values) error
		want  error
	}{
		{"refusal", []string{"error", "access_denied", "error_description", "no,\r\nthanks\u202e", "state", state}, nil, &flows.AuthorizationError{Code: "access_denied", Description: "no,  thanks"}},
		{"refusal from another issuer", []string{"error", "access_denied", "iss", "https://evil.test", "state", state}, func(url.Values) error { return wrongIssuer }, wrongIssuer},
		{"code from another issuer", []string{"code", code, "iss", "https://evil.test", "state", state}, func(url.Values) error { return wrongIssuer }, wrongIssuer},
		{"code", []string{"code", code, "iss", "https://acme.test", "state", state}, func(v url.Values) error {
			if v.Get("iss") != "https://acme.test" {
				return wrongIssuer
			}
			return nil
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := listen(t, loopback.Redirect{})
			a := flows.Authorization{URL: "https://acme.test/authorize", State: state, Check: test.check}
			done := expect(t, s, a)
			address := callbackURL(s, test.query...)
			// A reload delivers the answer twice, without effect.
			for range 2 {
				if p := get(t, address); p.status != http.StatusSeeOther {
					t.Errorf("status %d", p.status)
				}
			}
			got := <-done
			wantSameError(t, got.err, test.want)
			if test.want != nil && got.values != nil {
				t.Errorf("values %v with an error", got.values)
			}
			// The same address, pasted.
			_, err := a.Answer(s.RedirectURI(), "  "+address[:30]+"\n"+address[30:]+" ")
			wantSameError(t, err, test.want)
		})
	}
}

func wantSameError(t *testing.T, got, want error) {
	t.Helper()
	if refusal, ok := errors.AsType[*flows.AuthorizationError](want); ok {
		if g, ok := errors.AsType[*flows.AuthorizationError](got); !ok || *g != *refusal {
			t.Errorf("error %v, want %v", got, want)
		}
		return
	}
	if !errors.Is(got, want) {
		t.Errorf("error %v, want %v", got, want)
	}
}

func TestConcurrentLoginsDoNotMix(t *testing.T) {
	const n = 8
	var servers [n]*loopback.Server
	var results [n]<-chan result
	for i := range servers {
		servers[i] = listen(t, loopback.Redirect{})
		results[i] = expect(t, servers[i], flows.Authorization{URL: "https://acme.test", State: fmt.Sprint("state-", i)})
	}
	for i := range servers { // each first gets the answer to another login
		if p := get(t, callbackURL(servers[i], "code", "evil", "state", fmt.Sprint("state-", (i+1)%n))); p.status != 400 {
			t.Errorf("the answer to another login: status %d", p.status)
		}
	}
	for i := range servers {
		get(t, callbackURL(servers[i], "code", fmt.Sprint("code-", i), "state", fmt.Sprint("state-", i)))
	}
	for i, result := range results {
		if got := <-result; got.err != nil || got.values.Get("code") != fmt.Sprint("code-", i) {
			t.Errorf("login %d: %v, %v", i, got.values, got.err)
		}
	}
}

func TestAnswerThatArrivesBeforeTheWaitIsKept(t *testing.T) {
	s := listen(t, loopback.Redirect{})
	wait := s.Expect(flows.Authorization{URL: "https://acme.test/authorize", State: state})
	get(t, callbackURL(s, "state", state, "code", "c"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if values, err := wait(ctx); err != nil || values.Get("code") != "c" {
		t.Errorf("%v, %v", values, err)
	}
}
