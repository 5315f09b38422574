package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

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
	system, a, b := newAuthority(t, Options{CommonName: "system"}).CertificatePEM(), newAuthority(t, Options{CommonName: "a"}).CertificatePEM(), newAuthority(t, Options{CommonName: "b"}).CertificatePEM()
	file, bundle := write(t, "own.pem", a), write(t, "system.pem", system)
	dir := filepath.Dir(write(t, "own.crt", b))
	empty := write(t, "empty.pem", nil)
	for _, tt := range []struct {
		name, file, dir string
		bundles         []string
		want            [][]byte
	}{
		{"neither", "", "", []string{"/nonexistent", empty, bundle}, [][]byte{system}},
		{"a file replaces", file, "", []string{bundle}, [][]byte{a}},
		{"a directory adds", "", dir, []string{bundle}, [][]byte{system, b}},
		{"both", file, dir, []string{bundle}, [][]byte{a, b}},
		{"a file that is not there", "/nonexistent", "", []string{bundle}, [][]byte{system}},
		{"a directory alone", "", dir, nil, [][]byte{b}},
		{"two directories, one twice", "", dir + ":/nonexistent:" + dir, nil, [][]byte{b}},
		{"nothing", "", "", []string{empty}, nil},
	} {
		vars := map[string]string{"SSL_CERT_FILE": tt.file, "SSL_CERT_DIR": tt.dir}
		got, err := systemRoots(func(name string) string { return vars[name] }, tt.bundles)
		if !bytes.Equal(got, bytes.Join(tt.want, nil)) || (err == nil) != (tt.want != nil) || err != nil && !errors.Is(err, ErrNoRoots) {
			t.Errorf("%s: %v\n%s", tt.name, err, got)
		}
	}
	if !strings.Contains(ErrNoRoots.Error(), "SSL_CERT_FILE") {
		t.Error("the error does not say what to set")
	}
}

func TestExtraRoots(t *testing.T) {
	a, b := newAuthority(t, Options{CommonName: "a"}).CertificatePEM(), newAuthority(t, Options{CommonName: "b"}).CertificatePEM()
	file, dir := write(t, "a.pem", a), filepath.Dir(write(t, "b.pem", b))
	if err := exec.Command("mkfifo", filepath.Join(dir, "pipe")).Run(); err != nil {
		t.Log("no pipe in the directory:", err)
	}
	for _, name := range extraVariables {
		getenv := func(asked string) string { return map[string]string{name: file}[asked] }
		if got := ExtraRoots(getenv); !bytes.Equal(got, a) {
			t.Errorf("%s: %s", name, got)
		}
	}
	vars := map[string]string{"NODE_EXTRA_CA_CERTS": file, "REQUESTS_CA_BUNDLE": dir, "CURL_CA_BUNDLE": file, "PIP_CERT": "/nonexistent"}
	if got := ExtraRoots(func(name string) string { return vars[name] }); !bytes.Equal(got, append(bytes.Clone(a), b...)) {
		t.Errorf("a file, a directory, a repeat: %s", got)
	}
}

func TestPool(t *testing.T) {
	a, b := newAuthority(t, Options{CommonName: "a"}), newAuthority(t, Options{CommonName: "b"})
	both, err := Pool(a.CertificatePEM(), b.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	for _, authority := range []*Authority{a, b} {
		if _, err := leaf(t, authority, "a.test").Verify(x509.VerifyOptions{Roots: both, DNSName: "a.test"}); err != nil {
			t.Error(err)
		}
	}
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("broken")})
	for name, part := range map[string][]byte{"empty": nil, "no PEM": []byte("x"), "broken": append(b.CertificatePEM(), broken...)} {
		if _, err := Pool(a.CertificatePEM(), part); err == nil || !strings.Contains(err.Error(), "part 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
