package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// routeThreats try to widen what a definition covers, or to reach what no client should.
var routeThreats = []threat{
	{14, "a definition that covers the hosts of strangers", func(l *lab) {
		for _, host := range []string{"regex:.*googleapis.*", "regex:.*", "*.com", "*.co.uk"} {
			file := filepath.Join(l.t.TempDir(), "wide.json")
			writeText(l.t, file, `{"schema_version":1,"name":"wide","display_name":"Wide","auth_type":"api_key","flow":"api_key","host_url":"`+host+`","api_key":{}}`)
			if err := l.b.command("register", file, "--yes").Run(); err == nil || err.(*exec.ExitError).ExitCode() != exit.Usage {
				l.t.Errorf("%s: %v, want exit code %d", host, err, exit.Usage)
			}
		}
		if got := l.status(l.dial(), "CONNECT evilwild.example.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"); got != "200" {
			l.t.Errorf("CONNECT evilwild.example.com: %s", got)
		}
		l.wantTunnel("evilwild.example.com")
	}, []edit{{"providers/pattern.go", "return len(host) > len(p.host) && strings.HasSuffix(host, p.host)", "return strings.HasSuffix(host, p.host[1:])"}}},

	{18, "a path that leaves the part that the definition covers", func(l *lab) {
		for _, path := range []string{"/v1/../admin", "/v1/%2e%2e/admin", "/v1%2f..%2fadmin", `/v1/..\admin`, "/v1/..;/admin"} {
			if got := l.send("part.example.com", requestFor(path, "part.example.com")); strings.HasPrefix(got, "200") {
				l.t.Errorf("%s: %s", path, got)
			}
		}
		l.want("", "")
	}, []edit{{"routing/decide.go", "if !d.same(t.decide(", "if false && !d.same(t.decide("}}},

	{19, "addresses that no client should reach through the proxy", func(l *lab) {
		_, port, _ := strings.Cut(l.proxy, ":")
		for _, target := range []string{"169.254.169.254:80", "[fd00:ec2::254]:80", "[64:ff9b::a9fe:a9fe]:80", "100.100.100.200:80", "127.0.0.1:" + port, "localhost:" + port} {
			if got := l.status(l.dial(), "CONNECT "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"); got != "403 private_target" {
				l.t.Errorf("CONNECT %s: %s", target, got)
			}
			if got := l.status(l.dial(), "GET http://"+target+"/ HTTP/1.1\r\nHost: "+target+"\r\n\r\n"); got != "403 private_target" {
				l.t.Errorf("GET http://%s: %s", target, got)
			}
		}
	}, []edit{{"intercept/guard.go", "if kind == hosts.Metadata {", "if kind == hosts.Metadata && ip.Is6() {"}}},

	{34, "a request that cannot be sent twice, after a 401", func(l *lab) {
		p := startProvider(l.t)
		p.logIn(l.b, time.Now().Add(time.Hour))
		p.age(l.b, time.Now().Add(-10*time.Minute).UTC().Format(time.RFC3339))
		_, proxy, admin := l.b.proxy(p.flags()...)
		p.set(func() { p.alive = "another-token-than-the-stored-one" })
		c := client(l.t, proxy, admin)
		response, err := c.Post("https://api.live.test/", "text/plain", struct{ *strings.Reader }{strings.NewReader(strings.Repeat("a body that is not kept", 10000))})
		if err != nil {
			l.t.Fatal(err)
		}
		defer response.Body.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.calls != 1 || p.requests != 1 {
			l.t.Errorf("the service received %d requests, want 1, and %d for a token, want 1", p.calls, p.requests)
		}
	}, []edit{{"intercept/replay.go", "if !c.body.keeps {", "if false && !c.body.keeps {"}}},
}

// wantTunnel checks that a host is passed through: the certificate is the service's.
func (l *lab) wantTunnel(host string) {
	l.t.Helper()
	c := l.tunnel(host + ":443")
	if issuer := issuerOf(l.t, c, host); issuer != "service authority" {
		l.t.Errorf("%s: the certificate is signed by %q", host, issuer)
	}
}
