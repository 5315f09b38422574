package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseCertificatesAccepts(t *testing.T) {
	one, two := newAuthority(t, Options{CommonName: "one"}), newAuthority(t, Options{CommonName: "two"})
	a, b := string(one.CertificatePEM()), string(two.CertificatePEM())
	for _, tt := range []struct {
		name, text string
		want       []*Authority
	}{
		{"one", a, []*Authority{one}},
		{"two", a + b, []*Authority{one, two}},
		{"the same one twice", a + a, []*Authority{one, one}},
		{"CRLF", strings.ReplaceAll(a+b, "\n", "\r\n"), []*Authority{one, two}},
		{"byte order mark", "\xef\xbb\xbf" + a, []*Authority{one}},
		{"indented", "  " + strings.ReplaceAll(a, "\n", "\n\t"), []*Authority{one}},
		{"text before and between", "subject=one\n\n" + a + "# Issuer: two\n" + b, []*Authority{one, two}},
		{"blank lines at the end", a + "\n \r\n\n", []*Authority{one}},
		{"no line end at the end", strings.TrimSpace(a), []*Authority{one}},
	} {
		got, err := ParseCertificates([]byte(tt.text))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if !slices.EqualFunc(got, tt.want, func(c *x509.Certificate, a *Authority) bool { return c.Equal(a.certificate) }) {
			t.Errorf("%s: got %d certificates that differ from the file's", tt.name, len(got))
		}
	}
}

func TestParseCertificatesRefuses(t *testing.T) {
	one, two := newAuthority(t, Options{CommonName: "one"}), newAuthority(t, Options{CommonName: "two"})
	a, b := string(one.CertificatePEM()), string(two.CertificatePEM())
	keyDER, err := one.KeyDER()
	if err != nil {
		t.Fatal(err)
	}
	encode := func(block pem.Block) string { return string(pem.EncodeToMemory(&block)) }
	key := encode(pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
	broken := encode(pem.Block{Type: "CERTIFICATE", Bytes: []byte("broken")})
	headers := encode(pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: one.certificate.Raw})
	const end = "-----END CERTIFICATE-----\n"
	firstLine := strings.Count(a, "\n") + 1 // after a
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "no PEM certificate: the file is empty"},
		{"blank", " \n", "no PEM certificate: the file is empty"},
		{"text", "x\n", "no PEM certificate"},
		{"DER", string(one.certificate.Raw), "no PEM certificate: the file is DER; convert it: openssl x509 -inform der -in FILE -out FILE.pem"},
		{"UTF-16", "\xff\xfe-\x00-\x00-\x00-\x00-\x00B\x00", "no PEM certificate: the file is UTF-16; convert it to UTF-8"},
		{"broken first", broken + a, "certificate 1: malformed certificate"},
		{"broken second", a + broken, "certificate 2: malformed certificate"},
		{"broken base64", a + strings.Replace(b, "MII", "M?I", 1), "certificate 2: invalid PEM: the base64 or the END line is broken"},
		{"another END line", strings.Replace(a, "END CERTIFICATE", "END X509 CRL", 1), "certificate 1: invalid PEM: the base64 or the END line is broken"},
		{"END and BEGIN on one line", strings.TrimSpace(a) + b, "certificate 1: invalid PEM: the base64 or the END line is broken"},
		{"half an END line", a[:len(a)-10], "certificate 1: invalid PEM: the base64 or the END line is broken"},
		{"no END line at the end", a + strings.TrimSuffix(b, end), "certificate 2: cut off: its END line is missing"},
		{"no END line before the next", strings.TrimSuffix(a, end) + b, "certificate 1: cut off: its END line is missing"},
		{"no BEGIN line", a + end + b, fmt.Sprintf("line %d: an END line without a BEGIN line", firstLine)},
		{"base64 after the last", a + "MIIB\n", fmt.Sprintf("line %d: text after the last certificate", firstLine)},
		{"text after the last", a + "\n\n# the end\n\n", fmt.Sprintf("line %d: text after the last certificate", firstLine+2)},
		{"private key", a + key, "block 2 is a private key; remove it from the file"},
		{"EC private key first", strings.ReplaceAll(key, "PRIVATE", "EC PRIVATE") + a, "block 1 is a private key; remove it from the file"},
		{"revocation list", strings.ReplaceAll(a, "CERTIFICATE", "X509 CRL"), "block 1 is a X509 CRL, not a CERTIFICATE"},
		{"header lines", headers, "certificate 1: it has header lines, which RFC 7468 does not allow"},
	} {
		if got, err := ParseCertificates([]byte(tt.text)); err == nil || err.Error() != tt.want || got != nil {
			t.Errorf("%s: %d certificates, error %v, want %q", tt.name, len(got), err, tt.want)
		}
	}
}

// An accepted file has every certificate that a lenient reader finds in it.
func FuzzParseCertificates(f *testing.F) {
	a, err := New(Options{CommonName: "one"})
	if err != nil {
		f.Fatal(err)
	}
	text := a.CertificatePEM()
	f.Add(text)
	f.Add(slices.Concat([]byte("\xef\xbb\xbf# text\r\n"), text, []byte("-----BEGIN X-----\n"), text))
	f.Fuzz(func(t *testing.T, data []byte) {
		strict, err := ParseCertificates(data)
		if err != nil {
			return
		}
		if len(strict) == 0 {
			t.Error("accepted without a certificate")
		}
		var lenient collection
		lenient.addValid(data)
		for der := range ders(lenient.pem.Bytes()) {
			if !slices.ContainsFunc(strict, func(c *x509.Certificate) bool { return bytes.Equal(c.Raw, der) }) {
				t.Errorf("a certificate was skipped in %q", data)
			}
		}
	})
}
