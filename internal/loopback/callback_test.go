package loopback_test

import (
	"bufio"
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

func listen(t *testing.T, l *loopback.Server) *loopback.Server {
	t.Helper()
	l.Title = "Acme"
	if err := l.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// awaited is what Authorize returned.
type awaited struct {
	values url.Values
	err    error
}

func authorize(t *testing.T, l *loopback.Server, a flows.Authorization) <-chan awaited {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	done := make(chan awaited, 1)
	wait := l.Expect(a)
	go func() {
		values, err := wait(ctx)
		done <- awaited{values, err}
	}()
	return done
}

// page is an answer of the server.
type page struct {
	status int
	header http.Header
	body   string
}

// ask makes a request and follows no redirect.
func ask(t *testing.T, r *http.Request) page {
	t.Helper()
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return page{response.StatusCode, response.Header, string(body)}
}

func get(t *testing.T, address string) page {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, r)
}

// follow gets an address and is led on while the server says so.
func follow(t *testing.T, address string) (page, string) {
	t.Helper()
	for range 5 {
		p := get(t, address)
		if p.status != http.StatusSeeOther {
			return p, address
		}
		base, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		next, err := base.Parse(p.header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		address = next.String()
	}
	t.Fatal("led in circles")
	return page{}, ""
}

func answerWith(l *loopback.Server, pairs ...string) string {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	return l.RedirectURI() + "?" + query.Encode()
}

// What does not belong to the login is refused, reveals nothing, and leaves the
// login waiting for the right answer.
func TestStraysNeitherEndNorSteerALogin(t *testing.T) {
	l := listen(t, &loopback.Server{})
	done := authorize(t, l, flows.Authorization{URL: "https://acme.test/authorize?x=1", State: state})
	at, err := url.Parse(l.RedirectURI())
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://" + at.Host
	good := answerWith(l, "code", code, "state", state)

	// Connections that say nothing, or too little, or not to an end.
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
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	for _, test := range []struct {
		name   string
		r      *http.Request
		status int
	}{
		{"root", request("GET", origin+"/", nil), 404},
		{"favicon", request("GET", origin+"/favicon.ico", nil), 404},
		{"scanner", request("GET", origin+"/callback?code=evil&state="+state, nil), 404},
		{"guessed path", request("GET", origin+"/callback/0123456789abcdef0123456789abcdef?code=evil&state="+state, nil), 404},
		{"dot segments", request("GET", strings.Replace(good, "/callback/", "/x/../callback/", 1), nil), 404},
		{"no query", request("GET", l.RedirectURI(), nil), 400},
		{"wrong state", request("GET", answerWith(l, "code", "evil", "state", "other"), nil), 400},
		{"no state", request("GET", answerWith(l, "code", "evil"), nil), 400},
		{"empty state", request("GET", answerWith(l, "code", "evil", "state", ""), nil), 400},
		{"state twice", request("GET", answerWith(l, "code", "evil", "state", state, "state", "other"), nil), 400},
		{"code twice", request("GET", answerWith(l, "code", "evil", "code", code, "state", state), nil), 400},
		{"neither code nor error", request("GET", answerWith(l, "state", state), nil), 400},
		{"malformed query", request("GET", l.RedirectURI()+"?code=evil;state="+state, nil), 400},
		{"error without state", request("GET", answerWith(l, "error", "access_denied", "error_description", "<script>alert(1)</script>"), nil), 400},
		{"error with wrong state", request("GET", answerWith(l, "error", "<script>", "state", "other"), nil), 400},
		{"POST", request("POST", good, nil), 405},
		{"HEAD", request("HEAD", good, nil), 405},
		{"PUT", request("PUT", good, nil), 405},
		{"rebound name", request("GET", good, host("evil.test")), 421},
		{"rebound name with our port", request("GET", good, host("evil.test:"+at.Port())), 421},
		{"localhost, which is not the redirect's", request("GET", good, host("localhost:"+at.Port())), 421},
		{"other port", request("GET", good, host("127.0.0.1:1")), 421},
		{"head of 10 KB", request("GET", origin+"/", func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("x", 10<<10)) }), 404},
		{"head of 100 KB", request("GET", good, func(r *http.Request) { r.Header.Set("X-Long", strings.Repeat("x", 100<<10)) }), 431},
		{"look-ahead", request("GET", good, func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch;prerender") }), 503},
	} {
		p := ask(t, test.r)
		if p.status != test.status {
			t.Errorf("%s: status %d, want %d", test.name, p.status, test.status)
		}
		for _, text := range []string{"script", "evil", state, code, "acme.test", "Acme"} {
			if strings.Contains(p.body, text) {
				t.Errorf("%s: the page has %q", test.name, text)
			}
		}
		if p.status != 431 {
			wantGuarded(t, test.name, p)
		}
		select {
		case got := <-done:
			t.Fatalf("%s ended the login: %v, %v", test.name, got.values, got.err)
		default:
		}
	}
	if p := get(t, good); p.status != http.StatusSeeOther || strings.Contains(p.header.Get("Location")+p.body, code) || strings.Contains(p.header.Get("Location")+p.body, state) {
		t.Errorf("the right answer: status %d, on to %q", p.status, p.header.Get("Location"))
	}
	if got := <-done; got.err != nil || got.values.Get("code") != code {
		t.Errorf("the login: %v, %v", got.values, got.err)
	}
}

// wantGuarded checks the headers that every answer has.
func wantGuarded(t *testing.T, name string, p page) {
	t.Helper()
	for header, want := range map[string]string{
		"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
	} {
		if got := p.header.Get(header); got != want {
			t.Errorf("%s: %s is %q, want %q", name, header, got, want)
		}
	}
	policy := p.header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("%s: the policy %q lacks %s", name, policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") {
		t.Errorf("%s: the policy is %q", name, policy)
	}
}

// The browser is led to one page, which tells the end when there is one.
func TestThePageTellsTheEnd(t *testing.T) {
	for _, test := range []struct {
		name    string
		outcome loopback.Outcome
		want    []string
		not     []string
	}{
		{"success", loopback.Outcome{Connection: "work", Account: "kim@acme.test", Scopes: []string{"read:user", "repo"}, Hosts: []string{"api.acme.test"}, Next: "authsome run -- COMMAND"},
			[]string{"Acme is connected", `role="status"`, "kim@acme.test", "work", "read:user", "repo", "api.acme.test", `lang="en"`, "authsome run -- COMMAND"}, []string{"not connected"}},
		{"failure", loopback.Outcome{Problem: "the server refused", Server: `access_denied: <script>alert("x")</script>`, Next: "authsome login acme"},
			[]string{"Acme is not connected", "The server refused.", `role="alert"`, "What the server of Acme said", "&lt;script&gt;", "authsome login acme"}, []string{"<script", "is connected"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t, &loopback.Server{})
			done := authorize(t, l, flows.Authorization{URL: "https://acme.test/authorize", State: state})
			p := get(t, answerWith(l, "code", code, "state", state))
			<-done
			at, _ := url.Parse(l.RedirectURI())
			address := "http://" + at.Host + p.header.Get("Location")
			shown := make(chan page, 1)
			go func() { shown <- get(t, address) }()
			l.Finish(t.Context(), test.outcome)
			p = <-shown
			if p.status != 200 {
				t.Errorf("status %d", p.status)
			}
			wantGuarded(t, test.name, p)
			for _, want := range test.want {
				if !strings.Contains(p.body, want) {
					t.Errorf("the page lacks %q", want)
				}
			}
			for _, not := range append(test.not, code, state, "http://", "https://", "onload", "javascript") {
				if strings.Contains(p.body+address[len("http://"):], not) {
					t.Errorf("the page has %q", not)
				}
			}
			l.Close()
			if c, err := net.Dial("tcp", at.Host); err == nil {
				c.Close()
				t.Error("the server is still there")
			}
		})
	}
}

func TestAnswersThatEndALogin(t *testing.T) {
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
			l := listen(t, &loopback.Server{})
			a := flows.Authorization{URL: "https://acme.test/authorize", State: state, Check: test.check}
			done := authorize(t, l, a)
			address := answerWith(l, test.query...)
			// A second delivery, as by a reload, changes nothing.
			for range 2 {
				if p := get(t, address); p.status != http.StatusSeeOther {
					t.Errorf("status %d", p.status)
				}
			}
			got := <-done
			wantSame(t, got.err, test.want)
			if test.want != nil && got.values != nil {
				t.Errorf("values %v beside an error", got.values)
			}
			// The same address, pasted.
			_, err := a.Answer(l.RedirectURI(), "  "+address[:30]+"\n"+address[30:]+" ")
			wantSame(t, err, test.want)
		})
	}
}

