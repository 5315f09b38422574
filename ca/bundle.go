package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// systemBundles are where systems keep their roots in one PEM file.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, Arch
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL, Fedora
	"/etc/pki/tls/certs/ca-bundle.crt",                  // older RHEL
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/ssl/cert.pem",                                 // macOS, BSD
}

// extraVariables are those with which users already tell clients about further
// certificates; the ones that the child gets must not take any away.
var extraVariables = []string{
	"NODE_EXTRA_CA_CERTS", "DENO_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "PIP_CERT",
	"CARGO_HTTP_CAINFO", "NPM_CONFIG_CAFILE", "npm_config_cafile", "HTTPLIB2_CA_CERTS", "PERL_LWP_SSL_CA_FILE", "HTTPS_CA_FILE",
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "NIX_SSL_CERT_FILE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
}

// ErrNoRoots says that no file with the system's roots was found.
var ErrNoRoots = errors.New("no bundle of root certificates found; install ca-certificates, or set SSL_CERT_FILE to one")

// SystemRoots are the roots that clients of this environment trust, in PEM: the
// system's bundle, or the file that SSL_CERT_FILE names in its place, and what is
// in the directories of SSL_CERT_DIR. It is [ErrNoRoots] if there are none.
func SystemRoots(getenv func(string) string) ([]byte, error) {
	return systemRoots(getenv, systemBundles)
}

func systemRoots(getenv func(string) string, bundles []string) ([]byte, error) {
	var roots []byte
	for _, path := range append([]string{getenv("SSL_CERT_FILE")}, bundles...) {
		if roots = Bundle(read(path)); len(roots) > 0 {
			break
		}
	}
	if dirs := filepath.SplitList(getenv("SSL_CERT_DIR")); len(dirs) > 0 {
		parts := [][]byte{roots}
		for _, dir := range dirs {
			parts = append(parts, read(dir))
		}
		roots = Bundle(parts...)
	}
	if len(roots) == 0 {
		return nil, ErrNoRoots
	}
	return roots, nil
}

// ExtraRoots are the certificates that the environment's own variables add for
// one client or another, in PEM. What cannot be read is left out, as those
// clients would have had nothing of it either.
func ExtraRoots(getenv func(string) string) []byte {
	var paths []string
	var extra [][]byte
	for _, name := range extraVariables {
		if path := getenv(name); path != "" && !slices.Contains(paths, path) {
			paths = append(paths, path)
			extra = append(extra, read(path))
		}
	}
	return Bundle(extra...)
}

// read returns a file, or all the regular files of a directory, which some
// clients take in a file's place.
func read(path string) []byte {
	entries, err := os.ReadDir(path)
	if err != nil {
		b, _ := os.ReadFile(path)
		return b
	}
	var all bytes.Buffer
	for _, e := range entries {
		member := filepath.Join(path, e.Name())
		if info, err := os.Stat(member); err != nil || !info.Mode().IsRegular() {
			continue // to open a pipe would block
		}
		if b, err := os.ReadFile(member); err == nil {
			all.Write(b)
			all.WriteByte('\n') // PEM begins on a line of its own
		}
	}
	return all.Bytes()
}

// Bundle joins certificates in PEM, each once. What is no certificate is left
// out: some clients refuse a whole bundle for one bad block.
func Bundle(parts ...[]byte) []byte {
	var joined bytes.Buffer
	seen := make(map[string]bool)
	for _, rest := range parts {
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type != "CERTIFICATE" || seen[string(block.Bytes)] {
				continue
			}
			if _, err := x509.ParseCertificate(block.Bytes); err != nil {
				continue
			}
			seen[string(block.Bytes)] = true
			pem.Encode(&joined, &pem.Block{Type: "CERTIFICATE", Bytes: block.Bytes})
		}
	}
	return joined.Bytes()
}

// Pool holds the certificates of all parts, in PEM. It is strict where [Bundle]
// is lenient, for files that someone named: a part without a certificate, or
// with a broken one, is an error.
func Pool(parts ...[]byte) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	for n, rest := range parts {
		found := false
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type != "CERTIFICATE" {
				continue
			}
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("read certificates, part %d: %w", n+1, err)
			}
			pool.AddCert(certificate)
			found = true
		}
		if !found {
			return nil, fmt.Errorf("read certificates, part %d: no certificate in PEM form", n+1)
		}
	}
	return pool, nil
}
