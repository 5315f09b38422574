package ca

import (
	"testing"

	"software.sslmate.com/src/go-pkcs12"
)

func TestTrustStore(t *testing.T) {
	one, two := newAuthority(t, Options{CommonName: "one"}), newAuthority(t, Options{CommonName: "two"})
	store, err := TrustStore(one.CertificatePEM(), two.CertificatePEM(), one.CertificatePEM())
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := pkcs12.DecodeTrustStore(store, TrustStorePassword)
	if err != nil || len(certificates) != 2 || !certificates[0].Equal(one.certificate) || !certificates[1].Equal(two.certificate) {
		t.Errorf("%d certificates, %v", len(certificates), err)
	}
	if _, err := pkcs12.DecodeTrustStore(store, "other"); err == nil {
		t.Error("a wrong password opened it")
	}
	if _, err := TrustStore([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")); err == nil {
		t.Error("a broken certificate was left out")
	}
}
