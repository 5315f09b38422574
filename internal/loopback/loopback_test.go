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

// listen starts a server that also listens for the redirect.
func listen(t *testing.T, r loopback.Redirect) *loopback.Server {
	t.Helper()
	s := &loopback.Server{Title: "Acme"}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if err := s.ListenForRedirect(r); err != nil {
		t.Fatal(err)
	}
	return s
}

// page is a response of the server.
type page struct {
	status int
	header http.Header
	body   string
}

// do sends a request and does not follow redirects.
func do(t *testing.T, r *http.Request) page {
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
	return do(t, r)
}

// getFollowing gets a page, follows redirects, and also returns the final URL.
func getFollowing(t *testing.T, address string) (page, string) {
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
	t.Fatal("too many redirects")
	return page{}, ""
}

// wantSecurityHeaders checks the headers that every response has.
func wantSecurityHeaders(t *testing.T, name string, p page) {
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

func TestCloseEndsAWaitingBrowser(t *testing.T) {
	s := listen(t, loopback.Redirect{})
	ctx, cancel := context.WithCancel(t.Context())
	link := s.Link()
	ended := make(chan error, 1)
	go func() {
		_, err := s.Expect(flows.Authorization{URL: "https://acme.test", State: state})(ctx)
		ended <- err
	}()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	p := get(t, link)
	at, _ := url.Parse(link)
	c, err := net.Dial("tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", p.header.Get("Location"), at.Host)
	s.Close()
	c.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := bufio.NewReader(c).ReadByte(); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the waiting browser got %v", err)
	}
}

func TestLinkOpensOnce(t *testing.T) {
	s := listen(t, loopback.Redirect{})
	expect(t, s, flows.Authorization{URL: "https://acme.test/authorize?state=" + state, State: state})
	first, second := s.Link(), s.Link()
	r, err := http.NewRequest(http.MethodGet, first, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Purpose", "prefetch")
	do(t, r)
	for _, link := range []string{first, second} {
		p := get(t, link)
		at, _ := url.Parse(link)
		if p = get(t, "http://"+at.Host+p.header.Get("Location")); p.header.Get("Location") != "https://acme.test/authorize?state="+state || p.body != "" {
			t.Errorf("redirected to %q", p.header.Get("Location"))
		}
		if p := get(t, link); p.status != http.StatusGone || !strings.Contains(p.body, "already been used") {
			t.Errorf("the second time: status %d", p.status)
		}
	}
}

func TestRedirectURI(t *testing.T) {
	s := listen(t, loopback.Redirect{})
	at, err := url.Parse(s.RedirectURI())
	if err != nil {
		t.Fatal(err)
	}
	if at.Hostname() != "127.0.0.1" || len(at.Path) < len("/callback/")+26 {
		t.Errorf("redirect URI %s", at)
	}
	other := listen(t, loopback.Redirect{})
	if other.ListenForRedirect(loopback.Redirect{Host: "0.0.0.0"}) == nil {
		t.Error("listens on every interface")
	}
	var taken int
	fmt.Sscan(at.Port(), &taken)
	err = other.ListenForRedirect(loopback.Redirect{Port: taken, Path: "/callback"})
	if err, ok := errors.AsType[*loopback.PortError](err); !ok || err.Port != taken || err.Error() != "port "+at.Port()+" is already in use" {
		t.Errorf("a port in use: %v", err)
	}
}

// The address of the redirect can be replaced while the page is open. The former one is
// closed, and the new one leads to the same page.
func TestRedirectIsReplaced(t *testing.T) {
	s := listen(t, loopback.Redirect{Host: "localhost", Path: "/former"})
	former := s.RedirectURI()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	if err := s.ListenForRedirect(loopback.Redirect{Port: port, Path: "/callback"}); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("http://127.0.0.1:%d/callback", port); s.RedirectURI() != want {
		t.Fatalf("redirect URI %s, want %s", s.RedirectURI(), want)
	}
	done := expect(t, s, flows.Authorization{URL: "https://acme.test/authorize", State: state})
	at, _ := url.Parse(former)
	if c, err := net.Dial("tcp", "127.0.0.1:"+at.Port()); err == nil {
		c.Close()
		t.Error("the former address still accepts connections")
	}
	link, _ := url.Parse(s.Link())
	if p := get(t, "http://"+link.Host+"/former?code="+code+"&state="+state); p.status != 404 {
		t.Errorf("the former path: status %d", p.status)
	}
	p := get(t, callbackURL(s, "code", code, "state", state))
	if got := <-done; got.err != nil || got.values.Get("code") != code {
		t.Fatalf("%v, %v", got.values, got.err)
	}
	shown := make(chan page, 1)
	go func() { shown <- get(t, fmt.Sprintf("http://127.0.0.1:%d%s", port, p.header.Get("Location"))) }()
	s.Finish(t.Context(), loopback.Outcome{Connection: "default"})
	if p := <-shown; !strings.Contains(p.body, "Acme is connected") {
		t.Errorf("the page after the redirect: status %d", p.status)
	}
}

func TestLocalhostListensOnBothAddresses(t *testing.T) {
	s := listen(t, loopback.Redirect{Host: "localhost", Path: "/cb"})
	if !strings.HasPrefix(s.RedirectURI(), "http://localhost:") || !strings.HasSuffix(s.RedirectURI(), "/cb") {
		t.Errorf("redirect URI %s", s.RedirectURI())
	}
	at, _ := url.Parse(s.RedirectURI())
	for _, host := range []string{"127.0.0.1", "::1"} {
		r, err := http.NewRequest(http.MethodGet, "http://"+net.JoinHostPort(host, at.Port())+"/cb", nil)
		if err != nil {
			t.Fatal(err)
		}
		if host == "::1" {
			l, err := net.Listen("tcp6", "[::1]:0")
			if err != nil {
				t.Logf("no IPv6 on this machine: %v", err)
				continue
			}
			l.Close()
		}
		r.Host = at.Host
		if p := do(t, r); p.status != 400 {
			t.Errorf("%s: status %d", host, p.status)
		}
	}
}
