package ca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

func TestAuthority(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	c := newAuthority(t, Options{CommonName: "test", now: func() time.Time { return now }}).certificate
	if !c.IsCA || !c.BasicConstraintsValid || !c.MaxPathLenZero || c.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Errorf("is a CA %v, zero path length %v, key usage %b", c.IsCA, c.MaxPathLenZero, c.KeyUsage)
	}
	if k, ok := c.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() {
		t.Errorf("key %T", c.PublicKey)
	}
	if !c.NotBefore.Equal(now.Add(-time.Hour)) || !c.NotAfter.Equal(now.Add(90*24*time.Hour)) {
		t.Errorf("valid from %v to %v", c.NotBefore, c.NotAfter)
	}
	if len(c.SubjectKeyId) == 0 || len(c.SerialNumber.Bytes()) > 20 || c.SerialNumber.Sign() != 1 {
		t.Errorf("key identifier %x, serial %x", c.SubjectKeyId, c.SerialNumber)
	}
	if got := critical(c); !slices.Equal(got, []string{"2.5.29.15", "2.5.29.19"}) { // key usage, basic constraints
		t.Errorf("critical extensions %v", got)
	}
}

func critical(c *x509.Certificate) (ids []string) {
	for _, e := range c.Extensions {
		if e.Critical {
			ids = append(ids, e.Id.String())
		}
	}
	slices.Sort(ids)
	return ids
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
			t.Errorf("%s: valid for %v from %v", host, life, l.NotBefore)
		}
		if !bytes.Equal(l.AuthorityKeyId, a.certificate.SubjectKeyId) || len(l.SubjectKeyId) == 0 || bytes.Equal(l.SubjectKeyId, l.AuthorityKeyId) {
			t.Errorf("%s: key identifiers %x, %x", host, l.SubjectKeyId, l.AuthorityKeyId)
		}
		if want := map[bool]string{true: host}[len(host) < 64]; l.Subject.CommonName != want {
			t.Errorf("%s: common name %q", host, l.Subject.CommonName)
		}
		if k, ok := l.PublicKey.(*ecdsa.PublicKey); !ok || k.Curve != elliptic.P256() || l.IsCA {
			t.Errorf("%s: key %T, authority %v", host, l.PublicKey, l.IsCA)
		}
		if !slices.Equal(l.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) || len(l.SerialNumber.Bytes()) > 20 {
			t.Errorf("%s: usage %v, serial %x", host, l.ExtKeyUsage, l.SerialNumber)
		}
	}
}

func TestLeavesAreCachedAndRenewed(t *testing.T) {
	now := time.Now()
	a := newAuthority(t, Options{CommonName: "test", now: func() time.Time { return now }})
	var mu sync.Mutex
	minted := 0
	a.OnMint = func() { mu.Lock(); minted++; mu.Unlock() }
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { a.Leaf("api.example.com") })
	}
	all.Wait()
	if minted != 1 {
		t.Errorf("signed %d leaves for one host", minted)
	}
	first := leaf(t, a, "api.example.com")
	now = now.Add(12*time.Hour - time.Minute)
	if kept := leaf(t, a, "api.example.com"); kept.SerialNumber.Cmp(first.SerialNumber) != 0 {
		t.Error("the leaf was renewed before half its life")
	}
	now = now.Add(2 * time.Minute)
	if second := leaf(t, a, "api.example.com"); second.SerialNumber.Cmp(first.SerialNumber) == 0 {
		t.Error("the leaf was not renewed after half its life")
	}
	for n := range maxLeaves + 10 {
		leaf(t, a, fmt.Sprintf("h%d.example.com", n))
	}
	if n := len(a.cache.items); n != maxLeaves || a.cache.order.Len() != n {
		t.Errorf("%d leaves are cached", n)
	}
}

// Whenever the clock jumps, forwards or backwards, the leaf is valid at the new time. A
// test cannot move the wall clock without the monotonic one; that a leaf's end of use is
// compared by the wall clock is checked by its lack of a monotonic reading.
func TestLeafIsValidAfterClockJumps(t *testing.T) {
	now := time.Now().Add(1000 * time.Hour)
	a := newAuthority(t, Options{CommonName: "test"})
	a.now = func() time.Time { return now }
	for _, jump := range []time.Duration{0, 25 * time.Hour, -48 * time.Hour, -26 * time.Hour, 90 * time.Hour, -2 * time.Hour} {
		now = now.Add(jump)
		if _, err := leaf(t, a, "a.test").Verify(x509.VerifyOptions{Roots: pool(a), DNSName: "a.test", CurrentTime: now}); err != nil {
			t.Errorf("after a jump of %v: %v", jump, err)
		}
	}
	a.now = time.Now
	leaf(t, a, "b.test")
	if stale := a.cache.items["b.test"].Value.(*cached).stale; strings.Contains(stale.String(), "m=") {
		t.Errorf("%v has a reading of the monotonic clock", stale)
	}
}

