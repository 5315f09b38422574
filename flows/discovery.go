package flows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
)

// Discover asks a provider for its endpoints, as the definition says: from its
// issuer (RFC 8414 or OpenID Connect Discovery), or from the resource that the
// tokens are for (RFC 9728). It returns a Config to use from then on. Where the
// definition has no discovery, or Server is set, that is c itself.
//
// Documents that are found on the way are written by others. What they name is
// used over https only, not on this machine or its network unless the user named
// that host, and only if they say the name they were asked for.
func (c *Config) Discover(ctx context.Context) (*Config, error) {
	o, err := c.oauth()
	if err != nil {
		return nil, err
	}
	if c.Server != nil || o.Discovery == "" {
		return c, nil
	}
	var s *Server
	if o.Discovery == "resource" {
		s, err = c.discoverResource(ctx)
	} else {
		s, err = c.discoverIssuer(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("discover %s: %w", c.Definition.Name, err)
	}
	found := *c
	found.Server = s
	return &found, nil
}

// ready is c with its endpoints known.
func (c *Config) ready(ctx context.Context) (*Config, error) { return c.Discover(ctx) }

func (c *Config) discoverIssuer(ctx context.Context) (*Server, error) {
	issuer, err := c.expand("oauth.issuer", c.Definition.OAuth.Issuer)
	if err != nil {
		return nil, err
	}
	if issuer == "" {
		return nil, fmt.Errorf("no oauth.issuer: %w", ErrUnsupported)
	}
	s, err := c.metadata(ctx, issuer)
	if s != nil {
		s.Scopes = nil // all that it knows are not what anybody wants
	}
	return s, err
}

// metadataURLs are where an issuer's metadata can be: RFC 8414 section 3.1, and
// what OpenID Connect has in both readings. MCP has this order.
func metadataURLs(issuer *url.URL) []*url.URL {
	at := func(path string) *url.URL {
		u := *issuer
		u.Path, u.RawPath = path, ""
		return &u
	}
	path := strings.TrimSuffix(issuer.Path, "/")
	all := []*url.URL{at("/.well-known/oauth-authorization-server" + path), at("/.well-known/openid-configuration" + path)}
	if path != "" {
		all = append(all, at(path+"/.well-known/openid-configuration"))
	}
	return all
}

// metadata finds and reads an issuer's metadata. A document of another issuer is
// discarded (RFC 8414 section 3.3); the texts are compared as they are.
func (c *Config) metadata(ctx context.Context, issuer string) (*Server, error) {
	named := c.named()
	u, err := discoveredEndpoint(issuer, named)
	if err == nil && u.RawQuery != "" {
		err = errors.New("the URL has a query")
	}
	if err != nil {
		return nil, fmt.Errorf("the issuer: %w", err)
	}
	failed := errors.New("no metadata of the authorization server")
	for _, at := range metadataURLs(u) {
		a, err := c.document(ctx, at)
		switch {
		case err != nil:
			return nil, err
		case a == nil:
			continue
		case a.text([]string{"issuer"}) != issuer:
			failed = ErrIssuer
			continue
		}
		return a.server(issuer, named)
	}
	return nil, failed
}

// document fetches a JSON object; nil if there is none at that place.
func (c *Config) document(ctx context.Context, u *url.URL) (*answer, error) {
	r, err := send(ctx, c.client(true, c.named()...), http.MethodGet, u, http.Header{"Accept": {"application/json"}}, "")
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusOK {
		if postponed(r.status) {
			return nil, &TokenError{Kind: Transient, Status: r.status, RetryAfter: retryAfter(r.header, c.now())}
		}
		return nil, nil
	}
	object, err := parseObject(r.header.Get("Content-Type"), r.body)
	if err != nil {
		return nil, nil // a page for people
	}
	return &answer{r.status, r.header, object}, nil
}

// server reads RFC 8414 section 2.
func (a *answer) server(issuer string, named []string) (*Server, error) {
	s := &Server{
		Issuer:         issuer,
		TokenAuth:      a.list("token_endpoint_auth_methods_supported"),
		ClientMetadata: a.object["client_id_metadata_document_supported"] == true,
		Challenges:     a.list("code_challenge_methods_supported"),
		Scopes:         a.list("scopes_supported"),
	}
	s.IssuerInCallback = a.object["authorization_response_iss_parameter_supported"] == true
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
		u, err := discoveredEndpoint(text, named)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.member, err)
		}
		*e.to = u.String()
	}
	if s.TokenURL == "" {
		return nil, errors.New("the authorization server names no token endpoint")
	}
	return s, nil
}

// discoveredEndpoint reads an address that somebody else wrote down. Names are
// looked at again when they are dialled; a browser would not do that.
func discoveredEndpoint(s string, named []string) (*url.URL, error) {
	u, err := parseEndpoint(s)
	if err != nil {
		return nil, err
	}
	host, err := hosts.Normalize(u.Hostname())
	if err != nil {
		return nil, err
	}
	if slices.Contains(named, host) {
		return u, nil
	}
	if ip, err := netip.ParseAddr(host); err == nil {
		return u, public(ip)
	}
	if hosts.IsLoopback(host) || strings.HasSuffix(host, ".localhost") {
		return nil, errors.New("it is on this machine")
	}
	return u, nil
}

// named are the hosts that the definition or the user wrote down.
func (c *Config) named() []string {
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
