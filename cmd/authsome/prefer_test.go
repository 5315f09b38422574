//go:build unix

package main

import (
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// register installs a provider whose keys are sent to the hosts, a JSON array.
func (b *bench) register(name, hosts string) {
	b.t.Helper()
	file := filepath.Join(b.t.TempDir(), name+".json")
	writeText(b.t, file, fmt.Sprintf(`{"schema_version":2,"name":%q,"flows":["api_key"],"params":[{"name":"api_key","secret":true}],"hosts":%s}`, name, hosts))
	b.run("", "register", file, "--yes")
}

// flagsFor are the flags with which the proxy reaches the service as all the hosts.
func (s *service) flagsFor(hosts ...string) []string {
	_, port, _ := net.SplitHostPort(s.addr)
	flags := []string{"--upstream-ca", s.ca}
	for _, host := range hosts {
		flags = append(flags, "--connect-to", host+":443:127.0.0.1:"+port)
	}
	return flags
}

// Every connection of a provider serves its hosts, and a running proxy follows each login,
// preference and logout. A login takes no request from the connection that served it.
func TestRunningProxyServesEveryConnection(t *testing.T) {
	b, s := newBench(t), startService(t)
	b.register("own", `["{base_url}"]`)
	b.register("token", `["b.one-corp.com"]`)
	login := func(name string, args ...string) {
		b.run("key-"+name, append([]string{"login", "--key-stdin", "--no-verify"}, args...)...)
	}
	login("a", "own", "--connection", "a", "--base-url", "https://a.one-corp.com")
	_, proxy, admin := b.proxy(s.flagsFor("a.one-corp.com", "b.one-corp.com")...)
	c := client(t, proxy, admin)
	served := func(host string) string {
		response, err := c.Get("https://" + host + "/")
		if err != nil {
			return err.Error() // passed through: the client does not trust the service itself
		}
		if response.Body.Close(); response.StatusCode != 200 {
			return response.Status
		}
		seen := s.authorizations()
		return strings.TrimPrefix(seen[len(seen)-1], "Bearer ")
	}
	becomes := func(what, host, want string) {
		t.Helper()
		eventually(t, what, func() bool { return served(host) == want })
	}
	if got := served("a.one-corp.com"); got != "key-a" {
		t.Errorf("a.one-corp.com got %q", got)
	}
	login("b", "own", "--connection", "b", "--base-url", "https://b.one-corp.com")
	becomes("the second host of the provider", "b.one-corp.com", "key-b")
	login("token", "token")
	b.run("", "connection", "prefer", "token")
	becomes("the preferred one", "b.one-corp.com", "key-token")
	b.run("", "connection", "prefer", "own", "b.one-corp.com")
	becomes("the other preferred one", "b.one-corp.com", "key-b")
	before := len(s.authorizations())
	login("other", "token", "--connection", "other")
	login("c", "own", "--connection", "c", "--base-url", "https://b.one-corp.com")
	login("a2", "own", "--connection", "a", "--base-url", "https://a.one-corp.com", "--force")
	eventually(t, "the last login", func() bool {
		if got := served("b.one-corp.com"); got != "key-b" {
			t.Fatalf("during the logins b.one-corp.com got %q", got)
		}
		return served("a.one-corp.com") == "key-a2"
	})
	if seen := s.authorizations()[before:]; slices.Contains(seen, "Bearer key-c") || slices.Contains(seen, "Bearer key-other") {
		t.Errorf("a login took requests: %q", seen)
	}
	b.run("", "logout", "own", "--connection", "b")
	b.run("", "logout", "own", "--connection", "c")
	becomes("what is left", "b.one-corp.com", "key-token")
}

// A real ambiguity is refused, with the command that ends it; nothing is sent.
func TestAmbiguousRequestsAreRefused(t *testing.T) {
	b, s := newBench(t), startService(t)
	hosts := []string{"b.one-corp.com"}
	for _, name := range []string{"one", "two", "three"} {
		b.register(name, `["b.one-corp.com"]`)
		b.run("key-"+name, "login", name, "--key-stdin", "--no-verify")
	}
	b.run("", "logout", "one") // it served, and nobody has chosen who is next
	_, proxy, admin := b.proxy(s.flagsFor(hosts...)...)
	eventually(t, "the warning at the start", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return strings.Contains(b.out.String(), "warning: requests to b.one-corp.com are refused, because several connections match: three, two: authsome connection prefer three\n")
	})
	c := client(t, proxy, admin)
	status, body := fetch(t, c, "https://b.one-corp.com/")
	if status != 403 || len(s.authorizations()) > 0 {
		t.Errorf("%d, the service was sent %d requests", status, len(s.authorizations()))
	}
	contains(t, "the answer", body, `"code":"route_ambiguous"`, `"fix":"ask the person to run, in another terminal: authsome connection prefer three","who":"person"`)
	b.run("", "connection", "prefer", "three")
	eventually(t, "the preference", func() bool { status, _ := fetch(t, c, "https://b.one-corp.com/"); return status == 200 })
	if seen := s.authorizations(); seen[0] != "Bearer key-three" {
		t.Errorf("sent %q", seen)
	}
}

// On a terminal, login asks whether the new connection serves what another one does. Without
// a yes, nothing changes.
func TestLoginAsksWhoServes(t *testing.T) {
	for _, tt := range []struct{ answer, server, after string }{
		{"y\r", "token/default", `authsome: token now serves b.one-corp.com`},
		{"\r", "app/default", `authsome: nothing changes there; to change it later: authsome connection prefer token`},
		{"\x03", "app/default", `authsome: nothing changes there; to change it later: authsome connection prefer token`},
		{"\x04", "app/default", `authsome: nothing changes there; to change it later: authsome connection prefer token`},
	} {
		b := newBench(t)
		b.register("app", `["b.one-corp.com"]`)
		b.register("token", `["b.one-corp.com"]`)
		b.run("key-app", "login", "app", "--key-stdin", "--no-verify")
		s := onScreen(t, b.command("login", "token", "--no-browser", "--no-verify"))
		s.expect(`\(hidden\): `)
		s.enter("key-token\r")
		s.expect(`authsome: connected token/default\r\nauthsome: app/default serves b.one-corp.com, which token/default also covers\r\n`)
		s.expect(`Use token/default there from now on\? \[y/N\] `)
		s.enter(tt.answer)
		s.expect(tt.after)
		if code := s.end(); code != 0 {
			t.Errorf("%q: exit code %d: %q", tt.answer, code, s.seen.String())
		}
		s.wantNot("key-token")
		b.out.Reset()
		b.run("", "why", "b.one-corp.com")
		contains(t, "why", b.out.String(), "intercepted, with the credential of "+tt.server)
	}
}
