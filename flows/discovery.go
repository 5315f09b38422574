package flows

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
)

// Server is what discovery found out about an authorization server.
type Server struct {
	Issuer           string
	AuthorizationURL string
	TokenURL         string
	DeviceURL        string
	RegistrationURL  string
	RevocationURL    string
	Endpoints        []string // all of the above and the other OAuth endpoints of the metadata
	TokenAuth        []string // methods of client authentication, with their names in RFC 7591; nil if not stated
	Challenges       []string // methods of PKCE; nil if not stated
	IssuerInCallback bool     // the server sends its issuer with every redirect (RFC 9207)
	Resource         string   // what the tokens are for, in the resource's own spelling
	Scopes           []string // the scopes to request; nil if not stated
}

// Discover fetches the provider's endpoints, as the definition says: from its issuer (RFC
// 8414 or OpenID Connect Discovery), or from the resource that the tokens are for (RFC
// 9728). It returns the Config to use from then on. That is c itself if the definition has
// no discovery or if c is already the result of one.
//
// The documents can be written by anyone. The addresses in them are used over https only,
// must not be on this machine or its network unless the user named that host, and a
// document must name the issuer or resource that was asked for.
func (c *Config) Discover(ctx context.Context) (*Config, error) {
	o, err := c.oauth()
	if err != nil {
		return nil, err
	}
	if c.Server != nil || o.Discovery == "" {
		return c, nil
	}
	d := &search{Config: c, trusted: c.trustedHosts()}
	var s *Server
	if o.Discovery == "resource" {
		s, err = d.resource(ctx)
	} else {
		s, err = d.issuer(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", c.Definition.Name, err)
	}
	found := *c
	found.Server = s
	if d.trouble != nil && found.checkClient() != nil {
		// A document that cannot be read for the moment may have named the client's server.
		return nil, fmt.Errorf("discover %s: %w", c.Definition.Name, d.trouble)
	}
	return &found, nil
}

// issuer discovers the server of a definition that names its issuer.
func (d *search) issuer(ctx context.Context) (*Server, error) {
	issuer, err := d.expand("oauth.issuer", d.Definition.OAuth.Issuer)
	if err != nil {
		return nil, err
	}
	if issuer == "" {
		return nil, fmt.Errorf("no oauth.issuer: %w", errUnsupported)
	}
	s, err := d.server(ctx, issuer)
	if s != nil {
		s.Scopes = nil // these are all scopes of the server, not the ones to request
	}
	return s, err
}

// metadataURLs returns where an issuer's metadata can be: the place of RFC 8414 section
// 3.1, and the places of OpenID Connect, whose specification can be read in two ways. MCP
// prescribes this order.
func metadataURLs(issuer *url.URL) []*url.URL {
	at := func(path string) *url.URL {
		u := *issuer
		u.Path, u.RawPath = path, ""
		return &u
	}
	path := strings.TrimSuffix(issuer.Path, "/") // RFC 8414 section 3.1
	all := []*url.URL{at("/.well-known/oauth-authorization-server" + path), at("/.well-known/openid-configuration" + path)}
	if path != "" {
		all = append(all, at(path+"/.well-known/openid-configuration"))
	}
	return all
}

// server fetches an issuer's metadata, from the first place that has a document of this
// issuer. It ignores documents that name another issuer (RFC 8414 section 3.3).
func (d *search) server(ctx context.Context, issuer string) (*Server, error) {
	u, err := discoveredEndpoint(issuer, d.trusted)
	if err == nil && u.RawQuery != "" {
		err = errors.New("the URL has a query")
	}
	if err != nil {
		return nil, fmt.Errorf("invalid issuer %s: %w", quoted(issuer), err)
	}
	var failed error
	for _, at := range metadataURLs(u) {
		a, err := d.document(ctx, at)
		if a != nil {
			named := a.text([]string{"issuer"})
			if SameIssuer(named, issuer) {
				return a.server(named, d.trusted)
			}
			err = &otherIssuerError{"its metadata", named, issuer}
		}
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		if failed == nil || errors.Is(err, errIssuer) {
			failed = err
		}
	}
	if failed == nil {
		failed = fmt.Errorf("the authorization server %s publishes no metadata", quoted(issuer))
	}
	return nil, failed
}

// server reads the metadata of RFC 8414 section 2.
func (a *answer) server(issuer string, trusted []string) (*Server, error) {
	s := &Server{
		Issuer:           issuer,
		TokenAuth:        a.list("token_endpoint_auth_methods_supported"),
		Challenges:       a.list("code_challenge_methods_supported"),
		Scopes:           a.list("scopes_supported"),
		IssuerInCallback: a.object["authorization_response_iss_parameter_supported"] == true,
	}
	for _, e := range []struct {
		member string
		to     *string
	}{
		{"authorization_endpoint", &s.AuthorizationURL}, {"token_endpoint", &s.TokenURL}, {"revocation_endpoint", &s.RevocationURL},
		{"device_authorization_endpoint", &s.DeviceURL}, {"registration_endpoint", &s.RegistrationURL},
	} {
		text := a.text([]string{e.member})
		if text == "" {
			continue
		}
		u, err := discoveredEndpoint(text, trusted)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.member, err)
		}
		*e.to = u.String()
	}
	if s.TokenURL == "" {
		return nil, errors.New("the authorization server names no token endpoint")
	}
	s.Endpoints = oauthEndpoints(a.object)
	return s, nil
}

