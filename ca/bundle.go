package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"iter"
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
	var roots collection
	if err := roots.addNamed("SSL_CERT_FILE", getenv("SSL_CERT_FILE")); err != nil {
		return nil, err
	}
	for _, path := range bundles {
		if roots.pem.Len() > 0 {
			break
		}
		b, _ := regular.Read(path, maxBundle)
		roots.addValid(b)
	}
	for _, dir := range filepath.SplitList(getenv("SSL_CERT_DIR")) {
		if err := roots.addNamed("SSL_CERT_DIR", dir); err != nil {
			return nil, err
		}
	}
	if roots.pem.Len() == 0 {
		return nil, ErrNoRoots
	}
	return roots.pem.Bytes(), nil
}

// ExtraRoots returns the certificates that variables of the environment add for
// one client or another, in PEM. A file that [ParseCertificates] refuses is a
// [RootsError]. A file or directory that cannot be read is skipped: the clients cannot
// read it either.
func ExtraRoots(getenv func(string) string) ([]byte, error) {
	var paths []string
	var extra collection
	for _, name := range extraVariables {
		path := getenv(name)
		if path == "" || slices.Contains(paths, path) {
			continue
		}
		if err := extra.addNamed(name, path); err != nil {
			return nil, err
		}
		paths = append(paths, path)
	}
	return extra.pem.Bytes(), nil
}

// Join joins PEM texts of certificates that this package returned, and drops duplicates.
func Join(texts ...[]byte) []byte {
	var joined collection
	for _, text := range texts {
		for der := range ders(text) {
			joined.add(der)
		}
	}
	return joined.pem.Bytes()
}

// collection gathers certificates in PEM, each once. A system's bundle has about 150, and
// variables name it several times, so a certificate is parsed only the first time.
type collection struct {
	pem  bytes.Buffer
	seen map[string]bool // by DER
}

func (c *collection) add(der []byte) {
	if c.seen == nil {
		c.seen = make(map[string]bool)
	}
	if !c.seen[string(der)] {
		c.seen[string(der)] = true
		c.pem.Write(encodePEM(der))
	}
}

// addNamed adds the certificates at the path that an environment variable names: a file,
// or a directory, which some clients accept too.
func (c *collection) addNamed(variable, path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		b, err := regular.Read(path, maxBundle)
		if err != nil {
			return nil
		}
		return c.addFile(variable, path, b, isSystemFile(path))
	}
	ofSystem := isSystemDirectory(path)
	for _, e := range entries {
		member := filepath.Join(path, e.Name())
		b, err := regular.Read(member, maxBundle)
		if err != nil || !bytes.Contains(b, []byte(pemBegin+pemCertificate)) {
			continue // such directories also have revocation lists and notes
		}
		if err := c.addFile(variable, member, b, ofSystem || isSystemFile(member)); err != nil {
			return err
		}
	}
	return nil
}

// addFile adds the certificates of a file. It reads a user's file strictly: a certificate
// that is left out of it would only show as a failed handshake in the child.
func (c *collection) addFile(variable, path string, b []byte, ofSystem bool) error {
	if ofSystem {
		c.addValid(b)
		return nil
	}
	certificates, err := ParseCertificates(b)
	if err != nil {
		return &RootsError{variable, path, err}
	}
	for _, certificate := range certificates {
		c.add(certificate.Raw)
	}
	return nil
}

// addValid adds the certificates of a PEM text, and skips what [ParseCertificates] would
// refuse. It is for the operating system's own bundles: the user cannot correct these,
// they may have a certificate that Go does not parse (one with a negative serial number,
// for example), and refusing the bundle would leave no roots at all.
func (c *collection) addValid(text []byte) {
	for der := range ders(text) {
		if c.seen[string(der)] {
			continue
		}
		if _, err := x509.ParseCertificate(der); err == nil { // some clients refuse a whole bundle for one bad block
			c.add(der)
		}
	}
}

// ders returns the contents of the certificates of a PEM text. It skips other text, and
// what is broken.
func ders(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
			if block.Type == pemCertificate && !yield(block.Bytes) {
				return
			}
		}
	}
}

// isSystemFile reports whether path is a bundle of the operating system or in a
// directory of it: variables often name these.
func isSystemFile(path string) bool {
	return isOneOf(path, systemBundles) || isSystemDirectory(filepath.Dir(path))
}

func isSystemDirectory(path string) bool { return isOneOf(path, systemDirectories) }

// isOneOf reports whether path is the same file or directory as one of the paths.
func isOneOf(path string, paths []string) bool {
	info, err := os.Stat(path)
	return err == nil && slices.ContainsFunc(paths, func(other string) bool {
		known, err := os.Stat(other)
		return err == nil && os.SameFile(info, known)
	})
}
