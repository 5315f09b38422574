package ca

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"
)

const (
	pemCertificate = "CERTIFICATE"
	pemBegin       = "-----BEGIN "
	pemEnd         = "-----END "
)

// ParseCertificates reads the certificates of a PEM file (RFC 7468), at least one,
// in the order of the file. It accepts text before a certificate, CRLF line ends,
// indented blocks and a UTF-8 byte order mark.
//
// Everything that could hide a certificate is an error that names the block or the
// line: a block that is cut off or broken, a certificate that cannot be
// parsed, a block of another type such as a private key, and text after the last
// certificate. [x509.CertPool.AppendCertsFromPEM] skips all of these silently.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	var block []byte // the lines of the block that is being read
	var blocks, line int
	var text int // the first line of text after the last block, or 0
	for l := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		line++
		l = bytes.TrimSpace(l)
		begin, end := bytes.HasPrefix(l, []byte(pemBegin)), bytes.HasPrefix(l, []byte(pemEnd))
		switch {
		case begin && block != nil:
			return nil, cutOff(blocks)
		case begin:
			blocks++
			text = 0
		case block == nil && end:
			return nil, fmt.Errorf("line %d: an END line without a BEGIN line", line)
		case block == nil:
			if text == 0 && len(l) > 0 {
				text = line
			}
			continue
		}
		block = append(append(block, l...), '\n')
		if end {
			certificate, err := parseBlock(block, blocks)
			if err != nil {
				return nil, err
			}
			all, block = append(all, certificate), nil
		}
	}
	switch {
	case block != nil:
		return nil, cutOff(blocks)
	case blocks == 0:
		return nil, fmt.Errorf("no PEM certificate%s", notPEM(data))
	case text != 0:
		return nil, fmt.Errorf("line %d: text after the last certificate", text)
	}
	return all, nil
}

func cutOff(n int) error {
	return fmt.Errorf("certificate %d: cut off: its END line is missing", n)
}

// parseBlock parses the lines from BEGIN to END of the nth block.
func parseBlock(lines []byte, n int) (*x509.Certificate, error) {
	block, _ := pem.Decode(lines)
	switch {
	case block == nil:
		return nil, fmt.Errorf("certificate %d: invalid PEM: the base64 or the END line is broken", n)
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		return nil, fmt.Errorf("block %d is a private key; remove it from the file", n)
	case block.Type != pemCertificate:
		return nil, fmt.Errorf("block %d is a %s, not a %s", n, block.Type, pemCertificate)
	case len(block.Headers) > 0:
		return nil, fmt.Errorf("certificate %d: it has header lines, which RFC 7468 does not allow", n)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("certificate %d: %s", n, strings.TrimPrefix(err.Error(), "x509: "))
	}
	return certificate, nil
}

// notPEM says what a file without a PEM block is, if that is known.
func notPEM(data []byte) string {
	if len(bytes.TrimSpace(data)) == 0 {
		return ": the file is empty"
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) { // PowerShell writes these
		return ": the file is UTF-16; convert it to UTF-8"
	}
	if _, err := x509.ParseCertificates(data); err == nil {
		return ": the file is DER; convert it: openssl x509 -inform der -in FILE -out FILE.pem"
	}
	return ""
}

func encodePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCertificate, Bytes: der})
}
