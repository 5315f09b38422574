// Package ca is the local certificate authority. It signs the certificates that
// intercepted clients see. It also reads the certificates that clients already
// trust, and writes them in the forms that clients read.
//
// It does not listen and does not store anything: the caller keeps the key of a
// lasting authority in the vault. Its invariant: a leaf has exactly one name and is
// valid for at most a day, and the authority signs only leaves and itself.
package ca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// Lifetimes. A leaf is replaced after half its life. Authorities and leaves are
// valid from clockSkew ago, for clients whose clock is slow.
const (
	defaultLifetime = 90 * 24 * time.Hour
	leafLifetime    = 24 * time.Hour
	clockSkew       = time.Hour
)

// Options describe a new authority.
type Options struct {
	CommonName string
	Lifetime   time.Duration // 0 means 90 days

	now func() time.Time // tests set it; nil means time.Now
}

// Authority signs leaves. It is safe for concurrent use.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	now         func() time.Time
	cache       leafCache

	// OnMint, if not nil, is called for each leaf that is signed. It must be set before
	// the first Leaf.
	OnMint func()
}

// New creates an authority with a P-256 key, in memory.
func New(o Options) (*Authority, error) {
	if o.now == nil {
		o.now = time.Now
	}
	if o.Lifetime == 0 {
		o.Lifetime = defaultLifetime
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate the authority's key: %w", err)
	}
	now := o.now()
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: o.CommonName, Organization: []string{"authsome"}},
		NotBefore:    now.Add(-clockSkew), NotAfter: now.Add(o.Lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's certificate: %w", err)
	}
	return &Authority{certificate: certificate, key: key, now: o.now, cache: newLeafCache()}, nil
}

// ErrExpired means that an authority is no longer valid.
var ErrExpired = errors.New("it expired")

// Parse restores an authority from [Authority.CertificatePEM] and
// [Authority.KeyDER]. If it has expired, the error is [ErrExpired].
func Parse(certificatePEM, keyDER []byte) (*Authority, error) {
	certificates, err := ParseCertificates(certificatePEM)
	if err != nil {
		return nil, fmt.Errorf("parse the authority: %w", err)
	}
	if len(certificates) != 1 {
		return nil, fmt.Errorf("parse the authority: found %d certificates instead of one", len(certificates))
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, errors.New("parse the authority: its key is not PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("parse the authority: its key is not ECDSA")
	}
	a := &Authority{certificate: certificates[0], key: key, now: time.Now, cache: newLeafCache()}
	switch {
	case !a.certificate.IsCA || !key.PublicKey.Equal(a.certificate.PublicKey):
		return nil, errors.New("parse the authority: the certificate does not belong to the key")
	case time.Now().After(a.certificate.NotAfter):
		return nil, fmt.Errorf("parse the authority: %w on %s", ErrExpired, a.certificate.NotAfter.Format(time.DateOnly))
	}
	return a, nil
}

// CertificatePEM returns the authority's certificate, which clients must trust.
func (a *Authority) CertificatePEM() []byte { return encodePEM(a.certificate.Raw) }

// Certificate returns the authority's certificate. The caller must not modify it.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// KeyDER returns the private key as PKCS #8. It is a secret: store it in the vault
// only.
func (a *Authority) KeyDER() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("encode the authority's key: %w", err)
	}
	return der, nil
}

// serial returns a random serial number.
func serial() *big.Int {
	// 128 random bits: RFC 5280 section 4.1.2.2 allows 20 bytes.
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return n.Add(n, big.NewInt(1)) // positive, as the RFC requires
}
