// Package ca is the local certificate authority: it signs the certificates that
// intercepted clients are shown, and knows which roots a client trusts already.
//
// It neither listens nor stores: a lasting authority's key is handed out once,
// for the vault. Its invariant: a leaf has exactly one name and lives a day, and
// the authority signs nothing else.
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

// Lifetimes. A leaf is made again at half its life; both start in the past, for
// clients whose clock is behind.
const (
	defaultLifetime = 90 * 24 * time.Hour
	leafLifetime    = 24 * time.Hour
	clockSkew       = time.Hour
)

// Options describe a new authority.
type Options struct {
	CommonName string
	Lifetime   time.Duration // 0 means 90 days

	now func() time.Time // nil means time.Now; tests set it
}

// Authority signs leaves. It is safe for concurrent use.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	now         func() time.Time
	cache       leafCache

	// OnMint, when set before the first Leaf, is called for each leaf signed.
	OnMint func()
}

// New makes an authority with a P-256 key, in memory.
func New(o Options) (*Authority, error) {
	if o.now == nil {
		o.now = time.Now
	}
	if o.Lifetime == 0 {
		o.Lifetime = defaultLifetime
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
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
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	return assemble(certificate, key, o.now), nil
}

// ErrExpired says that an authority's time is over.
var ErrExpired = errors.New("it expired")

// Parse puts an authority together again from [Authority.CertificatePEM] and
// [Authority.KeyDER]. An expired one is [ErrExpired].
func Parse(certificatePEM, keyDER []byte) (*Authority, error) {
	certificates, err := ParseCertificates(certificatePEM)
	if err != nil {
		return nil, fmt.Errorf("parse authority: %w", err)
	}
	if len(certificates) != 1 {
		return nil, fmt.Errorf("parse authority: %d certificates, not one", len(certificates))
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, errors.New("parse authority: its key is not PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("parse authority: its key is not ECDSA")
	}
	a := assemble(certificates[0], key, time.Now)
	switch {
	case !a.certificate.IsCA || !key.PublicKey.Equal(a.certificate.PublicKey):
		return nil, errors.New("parse authority: certificate and key do not belong together")
	case time.Now().After(a.certificate.NotAfter):
		return nil, fmt.Errorf("parse authority: %w on %s", ErrExpired, a.certificate.NotAfter.Format(time.DateOnly))
	}
	return a, nil
}

func assemble(certificate *x509.Certificate, key *ecdsa.PrivateKey, now func() time.Time) *Authority {
	return &Authority{certificate: certificate, key: key, now: now, cache: newLeafCache()}
}

// CertificatePEM is the authority's certificate, for clients to trust.
func (a *Authority) CertificatePEM() []byte { return encodePEM(a.certificate) }

// Certificate is what [Authority.CertificatePEM] has, parsed. It is not to be
// changed.
func (a *Authority) Certificate() *x509.Certificate { return a.certificate }

// KeyDER is the private key as PKCS #8: a secret, for the vault only.
func (a *Authority) KeyDER() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return nil, fmt.Errorf("encode the authority's key: %w", err)
	}
	return der, nil
}

func serial() *big.Int {
	// 128 random bits: positive and well under the 20 bytes of RFC 5280 section
	// 4.1.2.2.
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		panic("crypto/rand failed") // documented never to happen
	}
	return n.Add(n, big.NewInt(1))
}
