package main

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// A wildcard of a definition that an earlier version installed sends the credential to
// no stranger's host: the service there sees none, and its own host still gets it.
func TestStrangersHostOfAnInstalledWildcardSeesNoCredential(t *testing.T) {
	b, s := newBench(t), startService(t)
	b.run("", "list") // makes the home
	const definition = `{"schema_version":2,"name":"wide","flows":["api_key"],"hosts":["api.wide.com","*.run.app","*.amazonaws.com","metadata.goog"]}`
	file := filepath.Join(b.home, "providers", "wide.json")
	must(t, os.WriteFile(file, []byte(definition), 0o600))
	b.run("wide-key-0123456789", "login", "wide", "--key-stdin", "--no-verify")
	_, port, _ := net.SplitHostPort(s.addr)
	flags := []string{"--upstream-ca", s.ca}
	strangers := []string{"evil.run.app", "evil.s3.amazonaws.com", "metadata.goog"}
	for _, host := range append(strangers, "api.wide.com") {
		flags = append(flags, "--connect-to", host+":443:127.0.0.1:"+port)
	}
	_, proxy, admin := b.proxy(flags...)
	contains(t, "the proxy's warnings", b.said(), `wide.json: hosts[1]: not used: "*.run.app"`, `hosts[2]: not used: "*.amazonaws.com"`, `hosts[3]: not used: "metadata.goog"`)
	if status, _ := fetch(t, client(t, proxy, admin), "https://api.wide.com/"); status != http.StatusOK {
		t.Errorf("the service's own host: %d", status)
	}
	for _, host := range strangers {
		c := passedThrough(t, proxy, s.ca)
		if status, body := fetch(t, c, "https://"+host+"/"); status != http.StatusOK {
			t.Errorf("%s: %d %s", host, status, body)
		}
	}
	seen := s.authorizations()
	if len(seen) != 4 || seen[0] != "Bearer wide-key-0123456789" {
		t.Fatalf("the services saw %q", seen)
	}
	for i, host := range strangers {
		if seen[i+1] != "" {
			t.Errorf("%s saw %q", host, seen[i+1])
		}
	}
}

// said returns what all processes printed.
func (b *bench) said() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.out.String()
}

// passedThrough returns a client that uses the proxy and trusts only the services' own
// authority, so that an intercepted host fails.
func passedThrough(t *testing.T, proxy, authority string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(authority)
	must(t, err)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: limit}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
