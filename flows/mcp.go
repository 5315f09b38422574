package flows

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxServers bounds how many authorization servers of a resource are tried.
const maxServers = 3

// resource is the metadata of a protected resource (RFC 9728).
type resource struct {
	id      string
	servers []string // issuers
	scopes  []string
}

// discoverResource finds the authorization server of a resource, as the MCP specification
// describes it.
func (c *Config) discoverResource(ctx context.Context) (*Server, error) {
	text, err := c.expand("oauth.resource", c.Definition.OAuth.Resource)
	if err != nil {
		return nil, err
	}
	u, err := parseEndpoint(text)
	if err != nil {
		return nil, fmt.Errorf("invalid resource URL: %w", err)
	}
	challenge, err := c.bearerChallenge(ctx, u)
	if err != nil {
		return nil, err
	}
	r, err := c.resourceMetadata(ctx, u, challenge["resource_metadata"])
	if err != nil {
		return nil, err
	}
	s, err := c.firstServer(ctx, r.servers)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.Challenges, "S256") {
		return nil, fmt.Errorf("the authorization server does not announce PKCE with S256: %w", errUnsupported)
	}
	s.Resource = r.id
	s.Scopes = mcpScopes(challenge["scope"], r.scopes, s.Scopes)
	return s, nil
}

// mcpScopes returns the scopes to request: those in the challenge, or else all scopes of
// the resource. If the server has the scope offline_access, which yields a refresh token,
// it is added.
func mcpScopes(challenge string, ofResource, ofServer []string) []string {
	scopes := strings.Fields(challenge)
	if len(scopes) == 0 {
		scopes = slices.Clone(ofResource)
	}
	const offline = "offline_access"
	if slices.Contains(ofServer, offline) && !slices.Contains(scopes, offline) {
		scopes = append(scopes, offline)
	}
	return scopes
}

// bearerChallenge requests the resource without a token and returns the parameters of its
// Bearer challenge (RFC 9728 section 5.1), or nil if it sends none.
func (c *Config) bearerChallenge(ctx context.Context, u *url.URL) (map[string]string, error) {
	header := http.Header{"Accept": {"application/json, text/event-stream"}}
	r, err := send(ctx, request{client: c.client(), method: http.MethodGet, url: u, header: header, headOnly: true})
	if err != nil {
		return nil, err
	}
	if r.status != http.StatusUnauthorized {
		return nil, nil
	}
	for _, ch := range parseChallenges(r.header.Values("WWW-Authenticate")) {
		if ch.scheme == "bearer" {
			return ch.params, nil
		}
	}
	return nil, nil
}

// resourceMetadata fetches the metadata of the resource at u, from the address in its
// challenge or else from the well-known places (RFC 9728 section 3.1). A resource older
// than RFC 9728 has none; its authorization server is its own origin.
func (c *Config) resourceMetadata(ctx context.Context, u *url.URL, address string) (*resource, error) {
	places := resourceURLs(u)
	if address != "" {
		named, err := discoveredEndpoint(address, c.trustedHosts())
		if err != nil {
			return nil, fmt.Errorf("the resource's metadata: %w", err)
		}
		places = []*url.URL{named}
	}
	for _, place := range places {
		a, err := c.document(ctx, place)
		if err != nil {
			return nil, err
		}
		if a == nil {
			continue
		}
		r := &resource{a.text([]string{"resource"}), a.list("authorization_servers"), a.list("scopes_supported")}
		switch {
		case !isAbout(r.id, u):
			return nil, errors.New("the resource's metadata is about another resource")
		case len(r.servers) == 0:
			r.servers = []string{origin(u)}
		}
		return r, nil
	}
	if address != "" {
		return nil, errors.New("the resource's metadata is not at the address in its challenge")
	}
	return &resource{id: u.String(), servers: []string{origin(u)}}, nil
}

// resourceURLs returns the well-known places of a resource's metadata.
func resourceURLs(u *url.URL) []*url.URL {
	at := func(path string) *url.URL {
		place := *u
		place.Path, place.RawPath = "/.well-known/oauth-protected-resource"+path, ""
		return &place
	}
	path := strings.TrimSuffix(u.Path, "/")
	if path == "" {
		return []*url.URL{at("")}
	}
	root := at("")
	root.RawQuery = ""
	return []*url.URL{at(path), root}
}

// isAbout reports whether metadata with the given id is about the resource at u. The id
// must be u (RFC 9728 section 3.3) or, as many servers have it, u's origin or a path that
// contains u. That is safe, because only the same host can publish it, and the token is
// sent to that host only.
func isAbout(id string, u *url.URL) bool {
	if id == u.String() {
		return true
	}
	r, err := parseEndpoint(id)
	if err != nil || origin(r) != origin(u) || r.RawQuery != "" {
		return false
	}
	prefix := strings.TrimSuffix(r.EscapedPath(), "/")
	rest, ok := strings.CutPrefix(u.EscapedPath(), prefix)
	return ok && (rest == "" || rest[0] == '/')
}

func origin(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

// firstServer returns the metadata of the client's authorization server if it is among the
// issuers, or else of the first server whose metadata can be read.
func (c *Config) firstServer(ctx context.Context, issuers []string) (*Server, error) {
	if c.Client.Issuer != "" && slices.Contains(issuers, c.Client.Issuer) {
		return c.serverMetadata(ctx, c.Client.Issuer)
	}
	var failed error
	for _, issuer := range issuers[:min(len(issuers), maxServers)] {
		s, err := c.serverMetadata(ctx, issuer)
		if err == nil {
			return s, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}
