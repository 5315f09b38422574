package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// authorityThreats try to make the proxy take one host for another.
var authorityThreats = []threat{
	{1, "CONNECT to another host with the name of a provider in TLS", func(l *lab) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(l.service.authority.CertificatePEM())
		c := tls.Client(l.tunnel("evil.example.com:443"), &tls.Config{ServerName: "api.resend.com", RootCAs: roots})
		l.want(l.status(c, requestFor("/", "api.resend.com")), "200", "")
	}, []edit{{"intercept/adopt.go", "case decided == routing.Intercept || t.isSelf():", "case decided != routing.Deny:"}}},

	{2, "another name in TLS than in CONNECT", func(l *lab) {
		c := tls.Client(l.tunnel("api.resend.com:443"), &tls.Config{ServerName: "evil.example.com", InsecureSkipVerify: true})
		if err := c.Handshake(); err == nil || !strings.Contains(err.Error(), "alert") && !strings.Contains(err.Error(), "internal error") {
			l.t.Errorf("handshake: %v, want an alert", err)
		}
		l.want("", "")
	}, []edit{{"intercept/secure.go", "err != nil || name != c.target.Host {", "err != nil && name != c.target.Host {"}}},

	{3, "another Host, or another port in it", func(l *lab) {
		for _, host := range []string{"evil.example.com", "api.resend.com:444", "api.resend.com.evil.example.com"} {
			l.want(l.send("api.resend.com", requestFor("/", host)), "421 authority_mismatch")
		}
	}, []edit{{"intercept/request.go", "case !t.matches(r.Host) || slices", "case false && !t.matches(r.Host) || false && slices"}}},

	{4, "two Hosts, or none", func(l *lab) {
		l.want(l.send("api.resend.com", requestFor("/", "api.resend.com", "Host: evil.example.com")), "400")
		l.want(l.send("api.resend.com", "GET / HTTP/1.0\r\n\r\n"), "421 authority_mismatch")
	}, []edit{{"intercept/target.go", "func (t Target) matches(authority string) bool {", "func (t Target) matches(authority string) bool {\n\tif authority == \"\" {\n\t\treturn true\n\t}"}}},

	{5, "an absolute URL, or CONNECT, inside a tunnel", func(l *lab) {
		for _, target := range []string{"https://evil.example.com/", "http://api.resend.com/", "//evil.example.com/x"} {
			if got := l.send("api.resend.com", "GET "+target+" HTTP/1.1\r\nHost: api.resend.com\r\n\r\n"); !strings.HasPrefix(got, "400") && !strings.HasPrefix(got, "421") && target != "//evil.example.com/x" {
				l.t.Errorf("%s: %s", target, got)
			}
		}
		l.before = l.service.count()
		l.want(l.send("api.resend.com", "CONNECT evil.example.com:443 HTTP/1.1\r\nHost: evil.example.com:443\r\n\r\n"), "400 bad_request")
		l.want(l.send("api.resend.com", "GET https://api.resend.com/ HTTP/1.1\r\nHost: api.resend.com\r\n\r\n"), "400 bad_request")
	}, []edit{{"intercept/request.go", `case r.URL.Host != "" || r.URL.Scheme != "" || r.URL.Opaque != "":`, `case false && r.URL.Opaque != "":`}, {"intercept/request.go", "case len(r.RequestURI) == 0 || r.RequestURI[0] != '/':", "case len(r.RequestURI) == 0:"}}},

	{3, "another Host than in an absolute URL", func(l *lab) {
		c := l.dial() // after a plain request, and after one that is allowed
		l.status(c, requestFor("http://"+l.service.addr+"/", l.service.addr))
		l.before = l.service.count()
		l.want(l.status(c, requestFor("https://api.resend.com/", "api.resend.com")), "200", connectionBearer)
		l.before = l.service.count()
		for target, host := range map[string]string{"https://api.resend.com/": "evil.example.com", "https://evil.example.com/": "api.resend.com", "https://api.resend.com:8443/": "api.resend.com"} {
			l.want(l.status(c, requestFor(target, host)), "421 authority_mismatch")
		}
		l.want(l.status(c, requestFor("https://evil.example.com/", "evil.example.com")), "200", "")
	}, []edit{{"intercept/absolute.go", `in.Host = strings.Join(hosts, ", ")`, "in.Host = t.authority()"}}},

	{4, "two Hosts with an absolute URL", func(l *lab) {
		l.want(l.status(l.dial(), requestFor("https://api.resend.com/", "api.resend.com", "Host: evil.example.com")), "400 bad_request")
		c := l.dial()
		l.status(c, requestFor("https://evil.example.com/", "evil.example.com"))
		l.before = l.service.count()
		l.want(l.status(c, "GET https://api.resend.com/ HTTP/1.1\nHost: api.resend.com\n\n"), "400 bad_request")
	}, []edit{{"intercept/plain.go", `if head.fault != "" {`, "if false {"}}},

	{15, "another port, or an address, in an absolute URL", func(l *lab) {
		l.want(l.status(l.dial(), requestFor("https://api.resend.com:8443/", "api.resend.com:8443")), "200", "")
		l.before = l.service.count()
		l.want(l.status(l.dial(), requestFor("https://"+l.proxy+"/", l.proxy)), "403 private_target")
		l.want(l.status(l.dial(), requestFor("https://169.254.169.254/", "169.254.169.254")), "403 private_target")
	}, []edit{{"intercept/absolute.go", "decided == routing.Intercept || t.isSelf():", "decided != routing.Deny:"}, {"routing/routing.go", "for _, r := range t.exact[host] {\n\t\tif r.pattern.Port() == port {", "for range t.exact[host] {\n\t\tif true {"}}},

	{15, "another port of the provider's host", func(l *lab) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(l.service.authority.CertificatePEM())
		c := tls.Client(l.tunnel("api.resend.com:8443"), &tls.Config{ServerName: "api.resend.com", RootCAs: roots})
		l.want(l.status(c, requestFor("/", "api.resend.com:8443")), "200", "")
	}, []edit{{"routing/routing.go", "for _, r := range t.exact[host] {\n\t\tif r.pattern.Port() == port {", "for range t.exact[host] {\n\t\tif true {"}}},

	{16, "plain http to the provider's host", func(l *lab) {
		l.want(l.status(l.dial(), "GET http://api.resend.com/ HTTP/1.1\r\nHost: api.resend.com\r\n\r\n"), "403 https_required")
	}, []edit{{"routing/explain.go", "if routes := t.onHost(nil, host); len(routes) > 0 {", "if routes := t.onHost(nil, host); len(routes) < 0 {"}}},

	{27, "one connection for two hosts", func(l *lab) {
		leaf := l.secure("api.resend.com").ConnectionState().PeerCertificates[0]
		if len(leaf.DNSNames) != 1 || leaf.DNSNames[0] != "api.resend.com" || len(leaf.IPAddresses) > 0 {
			l.t.Errorf("the certificate is for %q and %v", leaf.DNSNames, leaf.IPAddresses)
		}
		request, err := http.NewRequest("GET", "https://api.resend.com/", nil)
		if err != nil {
			l.t.Fatal(err)
		}
		request.Host = "query.example.com"
		response, err := l.http2().Do(request)
		if err != nil {
			l.t.Fatal(err)
		}
		defer response.Body.Close()
		l.want(response.Header.Get("X-Authsome-Error"), "authority_mismatch")
	}, []edit{{"ca/leaf.go", "template.DNSNames = []string{host}", `template.DNSNames = []string{host, "*." + host}`}}},

	{28, "HTTP/2 to the proxy, HTTP/1.1 to the service", func(l *lab) {
		response, err := l.http2().Get("https://api.resend.com/v1")
		if err != nil {
			l.t.Fatal(err)
		}
		defer response.Body.Close()
		io.Copy(io.Discard, response.Body)
		if response.ProtoMajor != 2 {
			l.t.Errorf("the client got HTTP/%d", response.ProtoMajor)
		}
		l.want(response.Status[:3], "200", connectionBearer)
	}, []edit{{"intercept/secure.go", "ReadHeaderTimeout:            innerTimeout,", "TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){},\n\t\tReadHeaderTimeout:            innerTimeout,"}}},

	{32, "spellings of a host", func(l *lab) {
		for _, target := range []string{"evil.example.com:443@api.resend.com:443", "user:pw@api.resend.com:443", "api.resend.com:0443", "api.resend.com:443/path", "http://api.resend.com:443", "2130706433:443", "0x7f.1:443", "\u0430pi.resend.com:443%00", "api.resend.com", "[::ffff:127.0.0.1%25eth0]:443"} {
			if got := l.status(l.dial(), "CONNECT "+target+" HTTP/1.1\r\nHost: x\r\n\r\n"); got != "400 bad_request" {
				l.t.Errorf("CONNECT %s: %s", target, got)
			}
		}
		for _, target := range []string{"evil.example.com:443@api.resend.com", "api.resend.com:0443", "api.resend.com#.evil.example.com", `api.resend.com\@evil.example.com`, "2130706433", "%61pi.resend.com"} {
			if got := l.status(l.dial(), requestFor("https://"+target+"/", "api.resend.com")); !strings.HasPrefix(got, "400") {
				l.t.Errorf("GET https://%s/: %s", target, got)
			}
		}
		c := tls.Client(l.tunnel("API.Resend.COM.:443"), &tls.Config{ServerName: "api.resend.com", RootCAs: l.roots})
		l.want(l.status(c, requestFor("/", "API.resend.com")), "200", connectionBearer)
	}, []edit{{"intercept/target.go", "host, err = hosts.Normalize(host)\n\tif err != nil {\n\t\treturn Target{}", "if err != nil {\n\t\treturn Target{}"}}},
}

// http2 is a client that speaks HTTP/2 through the proxy.
func (l *lab) http2() *http.Client {
	protocols := &http.Protocols{}
	protocols.SetHTTP2(true)
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: l.proxy}), TLSClientConfig: &tls.Config{RootCAs: l.roots}, Protocols: protocols}
	l.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: limit}
}
