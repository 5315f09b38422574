package ca

import (
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// TrustStorePassword is what a [TrustStore] is locked with, and Java's own trust
// store is: its certificates are no secret, but Java reads none without one.
const TrustStorePassword = pkcs12.DefaultPassword

// TrustStore is the certificates of PEM texts as a PKCS #12 file without a key, as
// Java reads it from 8u301 on.
func TrustStore(texts ...[]byte) ([]byte, error) {
	certificates, err := ParseCertificates(Bundle(texts...))
	if err != nil {
		return nil, fmt.Errorf("make a PKCS #12 trust store: %w", err)
	}
	var entries []pkcs12.TrustStoreEntry
	for i, certificate := range certificates {
		// Java merges entries that have the same name.
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: certificate, FriendlyName: fmt.Sprint("certificate ", i+1)})
	}
	store, err := pkcs12.Modern2023.EncodeTrustStoreEntries(entries, TrustStorePassword)
	if err != nil {
		return nil, fmt.Errorf("make a PKCS #12 trust store: %w", err)
	}
	return store, nil
}
