package ca

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func newAuthority(t *testing.T, o Options) *Authority {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func pool(a *Authority) *x509.CertPool {
	p := x509.NewCertPool()
	p.AppendCertsFromPEM(a.CertificatePEM())
	return p
}

func leaf(t *testing.T, a *Authority, host string) *x509.Certificate {
	t.Helper()
	c, err := a.Leaf(host)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func TestLeaf(t *testing.T) {
	a := newAuthority(t, Options{CommonName: "test"})
	for _, host := range []string{"api.example.com", "192.0.2.1", "2001:db8::1", strings.Repeat("a", 60) + ".example.com"} {
		l := leaf(t, a, host)
		if _, err := l.Verify(x509.VerifyOptions{Roots: pool(a), DNSName: host, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		if len(l.DNSNames)+len(l.IPAddresses) != 1 {
			t.Errorf("%s: names %v %v", host, l.DNSNames, l.IPAddresses)
		}
		if life := l.NotAfter.Sub(l.NotBefore); life != 25*time.Hour || time.Since(l.NotBefore) < 59*time.Minute {
			t.Errorf("%s: lives %v from %v", host, life, l.NotBefore)
		}
		if !bytes.Equal(l.AuthorityKeyId, a.certificate.SubjectKeyId) || len(l.SubjectKeyId) == 0 || bytes.Equal(l.SubjectKeyId, l.AuthorityKeyId) {
			t.Errorf("%s: key identifiers %x, %x", host, l.SubjectKeyId, l.AuthorityKeyId)
		}
		if len(l.Subject.CommonName) >= 64 {
			t.Errorf("%s: common name of %d bytes", host, len(l.Subject.CommonName))
		}
	}
}

func TestLeavesAreKeptAndRenewed(t *testing.T) {
	now := time.Now()
	a := newAuthority(t, Options{CommonName: "test", Now: func() time.Time { return now }})
	var mu sync.Mutex
	minted := 0
	a.OnMint = func() { mu.Lock(); minted++; mu.Unlock() }
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { a.Leaf("api.example.com") })
	}
	all.Wait()
	if minted != 1 {
		t.Errorf("%d leaves for one host", minted)
	}
	now = now.Add(10 * time.Hour)
	first := leaf(t, a, "api.example.com")
	now = now.Add(3 * time.Hour) // past half of its life
	if second := leaf(t, a, "api.example.com"); second.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("the leaf was not renewed")
	}
	for n := range maxLeaves + 10 {
		leaf(t, a, fmt.Sprintf("h%d.example.com", n))
	}
	if n := len(a.cache.items); n != maxLeaves || a.cache.order.Len() != n {
		t.Errorf("%d leaves are kept", n)
	}
}

func TestLeafEndsWithTheAuthority(t *testing.T) {
	a := newAuthority(t, Options{CommonName: "short", Lifetime: time.Hour})
	if l := leaf(t, a, "a.test"); l.NotAfter.After(a.NotAfter()) {
		t.Errorf("the leaf ends %v, the authority %v", l.NotAfter, a.NotAfter())
	}
}

// A constrained authority that leaks is worth nothing for other hosts.
func TestNameConstraints(t *testing.T) {
	a := newAuthority(t, Options{CommonName: "constrained", Hosts: []string{"api.example.com"}})
	for host, want := range map[string]bool{"api.example.com": true, "bank.example.net": false, "192.0.2.1": false, "2001:db8::1": false} {
		_, err := leaf(t, a, host).Verify(x509.VerifyOptions{Roots: pool(a), DNSName: host})
		if (err == nil) != want {
			t.Errorf("%s: %v", host, err)
		}
	}
}

func TestParse(t *testing.T) {
	a := newAuthority(t, Options{CommonName: "kept"})
	key, err := a.KeyDER()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(a.CertificatePEM(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf(t, again, "a.test").Verify(x509.VerifyOptions{Roots: pool(a), DNSName: "a.test"}); err != nil {
		t.Errorf("a leaf of the one put together again: %v", err)
	}
	other := newAuthority(t, Options{CommonName: "other"})
	otherKey, _ := other.KeyDER()
	expired := newAuthority(t, Options{CommonName: "expired", Lifetime: time.Minute, Now: func() time.Time { return time.Now().Add(-time.Hour) }})
	expiredKey, _ := expired.KeyDER()
	for name, parts := range map[string][2][]byte{
		"another's key": {a.CertificatePEM(), otherKey}, "no certificate": {[]byte("x"), key}, "no key": {a.CertificatePEM(), []byte("x")}, "expired": {expired.CertificatePEM(), expiredKey},
	} {
		if _, err := Parse(parts[0], parts[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// program finds a program; in CI it must be there.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOpenSSLStrict(t *testing.T) {
	openssl := program(t, "openssl")
	a := newAuthority(t, Options{CommonName: "strict", Hosts: []string{"api.example.com"}})
	l := leaf(t, a, "api.example.com")
	out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", "api.example.com", "-CAfile", write(t, "ca.pem", a.CertificatePEM()),
		write(t, "leaf.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.Raw}))).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

const strictPython = `
import socket, ssl, sys
c = ssl.create_default_context(cafile=sys.argv[1])
c.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as s:
    with c.wrap_socket(s, server_hostname="api.example.com") as w:
        print(w.version())
`

// Python 3.13 verifies strictly by default.
func TestPythonStrict(t *testing.T) {
	python := program(t, "python3")
	a := newAuthority(t, Options{CommonName: "strict"})
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return a.Leaf(h.ServerName) }})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, http.NotFoundHandler())
	_, port, _ := net.SplitHostPort(l.Addr().String())
	out, err := exec.Command(python, "-c", strictPython, write(t, "ca.pem", a.CertificatePEM()), port).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "TLSv1.3") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestBundle(t *testing.T) {
	a, b := newAuthority(t, Options{CommonName: "a"}), newAuthority(t, Options{CommonName: "b"})
	key, _ := a.KeyDER()
	mixed := append(a.CertificatePEM(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	mixed = append(mixed, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("broken")})...)
	got := string(Bundle(mixed, []byte("# a comment\n"), b.CertificatePEM(), a.CertificatePEM()))
	if want := string(a.CertificatePEM()) + string(b.CertificatePEM()); got != want {
		t.Errorf("joined to\n%s", got)
	}
}

func TestSystemRoots(t *testing.T) {
	a, b := newAuthority(t, Options{CommonName: "a"}), newAuthority(t, Options{CommonName: "b"})
	file := write(t, "own.pem", a.CertificatePEM())
	dir := filepath.Dir(write(t, "own.crt", b.CertificatePEM()))
	env := func(vars map[string]string) func(string) string { return func(name string) string { return vars[name] } }
	for _, tt := range []struct {
		vars map[string]string
		want string
	}{
		{map[string]string{"SSL_CERT_FILE": file}, string(a.CertificatePEM())},
		{map[string]string{"SSL_CERT_DIR": dir}, string(b.CertificatePEM())},
		{map[string]string{"SSL_CERT_FILE": file, "SSL_CERT_DIR": dir}, string(a.CertificatePEM()) + string(b.CertificatePEM())},
	} {
		got, err := SystemRoots(env(tt.vars))
		if err != nil || string(got) != tt.want {
			t.Errorf("%v: %v\n%s", tt.vars, err, got)
		}
	}
	if got := ExtraRoots(env(map[string]string{"NODE_EXTRA_CA_CERTS": file, "REQUESTS_CA_BUNDLE": "/nonexistent"})); string(got) != string(a.CertificatePEM()) {
		t.Errorf("extra: %s", got)
	}
}

func BenchmarkLeaf(b *testing.B) {
	a, err := New(Options{CommonName: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := a.sign("api.example.com"); err != nil {
			b.Fatal(err)
		}
	}
}
