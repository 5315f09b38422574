package ca

import (
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"
)

// Constrained returns another certificate of the authority, in PEM, for a store that
// others read too. It is valid for lifetime, and only for hosts: a host that begins with
// a dot means every name below it.
func (a *Authority) Constrained(names []string, lifetime time.Duration) ([]byte, error) {
	now := a.now()
	template := &x509.Certificate{
		SerialNumber: serial(),
		Subject:      a.certificate.Subject,
		NotBefore:    now.Add(-clockSkew), NotAfter: now.Add(lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign,
		PermittedDNSDomainsCritical: true,
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip == nil {
			template.PermittedDNSDomains = append(template.PermittedDNSDomains, strings.TrimPrefix(name, "."))
		} else {
			template.PermittedIPRanges = append(template.PermittedIPRanges, hostRange(ip))
		}
	}
	// Without a permitted name of a type, every name of that type would be permitted.
	if len(template.PermittedDNSDomains) == 0 {
		template.PermittedDNSDomains = []string{"invalid"}
	}
	if len(template.PermittedIPRanges) == 0 {
		for _, all := range []string{"0.0.0.0/0", "::/0"} {
			_, network, err := net.ParseCIDR(all)
			if err != nil {
				return nil, err
			}
			template.ExcludedIPRanges = append(template.ExcludedIPRanges, network)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's constrained certificate: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("sign the authority's constrained certificate: %w", err)
	}
	return encodePEM(certificate.Raw), nil
}

// hostRange is the range with only one address.
func hostRange(ip net.IP) *net.IPNet {
	if v4 := ip.To4(); v4 != nil {
		ip = v4
	}
	return &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))}
}
