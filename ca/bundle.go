package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
)

// systemBundles are where systems keep their roots in one PEM file.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, Arch
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL, Fedora
	"/etc/pki/tls/certs/ca-bundle.crt",                  // older RHEL
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/ssl/cert.pem",                                 // macOS, BSD
}

// replacing and adding are the variables with which users already tell clients
// about certificates; those the child gets must not take any away.
var (
	replacing = []string{"SSL_CERT_FILE"}
	adding    = []string{"NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "PIP_CERT", "CARGO_HTTP_CAINFO", "NPM_CONFIG_CAFILE", "DENO_CERT"}
)

// ErrNoRoots says that no file with the system's roots was found.
var ErrNoRoots = errors.New("no bundle of root certificates found; install ca-certificates, or set SSL_CERT_FILE to one")

// SystemRoots are the roots that clients of this environment trust, in PEM: the
// system's, or those that SSL_CERT_FILE and SSL_CERT_DIR name in their place.
func SystemRoots(getenv func(string) string) ([]byte, error) {
	var own [][]byte
	for _, name := range replacing {
		if b, err := os.ReadFile(getenv(name)); err == nil {
			own = append(own, b)
		}
	}
	for _, dir := range filepath.SplitList(getenv("SSL_CERT_DIR")) {
		files, _ := filepath.Glob(filepath.Join(dir, "*"))
		for _, path := range files {
			if b, err := os.ReadFile(path); err == nil {
				own = append(own, b)
			}
		}
	}
	if roots := Bundle(own...); len(roots) > 0 {
		return roots, nil
	}
	for _, path := range systemBundles {
		if b, err := os.ReadFile(path); err == nil {
			if roots := Bundle(b); len(roots) > 0 {
				return roots, nil
			}
		}
	}
	return nil, ErrNoRoots
}

// ExtraRoots are the certificates that the environment's own variables add for
// one client or another.
func ExtraRoots(getenv func(string) string) []byte {
	var extra [][]byte
	for _, name := range adding {
		if path := getenv(name); path != "" {
			if b, err := os.ReadFile(path); err == nil {
				extra = append(extra, b)
			}
		}
	}
	return Bundle(extra...)
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
