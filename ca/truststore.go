package ca

import (
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// TrustStorePassword is the password of a [TrustStore]. Its certificates are
// public, but Java does not read a trust store without a password. Java's own trust
// store has the same password.
const TrustStorePassword = pkcs12.DefaultPassword

// TrustStore encodes the certificates of PEM texts that this package returned as a PKCS #12 file without a
// key. Java 8u301 and later read it.
func TrustStore(texts ...[]byte) ([]byte, error) {
	certificates, err := ParseCertificates(Join(texts...))
	if err != nil {
		return nil, fmt.Errorf("encode the PKCS #12 trust store: %w", err)
	}
	var entries []pkcs12.TrustStoreEntry
	for i, certificate := range certificates {
		// Java merges entries that have the same name.
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: certificate, FriendlyName: fmt.Sprint("certificate ", i+1)})
	}
	store, err := pkcs12.Modern2023.EncodeTrustStoreEntries(entries, TrustStorePassword)
	if err != nil {
		return nil, fmt.Errorf("encode the PKCS #12 trust store: %w", err)
	}
	return store, nil
}
