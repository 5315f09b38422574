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
const maxServers = 5

// resource is the metadata of a protected resource (RFC 9728).
type resource struct {
	id      string
	servers []string // issuers
	scopes  []string
}

// resource discovers the authorization server of a resource, as the MCP specification
// describes it.
func (d *search) resource(ctx context.Context) (*Server, error) {
	text, err := d.Definition.ResourceURL(d.values())
	if err != nil {
		return nil, err
	}
	u, err := parseEndpoint(text)
	if err != nil {
		return nil, fmt.Errorf("invalid resource URL: %w", err)
	}
	challenge, err := d.challenge(ctx, u)
	if err != nil {
		return nil, err
	}
	r, err := d.metadata(ctx, u, challenge["resource_metadata"])
	if err != nil {
		return nil, err
	}
	s, err := d.firstServer(ctx, r.servers)
	if err != nil {
		return nil, err
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

// challenge requests the resource without a token and returns the parameters of its Bearer
// challenge (RFC 9728 section 5.1), or nil if it sends none.
func (d *search) challenge(ctx context.Context, u *url.URL) (map[string]string, error) {
	header := http.Header{"Accept": {"application/json, text/event-stream"}}
	r, err := send(ctx, request{client: d.client(), method: http.MethodGet, url: u, header: header, headOnly: true})
	if err != nil {
		return nil, err
	}
	if isTransient(r.status) {
		d.trouble = &TokenError{Kind: Transient, Status: r.status, RetryAfter: retryAfter(r.header, d.now())}
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

// metadata fetches the metadata of the resource at u, from the address in its challenge or
// else from the well-known places (RFC 9728 section 3.1). An address or a document that
// cannot be used is passed over, because many servers have a wrong one and a right one. A
// resource older than RFC 9728 has no metadata; its authorization server is its own origin.
func (d *search) metadata(ctx context.Context, u *url.URL, address string) (*resource, error) {
	places := resourceURLs(u)
	var failed error // the first place that has something wrong
	if address != "" {
		named, err := d.challengeURL(u, address)
		if err != nil {
			failed = fmt.Errorf("the resource's metadata at %s, the address in its challenge: %w", quoted(address), err)
		} else {
			places = slices.DeleteFunc(places, func(place *url.URL) bool { return place.String() == named.String() })
			places = slices.Insert(places, 0, named)
		}
	}
	for _, place := range places {
		a, err := d.document(ctx, place)
		if a != nil {
			r := &resource{a.text([]string{"resource"}), a.list("authorization_servers"), a.list("scopes_supported")}
			if isAbout(r.id, u) {
				if len(r.servers) == 0 {
					r.servers = []string{origin(u)}
				}
				return r, nil
			}
			err = fmt.Errorf("the resource's metadata is about another resource, %s instead of %s", quoted(r.id), quoted(u.String()))
		}
		if err != nil && ctx.Err() != nil {
			return nil, err
		}
		if failed == nil {
			failed = err
		}
	}
	switch {
	case failed != nil:
		return nil, failed
	case address != "":
		return nil, fmt.Errorf("the resource's metadata is neither at %s, the address in its challenge, nor at its well-known address", quoted(address))
	}
	return &resource{id: u.String(), servers: []string{origin(u)}}, nil
}

// challengeURL reads the address in the challenge of the resource at u. It must be complete
// (RFC 9728 section 5.1), but some servers send a path.
func (d *search) challengeURL(u *url.URL, address string) (*url.URL, error) {
	named, err := u.Parse(address)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	return discoveredEndpoint(named.String(), d.trusted)
}

// resourceURLs returns the well-known places of a resource's metadata: that of RFC 9728
// section 3.1, which keeps a slash at the end of the path and the query, that without the
// slash, and that of the origin.
func resourceURLs(u *url.URL) []*url.URL {
	var places []*url.URL
	add := func(path, query string) {
		place := *u
		place.Path, place.RawPath, place.RawQuery, place.ForceQuery = "/.well-known/oauth-protected-resource"+path, "", query, false
		if unescaped, err := url.PathUnescape(place.Path); err == nil {
			place.Path, place.RawPath = unescaped, place.Path
		}
		if !slices.ContainsFunc(places, func(p *url.URL) bool { return p.String() == place.String() }) {
			places = append(places, &place)
		}
	}
	path := identifierPath(u)
	add(path, u.RawQuery)
	add(strings.TrimSuffix(path, "/"), u.RawQuery)
	add("", "")
	return places
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
	if err != nil || origin(r) != origin(u) || r.RawQuery != "" && r.RawQuery != u.RawQuery {
		return false
	}
	prefix := strings.TrimSuffix(r.EscapedPath(), "/")
	rest, ok := strings.CutPrefix(u.EscapedPath(), prefix)
	return ok && (rest == "" || rest[0] == '/')
}

// firstServer returns the metadata of the client's authorization server if it is among the
// issuers. Otherwise it returns those of the first server that announces PKCE, which MCP
// requires, or else of the first server whose metadata can be read.
func (d *search) firstServer(ctx context.Context, issuers []string) (*Server, error) {
	if own := d.Client.Issuer; own != "" {
		if i := slices.IndexFunc(issuers, func(issuer string) bool { return SameIssuer(issuer, own) }); i >= 0 {
			return d.server(ctx, issuers[i])
		}
	}
	var first *Server
	var failed []string
	var last error
	for _, issuer := range issuers[:min(len(issuers), maxServers)] {
		s, err := d.server(ctx, issuer)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, err
		case err != nil:
			failed, last = append(failed, err.Error()), err
		case s.announcesPKCE():
			return s, nil
		case first == nil:
			first = s
		}
	}
	switch {
	case first != nil:
		return first, nil
	case len(failed) == 1:
		return nil, last
	}
	return nil, errors.New(strings.Join(failed, "; "))
}
