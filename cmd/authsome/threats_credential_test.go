package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/authsome/authsome/ca"
)

// credentialThreats try to get a credential onto a request that it does not belong on, or
// out of an answer, a file or a log.
var credentialThreats = []threat{
	{8, "the client's own credential beside ours", func(l *lab) {
		l.want(l.send("api.resend.com", requestFor("/", "api.resend.com", "Authorization: Bearer a", "authorization: Bearer b")), "200", connectionBearer)
		l.send("query.example.com", requestFor("/?key=a&k%65y=b&x=1&key=c", "query.example.com"))
		l.send("a.wild.example.com", requestFor("/", "a.wild.example.com", "X-API-KEY: own"))
		for _, a := range l.arrived()[1:] {
			if keys := a.URL.Query()["key"]; len(keys) > 1 || a.Header.Get("X-Api-Key") != "" {
				l.t.Errorf("the service received %s, %v", a.URL, a.Header)
			}
		}
	}, []edit{{"providers/apply.go", "if i.replacesHeader(name) {", "if i.replacesHeader(name) && name == \"Authorization\" {"}}},

	{12, "a line break in a stored credential", func(l *lab) {
		cmd := l.b.command("login", "wild", "--connection", "broken", "--no-verify", "--key-stdin")
		cmd.Stdin = strings.NewReader("key\rX-Evil: 1")
		if err := cmd.Run(); err == nil {
			l.t.Error("it was stored")
		}
	}, []edit{
		{"internal/loopback/field.go", "if !unicode.IsGraphic(r) {", "if r == 1 && !unicode.IsGraphic(r) {"},
		{"providers/params.go", "if (r < ' ' || r == 0x7f) && !(lines", "if r == 1 && !(lines"},
		{"providers/inject.go", "if r < ' ' || r == 0x7f {", "if r == 1 {"},
		{"providers/inject.go", "!httpguts.ValidHeaderFieldValue(text)", "httpguts.ValidHeaderFieldValue(\"\") != true"},
	}},

	{13, "a redirect to another host", func(l *lab) {
		c := l.secure("api.resend.com")
		status, header, _ := l.exchange(c, requestFor("/redirect", "api.resend.com"))
		l.want(status, "302", connectionBearer)
		if header.Get("Location") != "https://elsewhere.example.com/" {
			l.t.Errorf("Location %q", header.Get("Location"))
		}
	}, []edit{{"intercept/call.go", "c.via.RoundTrip(out.WithContext(", "(&http.Client{Transport: c.via}).Do(out.WithContext("}}},

	{17, "an OAuth endpoint, in other spellings and on other hosts", func(l *lab) {
		for _, path := range []string{"/oauth/token", "/oauth/%74oken", "//oauth/token", "/x/../oauth/token", "/OAuth/Token", "/oauth/token.json", "/oauth/token;x=1", "/oauth/token%20"} {
			for _, host := range []string{"oauth.example.com", "sibling.example.com"} {
				l.send(host, requestFor(path, host))
			}
		}
		for _, a := range l.arrived() {
			if a.Header.Get("Authorization") != "" {
				l.t.Errorf("%s%s got the credential", a.Host, a.URL)
			}
		}
	}, []edit{{"routing/decide.go", "if r.endpoints.Match(p) || r.discovered.Match(p) {", "if r.discovered.Match(p) {"}}},

	{20, "a service whose certificate is not valid", func(l *lab) {
		other, err := ca.New(ca.Options{CommonName: "another authority"})
		if err != nil {
			l.t.Fatal(err)
		}
		l.service.mu.Lock()
		own := l.service.authority
		l.service.authority = other
		l.service.mu.Unlock()
		defer func() {
			l.service.mu.Lock()
			defer l.service.mu.Unlock()
			l.service.authority = own
		}()
		l.want(l.send("b.wild.example.com", requestFor("/", "b.wild.example.com")), "502 upstream_tls")
	}, []edit{{"intercept/upstream.go", "&tls.Config{RootCAs: p.UpstreamRoots, MinVersion:", "&tls.Config{InsecureSkipVerify: true, RootCAs: p.UpstreamRoots, MinVersion:"}}},

	{21, "a connection without a usable credential", func(l *lab) {
		l.b.run("", "logout", "other")
		eventually(l.t, "the logout is noticed", func() bool {
			return l.send("part.example.com", requestFor("/v2", "part.example.com")) == "403 login_required"
		})
		l.before = l.service.count()
		l.want(l.send("part.example.com", requestFor("/v2", "part.example.com", "Authorization: Bearer authsome-proxy-managed")), "403 login_required")
		l.b.run(threatKey, "login", "other", "--key-stdin", "--no-verify")
		eventually(l.t, "the login is noticed", func() bool { return l.send("part.example.com", requestFor("/v2", "part.example.com")) == "200" })
	}, []edit{
		{"routing/decide.go", "if r.state != Ready {", "if r.state != Ready && r.state != Gone {"},
		{"intercept/request.go", "return c.proxy.credentialRefusal(d, err)", "return nil"},
	}},

	{22, "a service that repeats the request's header", func(l *lab) {
		_, _, body := l.exchange(l.secure("api.resend.com"), requestFor("/echo", "api.resend.com", "Connection: close"))
		if strings.Contains(body, threatKey) {
			l.t.Errorf("the client got its key: %s", body)
		}
	}, []edit{{"intercept/response.go", "case filter == nil:\n\t\tx.Received", "case true:\n\t\tx.Received"}}},

	{23, "a secret in the query of a request, for the logs", func(l *lab) {
		l.send("query.example.com", requestFor("/path?secret=canary-query-4711", "query.example.com"))
		_, metrics := fetch(l.t, http.DefaultClient, "http://"+l.admin+"/metrics")
		eventually(l.t, "the request is in the audit log", func() bool { return strings.Contains(l.b.auditLog(), `"path":"/path`) })
		log, err := os.ReadFile(filepath.Join(l.b.home, "logs", "authsome.log"))
		if err != nil {
			l.t.Fatal(err)
		}
		for name, text := range map[string]string{"metrics": metrics, "audit log": l.b.auditLog(), "log": string(log)} {
			for _, secret := range []string{threatKey, "canary-query-4711"} {
				if strings.Contains(text, secret) {
					l.t.Errorf("the %s contains %s", name, secret)
				}
			}
		}
	}, []edit{
		{"intercept/call.go", "Path: r.URL.Path, Start:", "Path: r.URL.RequestURI(), Start:"},
		{"internal/audit/line.go", `if i := strings.IndexAny(e.Path, "?#"); i >= 0 {`, `if i := strings.IndexAny(e.Path, "?#"); i > 1000 {`},
	}},

	{30, "an answer that is larger when it is decompressed", func(l *lab) {
		l.want(l.send("api.resend.com", requestFor("/", "api.resend.com", "Accept-Encoding: br")), "200", connectionBearer)
		l.send("c.wild.example.com", requestFor("/", "c.wild.example.com"))
		for _, a := range l.arrived() {
			if strings.Contains(a.Header.Get("Accept-Encoding"), "gzip") {
				l.t.Errorf("the proxy asked for %q", a.Header.Get("Accept-Encoding"))
			}
		}
	}, []edit{
		{"intercept/upstream.go", "DisableCompression:    true, //", "DisableCompression:    false, //"},
		{"providers/scrub.go", `r.Header["Accept-Encoding"] = []string{"identity"}`, `r.Header.Del("Accept-Encoding")`},
	}},

	{31, "one connection to the service for two credentials", func(l *lab) {
		peers := make(map[string]string)
		for _, path := range []string{"/v1", "/v2", "/v1", "/v2"} {
			if got := l.send("part.example.com", requestFor(path, "part.example.com")); got != "200" {
				l.t.Fatalf("%s: %s", path, got)
			}
			a := l.arrived()
			last := a[len(a)-1]
			if other, ok := peers[last.peer]; ok && other != path {
				l.t.Error("both credentials were sent on one connection")
			}
			peers[last.peer] = path
		}
	}, []edit{{"intercept/request.go", "key = connectionKey{d.Provider, d.Connection}", "key = connectionKey{}"}}},
}
