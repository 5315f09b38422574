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

func listen(t *testing.T, s *loopback.Server) *loopback.Server {
	t.Helper()
	s.Title = "Acme"
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
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
	s := listen(t, &loopback.Server{})
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
	s := listen(t, &loopback.Server{})
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
	s := listen(t, &loopback.Server{})
	at, err := url.Parse(s.RedirectURI())
	if err != nil {
		t.Fatal(err)
	}
	if at.Hostname() != "127.0.0.1" || len(at.Path) < len("/callback/")+26 {
		t.Errorf("redirect URI %s", at)
	}
	if (&loopback.Server{Host: "0.0.0.0"}).Listen() == nil {
		t.Error("listens on every interface")
	}
	var taken int
	fmt.Sscan(at.Port(), &taken)
	other := &loopback.Server{Port: taken, Path: "/callback"}
	if err, ok := errors.AsType[*loopback.PortError](other.Listen()); !ok || err.Port != taken || err.Error() != "port "+at.Port()+" is already in use" {
		t.Errorf("a port in use: %v", err)
	}
}

func TestLocalhostListensOnBothAddresses(t *testing.T) {
	s := listen(t, &loopback.Server{Host: "localhost", Path: "/cb"})
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
