package ca

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestJoin(t *testing.T) {
	a, b := newAuthority(t, Options{CommonName: "a"}).CertificatePEM(), newAuthority(t, Options{CommonName: "b"}).CertificatePEM()
	if got, want := string(Join(a, nil, slices.Concat(b, a), b)), string(a)+string(b); got != want {
		t.Errorf("got\n%s", got)
	}
}

// Of the system's own bundle, what cannot be used is left out.
func TestValidCertificates(t *testing.T) {
	a, b := newAuthority(t, Options{CommonName: "a"}), newAuthority(t, Options{CommonName: "b"})
	key, _ := a.KeyDER()
	mixed := append(a.CertificatePEM(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...)
	mixed = append(mixed, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("broken")})...)
	var c collection
	c.addValid(slices.Concat(mixed, []byte("# a comment\n"), b.CertificatePEM(), a.CertificatePEM()))
	if got, want := c.pem.String(), string(a.CertificatePEM())+string(b.CertificatePEM()); got != want {
		t.Errorf("got\n%s", got)
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
		{"a file replaces the bundle", file, "", []string{bundle}, [][]byte{a}},
		{"a directory adds to the bundle", "", dir, []string{bundle}, [][]byte{system, b}},
		{"both", file, dir, []string{bundle}, [][]byte{a, b}},
		{"a missing file", "/nonexistent", "", []string{bundle}, [][]byte{system}},
		{"a directory without a bundle", "", dir, nil, [][]byte{b}},
		{"two directories, one twice", "", dir + ":/nonexistent:" + dir, nil, [][]byte{b}},
		{"no roots", "", "", []string{empty}, nil},
	} {
		vars := map[string]string{"SSL_CERT_FILE": tt.file, "SSL_CERT_DIR": tt.dir}
		got, err := systemRoots(func(name string) string { return vars[name] }, tt.bundles)
		if !bytes.Equal(got, bytes.Join(tt.want, nil)) || (err == nil) != (tt.want != nil) || err != nil && !errors.Is(err, ErrNoRoots) {
			t.Errorf("%s: %v\n%s", tt.name, err, got)
		}
	}
	if !strings.Contains(ErrNoRoots.Error(), "SSL_CERT_FILE") {
		t.Error("the error does not name the variable to set")
	}
}

func TestExtraRoots(t *testing.T) {
	a, b := newAuthority(t, Options{CommonName: "a"}).CertificatePEM(), newAuthority(t, Options{CommonName: "b"}).CertificatePEM()
	file, dir := write(t, "a.pem", a), filepath.Dir(write(t, "b.pem", b))
	if err := exec.Command("mkfifo", filepath.Join(dir, "pipe")).Run(); err != nil {
		t.Log("tested without a pipe in the directory:", err)
	}
	for _, name := range extraVariables {
		getenv := func(asked string) string { return map[string]string{name: file}[asked] }
		if got, err := ExtraRoots(getenv); !bytes.Equal(got, a) || err != nil {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	vars := map[string]string{"NODE_EXTRA_CA_CERTS": file, "REQUESTS_CA_BUNDLE": dir, "CURL_CA_BUNDLE": file, "PIP_CERT": "/nonexistent"}
	if got, err := ExtraRoots(func(name string) string { return vars[name] }); !bytes.Equal(got, append(bytes.Clone(a), b...)) || err != nil {
		t.Errorf("a file, a directory and the file again: %v\n%s", err, got)
	}
}

// A broken certificate in a user's file is an error that names the variable and
// the file. Files without certificates in a directory are skipped.
func TestBrokenUserFiles(t *testing.T) {
	a := newAuthority(t, Options{CommonName: "a"}).CertificatePEM()
	broken := append(bytes.Clone(a), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"...)
	file := write(t, "broken.pem", broken)
	bundle := write(t, "system.pem", a)
	for name, path := range map[string]string{"NODE_EXTRA_CA_CERTS": file, "REQUESTS_CA_BUNDLE": filepath.Dir(file), "SSL_CERT_FILE": file, "SSL_CERT_DIR": filepath.Dir(file)} {
		getenv := func(asked string) string { return map[string]string{name: path}[asked] }
		read := func() ([]byte, error) { return ExtraRoots(getenv) }
		if strings.HasPrefix(name, "SSL_") {
			read = func() ([]byte, error) { return systemRoots(getenv, []string{bundle}) }
		}
		if got, err := read(); err == nil || err.Error() != name+": "+file+": certificate 2: malformed certificate" || got != nil {
			t.Errorf("%s: %v\n%s", name, err, got)
		}
	}
	if got, err := systemRoots(func(string) string { return "" }, []string{file}); !bytes.Equal(got, a) || err != nil {
		t.Errorf("a broken certificate in the system's bundle: %v\n%s", err, got)
	}
	dir := filepath.Dir(write(t, "a.pem", a))
	for name, text := range map[string]string{"README": "notes", "list.crl": "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := ExtraRoots(func(name string) string { return map[string]string{"CURL_CA_BUNDLE": dir}[name] }); !bytes.Equal(got, a) || err != nil {
		t.Errorf("a directory with other files: %v\n%s", err, got)
	}
}

func TestIsSystemFile(t *testing.T) {
	i := slices.IndexFunc(systemBundles, func(path string) bool { _, err := os.Stat(path); return err == nil })
	if i < 0 {
		t.Skip("this system has no bundle")
	}
	link := filepath.Join(t.TempDir(), "link.pem")
	if err := os.Symlink(systemBundles[i], link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{systemBundles[i]: true, link: true, write(t, "own.pem", nil): false, "/nonexistent": false} {
		if isSystemFile(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
