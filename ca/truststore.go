package ca

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"
)

// TrustStorePassword is what a [TrustStore] is locked with, and Java's own trust
// store is: its certificates are no secret, but Java reads none without one.
const TrustStorePassword = pkcs12.DefaultPassword

// TrustStore is the certificates of PEM texts as a PKCS #12 file without a key, as
// Java reads it from 8u301 on.
func TrustStore(texts ...[]byte) ([]byte, error) {
	var entries []pkcs12.TrustStoreEntry
	for rest := Bundle(texts...); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		// Java takes entries of one name for one entry.
		entries = append(entries, pkcs12.TrustStoreEntry{Cert: certificate, FriendlyName: fmt.Sprint("certificate ", len(entries)+1)})
	}
	store, err := pkcs12.Modern2023.EncodeTrustStoreEntries(entries, TrustStorePassword)
	if err != nil {
		return nil, fmt.Errorf("make a PKCS #12 trust store: %w", err)
	}
	return store, nil
}
