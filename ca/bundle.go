package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/authsome/authsome/internal/regular"
)

// systemBundles are the files in which operating systems keep their roots.
var systemBundles = []string{
	"/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Alpine, Arch
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL, Fedora
	"/etc/pki/tls/certs/ca-bundle.crt",                  // older RHEL
	"/etc/ssl/ca-bundle.pem",                            // openSUSE
	"/etc/ssl/cert.pem",                                 // macOS, BSD
}

// systemDirectories are the directories in which they keep one file per root.
var systemDirectories = []string{"/etc/ssl/certs", "/etc/pki/tls/certs"}

// extraVariables are the variables with which users give clients additional
// certificates. The child gets variables of the same names, so the files that
// it gets must have these certificates too.
var extraVariables = []string{
	"NODE_EXTRA_CA_CERTS", "DENO_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "PIP_CERT",
	"CARGO_HTTP_CAINFO", "NPM_CONFIG_CAFILE", "npm_config_cafile", "HTTPLIB2_CA_CERTS", "PERL_LWP_SSL_CA_FILE", "HTTPS_CA_FILE",
	"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "NIX_SSL_CERT_FILE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "BUNDLE_SSL_CA_CERT", "HEX_CACERTS_PATH", "YARN_HTTPS_CA_FILE_PATH",
}

// maxBundle limits the size of a file with certificates, in bytes. Those of operating
// systems have a few hundred kilobytes.
const maxBundle = 16 << 20

// ErrNoRoots means that this system has no root certificates where clients search
// for them.
var ErrNoRoots = errors.New("no bundle of root certificates found; install ca-certificates, or set SSL_CERT_FILE to one")

// RootsError reports a certificate file of the user that [ParseCertificates] refuses.
type RootsError struct {
	Variable string // the variable of the environment that names the file or its directory
	Path     string
	Err      error
}

func (e *RootsError) Error() string { return e.Variable + ": " + e.Path + ": " + e.Err.Error() }

func (e *RootsError) Unwrap() error { return e.Err }

// SystemRoots returns the roots that clients in this environment trust, in PEM:
// the system's bundle, or the file that SSL_CERT_FILE names instead, and the
// files in the directories of SSL_CERT_DIR. Finding no root is [ErrNoRoots], and a
// file that [ParseCertificates] refuses is a [RootsError]. A file or directory that cannot be
// read is skipped.
func SystemRoots(getenv func(string) string) ([]byte, error) {
	return systemRoots(getenv, systemBundles)
}

func systemRoots(getenv func(string) string, bundles []string) ([]byte, error) {
	roots, err := namedRoots("SSL_CERT_FILE", getenv("SSL_CERT_FILE"))
	if err != nil {
		return nil, err
	}
	for _, path := range bundles {
		if len(roots) > 0 {
			break
		}
		b, _ := regular.Read(path, maxBundle)
		roots = Bundle(b)
	}
	parts := [][]byte{roots}
	for _, dir := range filepath.SplitList(getenv("SSL_CERT_DIR")) {
		part, err := namedRoots("SSL_CERT_DIR", dir)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if roots = Bundle(parts...); len(roots) == 0 {
		return nil, ErrNoRoots
	}
	return roots, nil
}

// ExtraRoots returns the certificates that variables of the environment add for
// one client or another, in PEM. A file that [ParseCertificates] refuses is a
// [RootsError]. A file or directory that cannot be read is skipped: the clients cannot
// read it either.
func ExtraRoots(getenv func(string) string) ([]byte, error) {
	var paths []string
	var extra [][]byte
	for _, name := range extraVariables {
		path := getenv(name)
		if path == "" || slices.Contains(paths, path) {
			continue
		}
		part, err := namedRoots(name, path)
		if err != nil {
			return nil, err
		}
		paths, extra = append(paths, path), append(extra, part)
	}
	return Bundle(extra...), nil
}

// namedRoots reads the certificates at the path that an environment variable
// names: a file, or a directory, which some clients accept too.
func namedRoots(variable, path string) ([]byte, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		b, err := regular.Read(path, maxBundle)
		if err != nil {
			return nil, nil
		}
		return checkedRoots(variable, path, b)
	}
	var parts [][]byte
	for _, e := range entries {
		member := filepath.Join(path, e.Name())
		b, err := regular.Read(member, maxBundle)
		if err != nil || !bytes.Contains(b, []byte(pemBegin+pemCertificate)) {
			continue // such directories also have revocation lists and notes
		}
		part, err := checkedRoots(variable, member, b)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	return Bundle(parts...), nil
}

// checkedRoots reads a user's file strictly: a certificate that is left out of
// it would only show as a failed handshake in the child.
func checkedRoots(variable, path string, b []byte) ([]byte, error) {
	if isSystemFile(path) {
		return Bundle(b), nil
	}
	certificates, err := ParseCertificates(b)
	if err != nil {
		return nil, &RootsError{variable, path, err}
	}
	var roots []byte
	for _, c := range certificates {
		roots = append(roots, encodePEM(c)...)
	}
	return roots, nil
}

// isSystemFile reports whether path is a bundle of the operating system or in a
// directory of it: variables often name these.
func isSystemFile(path string) bool {
	same := func(a, b string) bool {
		infoA, errA := os.Stat(a)
		infoB, errB := os.Stat(b)
		return errA == nil && errB == nil && os.SameFile(infoA, infoB)
	}
	return slices.ContainsFunc(systemBundles, func(bundle string) bool { return same(path, bundle) }) ||
		slices.ContainsFunc(systemDirectories, func(dir string) bool { return same(filepath.Dir(path), dir) })
}

// Bundle joins the certificates of PEM texts and drops duplicates. It skips what
// [ParseCertificates] would refuse, because it also reads the operating system's
// own bundles: the user cannot correct these, they may have a certificate that Go
// does not parse (one with a negative serial number, for example), and refusing
// the bundle would leave no roots at all. Files that a user names are checked
// before they get here.
func Bundle(parts ...[]byte) []byte {
	var joined bytes.Buffer
	seen := make(map[string]bool)
	for _, rest := range parts {
		for {
			var block *pem.Block
			if block, rest = pem.Decode(rest); block == nil {
				break
			}
			if block.Type != pemCertificate || seen[string(block.Bytes)] {
				continue
			}
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				continue // some clients refuse a whole bundle for one bad block
			}
			seen[string(block.Bytes)] = true
			joined.Write(encodePEM(certificate))
		}
	}
	return joined.Bytes()
}
