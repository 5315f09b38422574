package ca

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"
)

// The constrained certificate verifies the leaves of its hosts, and no others.
func TestConstrained(t *testing.T) {
	a, err := New(Options{CommonName: "run"})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"api.example.com", "a.wild.example.org", "other.test", "example.com", "192.0.2.1", "192.0.2.2", "2001:db8::1"}
	for _, tt := range []struct {
		hosts []string
		valid []string
	}{
		{nil, nil},
		{[]string{"api.example.com"}, []string{"api.example.com"}},
		{[]string{".wild.example.org", "api.example.com"}, []string{"api.example.com", "a.wild.example.org"}},
		{[]string{"192.0.2.1"}, []string{"192.0.2.1"}},
		{[]string{"2001:db8::1", "api.example.com"}, []string{"api.example.com", "2001:db8::1"}},
	} {
		pem, err := a.Constrained(tt.hosts, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		certificates, err := ParseCertificates(pem)
		if err != nil || len(certificates) != 1 {
			t.Fatalf("%v: %d certificates", err, len(certificates))
		}
		root := certificates[0]
		if !root.PermittedDNSDomainsCritical || time.Until(root.NotAfter) > time.Hour || root.Subject.CommonName != "run" {
			t.Errorf("%+v", root)
		}
		roots := x509.NewCertPool()
		roots.AddCert(root)
		for _, host := range all {
			leaf, err := a.Leaf(host)
			if err != nil {
				t.Fatal(err)
			}
			_, err = leaf.Leaf.Verify(x509.VerifyOptions{DNSName: host, Roots: roots})
			if want := slices.Contains(tt.valid, host); (err == nil) != want {
				t.Errorf("for %v: %s: %v", tt.hosts, host, err)
			}
		}
	}
}