func TestLeafDoesNotOutliveAuthority(t *testing.T) {
	now := time.Now()
	a := newAuthority(t, Options{CommonName: "short", Lifetime: time.Hour, now: func() time.Time { return now }})
	minted := 0
	a.OnMint = func() { minted++ }
	now = now.Add(50 * time.Minute) // the authority is valid for a shorter time than clockSkew
	if l := leaf(t, a, "a.test"); !l.NotAfter.Equal(a.Certificate().NotAfter) {
		t.Errorf("the leaf is valid until %v, the authority until %v", l.NotAfter, a.Certificate().NotAfter)
	}
	if leaf(t, a, "a.test"); minted != 1 {
		t.Errorf("signed %d times", minted)
	}
	now = now.Add(10 * time.Minute)
	if _, err := a.Leaf("a.test"); err == nil || !strings.Contains(err.Error(), "expired on") {
		t.Errorf("expired authority: %v", err)
	}
}

func TestParse(t *testing.T) {
	a := newAuthority(t, Options{CommonName: "stored"})
	key, err := a.KeyDER()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse(a.CertificatePEM(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf(t, parsed, "a.test").Verify(x509.VerifyOptions{Roots: pool(a), DNSName: "a.test"}); err != nil {
		t.Errorf("a leaf of the parsed authority: %v", err)
	}
	other := newAuthority(t, Options{CommonName: "other"})
	otherKey, _ := other.KeyDER()
	expired := newAuthority(t, Options{CommonName: "expired", Lifetime: time.Minute, now: func() time.Time { return time.Now().Add(-time.Hour) }})
	expiredKey, _ := expired.KeyDER()
	for name, parts := range map[string][2][]byte{
		"another key": {a.CertificatePEM(), otherKey}, "no certificate": {[]byte("x"), key}, "no key": {a.CertificatePEM(), []byte("x")}, "expired": {expired.CertificatePEM(), expiredKey},
	} {
		if _, err := Parse(parts[0], parts[1]); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// program finds a program. Without it the test is skipped, except in CI.
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
	a := newAuthority(t, Options{CommonName: "strict"})
	long := strings.Repeat("a", 60) + ".example.com" // too long for a common name
	for _, tt := range []struct {
		host, verified string
		refused        string // "" if it is accepted
	}{
		{"api.example.com", "api.example.com", ""}, {long, long, ""}, {"192.0.2.1", "192.0.2.1", ""}, {"2001:db8::1", "2001:db8::1", ""},
		{"api.example.com", "bank.example.net", "hostname mismatch"}, {"192.0.2.1", "192.0.2.2", "IP address mismatch"},
	} {
		l := leaf(t, a, tt.host)
		check := "-verify_hostname"
		if len(l.IPAddresses) > 0 {
			check = "-verify_ip"
		}
		out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver", check, tt.verified, "-CAfile", write(t, "ca.pem", a.CertificatePEM()),
			write(t, "leaf.pem", encodePEM(l.Raw))).CombinedOutput()
		if (err == nil) != (tt.refused == "") || !strings.Contains(string(out), tt.refused) {
			t.Errorf("the leaf of %s as %s: %v: %s", tt.host, tt.verified, err, out)
		}
	}
}

// strictPython connects to each name in turn and prints the TLS version or the
// error.
const strictPython = `
import socket, ssl, sys
c = ssl.create_default_context(cafile=sys.argv[1])
c.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
for name in sys.argv[3:]:
    with socket.create_connection(("127.0.0.1", int(sys.argv[2]))) as s:
        try:
            with c.wrap_socket(s, server_hostname=name) as w:
                print(name, w.version())
        except ssl.SSLCertVerificationError as e:
            print(name, e.verify_message)
`

// Python 3.13 verifies strictly by default.
func TestPythonStrict(t *testing.T) {
	python := program(t, "python3")
	a := newAuthority(t, Options{CommonName: "strict"})
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		if h.ServerName == "wrong.example.com" {
			return a.Leaf("other.example.com")
		}
		return a.Leaf(h.ServerName)
	}}
	s.StartTLS()
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	long := strings.Repeat("a", 60) + ".example.com"
	out, err := exec.Command(python, "-c", strictPython, write(t, "ca.pem", a.CertificatePEM()), port, "api.example.com", long, "wrong.example.com").CombinedOutput()
	want := "api.example.com TLSv1.3\n" + long + " TLSv1.3\nwrong.example.com Hostname mismatch, certificate is not valid for 'wrong.example.com'.\n"
	if err != nil || string(out) != want {
		t.Errorf("%v: %s", err, out)
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
