package ca

import (
	"container/list"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// maxLeaves limits the cache. Signing an evicted leaf again takes 0.1 ms.
const maxLeaves = 1024

// Leaf returns the certificate for host, a DNS name or an IP address. It signs the
// certificate once, even for concurrent calls, and caches it for half its life.
// After the authority has expired it returns an error: clients would refuse the
// certificate.
func (a *Authority) Leaf(host string) (*tls.Certificate, error) {
	if c := a.cache.fresh(host, a.now()); c != nil {
		return c, nil
	}
	v, err, _ := a.cache.flights.Do(host, func() (any, error) {
		if c := a.cache.fresh(host, a.now()); c != nil {
			return c, nil
		}
		c, err := a.sign(host)
		if err != nil {
			return nil, err
		}
		// Without the monotonic reading, which stops while the machine sleeps and does not
		// follow corrections: clients compare with the wall clock.
		now := a.now().Round(0)
		a.cache.put(&cached{host: host, leaf: c, stale: now.Add(c.Leaf.NotAfter.Sub(now) / 2)})
		if a.OnMint != nil {
			a.OnMint()
		}
		return c, nil
	})
	if err != nil {
		return nil, err
	}
	return v.(*tls.Certificate), nil
}

func (a *Authority) sign(host string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate a key for %s: %w", host, err)
	}
	now := a.now()
	if !now.Before(a.certificate.NotAfter) {
		return nil, fmt.Errorf("sign a certificate for %s: the authority expired on %s", host, a.certificate.NotAfter.Format(time.DateOnly))
	}
	template := &x509.Certificate{
		SerialNumber: serial(),
		NotBefore:    slices.MaxFunc([]time.Time{now.Add(-clockSkew), a.certificate.NotBefore}, time.Time.Compare),
		NotAfter:     slices.MinFunc([]time.Time{now.Add(leafLifetime), a.certificate.NotAfter}, time.Time.Compare),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		// Python's strict verification requires the key identifiers (RFC 5280
		// sections 4.2.1.1 and 4.2.1.2) and basic constraints.
		BasicConstraintsValid: true,
	}
	if len(host) < 64 { // the limit of a common name, RFC 5280 appendix A
		template.Subject = pkix.Name{CommonName: host}
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		template.IPAddresses = append(template.IPAddresses, ip.AsSlice())
	} else {
		template.DNSNames = []string{host}
	}
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("encode the key for %s: %w", host, err)
	}
	template.SubjectKeyId = keyID(spki)
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for %s: %w", host, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("parse the certificate for %s: %w", host, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key, Leaf: leaf}, nil
}

// keyID returns a subject key identifier: the first 160 bits of the SHA-256 of the
// public key (RFC 7093 section 2, method 4).
func keyID(spki []byte) []byte {
	sum := sha256.Sum256(spki)
	return sum[:20]
}

// leafCache has the most recently used leaves.
type leafCache struct {
	flights singleflight.Group

	mu    sync.Mutex // guards order and items
	order *list.List // of *cached, most recently used first
	items map[string]*list.Element
}

type cached struct {
	host  string
	leaf  *tls.Certificate
	stale time.Time // halfway from the signing to the end of its life
}

func newLeafCache() leafCache {
	return leafCache{order: list.New(), items: make(map[string]*list.Element)}
}

func (c *leafCache) fresh(host string, now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[host]
	if e == nil || now.After(e.Value.(*cached).stale) || now.Before(e.Value.(*cached).leaf.Leaf.NotBefore) {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*cached).leaf
}

func (c *leafCache) put(item *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.items[item.host]; e != nil {
		e.Value = item
		c.order.MoveToFront(e)
		return
	}
	c.items[item.host] = c.order.PushFront(item)
	if c.order.Len() > maxLeaves {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.items, last.Value.(*cached).host)
	}
}
