package main

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// clientThreats are about other users of the machine, and about what the command gets.
var clientThreats = []threat{
	{24, "another client without the token", func(l *lab) {
		token := filepath.Join(l.t.TempDir(), "token")
		writeText(l.t, token, threatToken)
		_, proxy, _ := l.b.proxy("--require-token", "--token-file", token)
		l.proxy = proxy
		for _, header := range []string{"", "Proxy-Authorization: Bearer wrong\r\n", "Proxy-Authorization: Basic YTpi\r\n"} {
			l.want(l.status(l.dial(), "CONNECT api.resend.com:443 HTTP/1.1\r\nHost: x\r\n"+header+"\r\n"), "407 proxy_auth_required")
		}
	}, []edit{{"intercept/identify.go", "p.Token.Equal(proxyPassword(proxyAuthorization))", "proxyAuthorization != \"\""}}},

	{25, "a master key that others can read", func(l *lab) {
		key := filepath.Join(l.b.home, "master.key")
		if err := os.Chmod(key, 0o644); err != nil {
			l.t.Fatal(err)
		}
		defer os.Chmod(key, 0o600)
		if out, err := l.b.command("list", "--connected").Output(); err == nil {
			l.t.Errorf("the key was used: %s", out)
		}
	}, []edit{{"vault/private_unix.go", "mode&0o077 != 0 {", "mode&0o077 == 0o077 {"}}},

	{33, "NO_PROXY that leads around the proxy", func(l *lab) {
		l.b.more = []string{"NO_PROXY=api.resend.com,*,.resend.com,harmless.example.com", "no_proxy=resend.com"}
		out, err := l.b.command("run", "--", "agent", "env", "NO_PROXY", "no_proxy").Output()
		if err != nil {
			l.t.Fatal(err)
		}
		if strings.Contains(string(out), "resend") || strings.Contains(string(out), "*") || !strings.Contains(string(out), "harmless.example.com") {
			l.t.Errorf("the command has %s", out)
		}
	}, []edit{{"internal/child/noproxy.go", `case entry == "*" || slices.ContainsFunc(`, `case entry == "*" && slices.ContainsFunc(`}}},

	{35, "TLS keys, memory and core dumps of the proxy", func(l *lab) {
		keys := filepath.Join(l.t.TempDir(), "keys")
		l.b.more = []string{"SSLKEYLOGFILE=" + keys}
		out, err := l.b.command("run", "--", "sh", "-c", "agent env SSLKEYLOGFILE; grep -s . /proc/$PPID/environ /proc/$PPID/maps | head -1; ulimit -c").Output()
		if err != nil {
			l.t.Fatal(err)
		}
		if os.Getuid() != 0 && string(out) != "SSLKEYLOGFILE=\n0\n" || !strings.HasPrefix(string(out), "SSLKEYLOGFILE=\n") {
			l.t.Errorf("the command found %q", out)
		}
	}, []edit{{"internal/child/environment.go", `"AUTHSOME_PASSPHRASE_FILE", "SSLKEYLOGFILE"}`, `"AUTHSOME_PASSPHRASE_FILE"}`}}},
}

// issuerOf returns who signed the certificate that a connection shows for a host.
func issuerOf(t *testing.T, c net.Conn, host string) string {
	t.Helper()
	secure := tls.Client(c, &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err := secure.Handshake(); err != nil {
		t.Fatal(err)
	}
	return secure.ConnectionState().PeerCertificates[0].Issuer.CommonName
}