func wantSame(t *testing.T, got, want error) {
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

func TestLoginsDoNotMix(t *testing.T) {
	const n = 8
	var servers [n]*loopback.Server
	var results [n]<-chan awaited
	for i := range servers {
		servers[i] = listen(t, &loopback.Server{})
		results[i] = authorize(t, servers[i], flows.Authorization{URL: "https://acme.test", State: fmt.Sprint("state-", i)})
	}
	for i := range servers { // each gets its neighbour's answer first
		if p := get(t, answerWith(servers[i], "code", "evil", "state", fmt.Sprint("state-", (i+1)%n))); p.status != 400 {
			t.Errorf("the neighbour's answer: status %d", p.status)
		}
	}
	for i := range servers {
		get(t, answerWith(servers[i], "code", fmt.Sprint("code-", i), "state", fmt.Sprint("state-", i)))
	}
	for i, result := range results {
		if got := <-result; got.err != nil || got.values.Get("code") != fmt.Sprint("code-", i) {
			t.Errorf("login %d: %v, %v", i, got.values, got.err)
		}
	}
}

func TestCancellationEndsTheServer(t *testing.T) {
	l := listen(t, &loopback.Server{})
	ctx, cancel := context.WithCancel(t.Context())
	link := l.Link()
	ended := make(chan error, 1)
	go func() {
		_, err := l.Expect(flows.Authorization{URL: "https://acme.test", State: state})(ctx)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	// A browser that waits is let go, too.
	p := get(t, link)
	at, _ := url.Parse(link)
	c, err := net.Dial("tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", p.header.Get("Location"), at.Host)
	l.Close()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := bufio.NewReader(c).ReadByte(); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the waiting browser: %v", err)
	}
}

func TestLinksOpenOnce(t *testing.T) {
	l := listen(t, &loopback.Server{})
	authorize(t, l, flows.Authorization{URL: "https://acme.test/authorize?state=" + state, State: state})
	first, second := l.Link(), l.Link()
	r, err := http.NewRequest(http.MethodGet, first, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Purpose", "prefetch")
	ask(t, r)
	for _, link := range []string{first, second} {
		p := get(t, link)
		at, _ := url.Parse(link)
		if p = get(t, "http://"+at.Host+p.header.Get("Location")); p.header.Get("Location") != "https://acme.test/authorize?state="+state || p.body != "" {
			t.Errorf("led on to %q", p.header.Get("Location"))
		}
		if p := get(t, link); p.status != http.StatusGone || !strings.Contains(p.body, "used already") {
			t.Errorf("the second time: status %d", p.status)
		}
	}
}

func TestAddresses(t *testing.T) {
	l := listen(t, &loopback.Server{})
	at, err := url.Parse(l.RedirectURI())
	if err != nil {
		t.Fatal(err)
	}
	if at.Hostname() != "127.0.0.1" || len(at.Path) != len("/callback/")+32 {
		t.Errorf("redirect URI %s", at)
	}
	if (&loopback.Server{Host: "0.0.0.0"}).Listen() == nil {
		t.Error("listens on every interface")
	}
	var taken int
	fmt.Sscan(at.Port(), &taken)
	other := &loopback.Server{Port: taken, Path: "/callback"}
	if err, ok := errors.AsType[*loopback.PortError](other.Listen()); !ok || err.Port != taken {
		t.Errorf("a taken port: %v", err)
	}

	both := listen(t, &loopback.Server{Host: "localhost", Path: "/cb"})
	if !strings.HasPrefix(both.RedirectURI(), "http://localhost:") || !strings.HasSuffix(both.RedirectURI(), "/cb") {
		t.Errorf("redirect URI %s", both.RedirectURI())
	}
	at, _ = url.Parse(both.RedirectURI())
	for _, host := range []string{"127.0.0.1", "::1"} {
		r, err := http.NewRequest(http.MethodGet, "http://"+net.JoinHostPort(host, at.Port())+"/cb", nil)
		if err != nil {
			t.Fatal(err)
		}
		if host == "::1" {
			if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
				t.Logf("no IPv6 on this machine: %v", err)
				continue
			} else {
				l.Close()
			}
		}
		r.Host = at.Host
		if p := ask(t, r); p.status != 400 {
			t.Errorf("%s: status %d", host, p.status)
		}
	}
}

// An answer that comes before anybody waits for it is not lost.
func TestAnswerBeforeTheWait(t *testing.T) {
	l := listen(t, &loopback.Server{})
	wait := l.Expect(flows.Authorization{URL: "https://acme.test/authorize", State: state})
	get(t, answerWith(l, "state", state, "code", "c"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if values, err := wait(ctx); err != nil || values.Get("code") != "c" {
		t.Errorf("%v, %v", values, err)
	}
}
