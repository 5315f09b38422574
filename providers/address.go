package providers

import (
	"bytes"
	"net/url"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// UsesBaseURL reports whether the definition contains {base_url}, so that each connection
// has an address.
func (d *Definition) UsesBaseURL() bool { return bytes.Contains(d.text, []byte("{"+nameBaseURL+"}")) }

// AcceptsBaseURL reports whether a connection can have its own base URL.
func (d *Definition) AcceptsBaseURL() bool { return d.UsesBaseURL() || d.ownBase }

// OwnsAddress reports whether an address is that of the service itself and not of an
// instance that somebody else runs: it is on one of the hosts of the definition or of its
// OAuth endpoints, or on another host of their registered domains, such as the web site.
func (d *Definition) OwnsAddress(address string) bool {
	u, err := url.Parse(withScheme(address))
	if err != nil || u.User != nil || u.Scheme != "https" || u.Port() != "" && u.Port() != "443" {
		return false
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(u.Hostname()))
	if err != nil {
		return false
	}
	hosts := d.endpointHosts()
	for _, h := range d.hosts {
		hosts = append(hosts, strings.TrimPrefix(h.pattern.host, ".")) // empty if a value is the whole host
	}
	for _, host := range hosts {
		if own, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil && own == domain {
			return true
		}
	}
	return false
}

// ProviderFor returns the name of the provider for an instance of the service: the
// definition itself, or its self_hosted.
func (d *Definition) ProviderFor(address string) string {
	if d.SelfHosted == "" || address == "" || d.OwnsAddress(address) {
		return d.Name
	}
	return d.SelfHosted
}
