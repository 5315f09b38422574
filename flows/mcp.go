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

// maxServers bounds how many authorization servers of a resource are asked.
const maxServers = 3

// resource is what a protected resource says about itself (RFC 9728).
type resource struct {
	id      string
	servers []string
	scopes  []string
}

// discoverResource goes from a resource to its authorization server, as the MCP
// specification has it.
func (c *Config) discoverResource(ctx context.Context) (*Server, error) {
	text, err := c.expand("oauth.resource", c.Definition.OAuth.Resource)
	if err != nil {
		return nil, err
	}
	u, err := parseEndpoint(text)
	if err != nil {
		return nil, fmt.Errorf("the resource: %w", err)
	}
	challenge, err := c.challenge(ctx, u)
	if err != nil {
		return nil, err
	}
	r, err := c.resource(ctx, u, challenge["resource_metadata"])
	if err != nil {
		return nil, err
	}
	s, err := c.firstServer(ctx, r.servers)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(s.Challenges, "S256") {
		return nil, fmt.Errorf("the authorization server does not say that it knows PKCE: %w", ErrUnsupported)
	}
	s.Resource = r.id
	s.Scopes = mcpScopes(challenge["scope"], r.scopes, s.Scopes)
	return s, nil
}

// mcpScopes chooses what to ask for: what the challenge names, else all that the
// resource knows, else nothing; and a refresh token, where the server gives one
// for a scope.
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

// challenge asks the resource without a token, and reads what it says is missing
// (RFC 9728 section 5.1). A resource that says nothing has an empty one.
func (c *Config) challenge(ctx context.Context, u *url.URL) (map[string]string, error) {
	header := http.Header{"Accept": {"application/json, text/event-stream"}}
	r, err := sendHead(ctx, c.client(false), u, header)
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

// resource reads the metadata of a resource, from where the challenge says, else
// from the well-known places (RFC 9728 section 3.1). Servers of before RFC 9728
// have none, and are their own authorization server.
func (c *Config) resource(ctx context.Context, u *url.URL, at string) (*resource, error) {
	places := resourceURLs(u)
	if at != "" {
		named, err := discoveredEndpoint(at, c.named())
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
		case !covers(r.id, u):
			return nil, errors.New("the resource's metadata is another resource's")
		case len(r.servers) == 0:
			r.servers = []string{origin(u)}
		}
		return r, nil
	}
	if at != "" {
		return nil, errors.New("no metadata where the resource says it is")
	}
	return &resource{id: u.String(), servers: []string{origin(u)}}, nil
}

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

// covers holds metadata to being about the resource at u: the same text (RFC 9728
// section 3.3), or, as many servers have it, the origin or a path that u is
// under. Nobody else can answer there, and a token goes to that host only.
func covers(id string, u *url.URL) bool {
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

// firstServer takes the first authorization server whose metadata can be read;
// the one that the client belongs to, if it is among them.
func (c *Config) firstServer(ctx context.Context, issuers []string) (*Server, error) {
	if c.Client.Issuer != "" && slices.Contains(issuers, c.Client.Issuer) {
		return c.metadata(ctx, c.Client.Issuer)
	}
	var failed error
	for _, issuer := range issuers[:min(len(issuers), maxServers)] {
		s, err := c.metadata(ctx, issuer)
		if err == nil {
			return s, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, failed
}

// ObtainClient finds a client to log in with: the one that is there, if it
// belongs to this server and is still good; else our metadata document, where
// the server takes one; else one that it registers. The error is [ErrNoClient]
// if the user has to bring one. A client that differs from c.Client is to be
// stored before it is used.
func (c *Config) ObtainClient(ctx context.Context, redirectURIs []string, scopes []string) (Client, error) {
	c, err := c.ready(ctx)
	if err != nil {
		return Client{}, err
	}
	redirect := ""
	if len(redirectURIs) > 0 {
		redirect = redirectURIs[0]
	}
	if c.Client.Usable(redirect, c.now()) && c.checkClient() == nil {
		return c.Client, nil
	}
	if id := c.Definition.OAuth.ClientID; id != "" {
		return Client{ID: id}, nil
	}
	if c.found().ClientMetadata && c.ClientMetadataURL != "" {
		issuer, err := c.ID()
		return Client{ID: c.ClientMetadataURL, TokenAuth: authNone, Issuer: issuer}, err
	}
	if c.found().RegistrationURL != "" || c.Definition.OAuth.RegistrationURL != "" {
		return c.Register(ctx, redirectURIs, scopes)
	}
	return Client{}, fmt.Errorf("%s: %w", c.Definition.Name, ErrNoClient)
}
