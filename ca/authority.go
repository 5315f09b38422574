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
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
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

	// Hosts, when not empty, are the only DNS names the authority can vouch for
	// (RFC 5280 section 4.2.1.10), each with the names under it. IP addresses are
	// excluded then: DNS constraints alone would leave them free.
	Hosts []string

	Now func() time.Time // nil means time.Now
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
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lifetime == 0 {
		o.Lifetime = defaultLifetime
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the authority's key: %w", err)
	}
	now := o.Now()
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      pkix.Name{CommonName: o.CommonName, Organization: []string{"authsome"}},
		NotBefore:    now.Add(-clockSkew), NotAfter: now.Add(o.Lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if len(o.Hosts) > 0 {
		template.PermittedDNSDomainsCritical = true
		template.PermittedDNSDomains = o.Hosts
		template.ExcludedIPRanges = []*net.IPNet{
			{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)},
			{IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)},
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority: %w", err)
	}
	return assemble(der, key, o.Now)
}

// ErrExpired says that an authority's time is over.
var ErrExpired = errors.New("it expired")

// Parse puts an authority together again from [Authority.CertificatePEM] and
// [Authority.KeyDER]. An expired one is [ErrExpired].
func Parse(certificatePEM, keyDER []byte) (*Authority, error) {
	block, rest := pem.Decode(certificatePEM)
	if block == nil || block.Type != "CERTIFICATE" || len(rest) > 0 {
		return nil, errors.New("parse authority: not one certificate in PEM form")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(keyDER)
	if err != nil {
		return nil, errors.New("parse authority: its key is not PKCS #8")
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("parse authority: its key is not ECDSA")
	}
	a, err := assemble(block.Bytes, key, time.Now)
	if err != nil {
		return nil, err
	}
	switch {
	case !a.certificate.IsCA || !key.PublicKey.Equal(a.certificate.PublicKey):
		return nil, errors.New("parse authority: certificate and key do not belong together")
	case time.Now().After(a.certificate.NotAfter):
		return nil, fmt.Errorf("parse authority: %w on %s", ErrExpired, a.certificate.NotAfter.Format(time.DateOnly))
	}
	return a, nil
}

func assemble(der []byte, key *ecdsa.PrivateKey, now func() time.Time) (*Authority, error) {
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse authority: %w", err)
	}
	return &Authority{certificate: certificate, key: key, now: now, cache: newLeafCache()}, nil
}

// CertificatePEM is the authority's certificate, for clients to trust.
func (a *Authority) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

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