// maxEndpoints bounds how many endpoints of one document are kept. RFC 8414, RFC 9126,
// OpenID Connect and CIBA define nine.
const maxEndpoints = 32

// oauthEndpoints returns the addresses in metadata that take or return secrets: every
// member whose name ends in _endpoint, and the aliases for clients with certificates (RFC
// 8705 section 5). The userinfo endpoint is left out: it is a resource, to which the access
// token belongs.
func oauthEndpoints(metadata map[string]any) []string {
	var all []string
	for _, member := range slices.Sorted(maps.Keys(metadata)) {
		if !strings.HasSuffix(member, "_endpoint") || member == "userinfo_endpoint" {
			continue
		}
		text, _ := metadata[member].(string)
		if u, err := url.Parse(text); err != nil || u.Host == "" || slices.Contains(all, text) || len(all) == maxEndpoints {
			continue
		}
		all = append(all, text)
	}
	if aliases, ok := metadata["mtls_endpoint_aliases"].(map[string]any); ok {
		all = append(all, oauthEndpoints(aliases)...)
	}
	return all
}

// discoveredEndpoint reads an address from a discovered document. It refuses hosts on this
// machine or its network by their spelling. Our own client also checks the address that it
// dials, but a browser, which opens some of these addresses, does not.
func discoveredEndpoint(s string, trusted []string) (*url.URL, error) {
	u, err := parseEndpoint(s)
	if err != nil {
		return nil, err
	}
	host, err := hosts.Normalize(u.Hostname())
	if err != nil {
		return nil, err
	}
	if slices.Contains(trusted, host) {
		return u, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return u, checkPublic(ip)
	}
	if hosts.MayBeLoopback(host) {
		return nil, errors.New("a discovered address must not be on this machine")
	}
	return u, nil
}

// trustedHosts returns the hosts that the definition or the user named. Discovered
// addresses may be on these hosts even if they are private.
func (c *Config) trustedHosts() []string {
	o := c.Definition.OAuth
	var names []string
	for _, t := range []string{o.Issuer, o.Resource, o.AuthorizationURL, o.TokenURL} {
		text, err := c.expand("oauth", t)
		if err != nil {
			continue
		}
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		if host, err := hosts.Normalize(u.Hostname()); err == nil {
			names = append(names, host)
		}
	}
	return names
}
