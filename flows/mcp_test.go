package flows_test

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// mcp returns a client of the generic MCP provider for the server at a path of the site.
func (h *fakeServer) mcp(t *testing.T, path string) *flows.Config {
	t.Helper()
	c := h.config(t, `"discovery":"resource","resource":"{url}"`, `"flows":["dcr_pkce"],"params":[{"name":"url"}]`)
	c.Values = map[string]secret.String{"url": secret.New(h.URL + path)}
	c.Client = flows.Client{}
	return c
}

// resourceServer is the metadata of the authorization server AT/as.
const resourceServer = `{"issuer":"AT/as",` + serverMembers + `,"scopes_supported":["x","offline_access"]}`

// resourceSites are the documents of resources and what discovery finds there.
var resourceSites = []struct {
	name      string
	url       string
	documents map[string]string
	paths     []string // of the requests
	resource  string   // empty means an error
	scopes    []string
	issuer    string // AT/as if empty
	why       string // part of the error
}{
	{name: "metadata address in the challenge", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer realm="x", resource_metadata="AT/meta", scope="s1 s2"`, "/meta": `{"resource":"AT/mcp","authorization_servers":["AT/as"],"scopes_supported":["all"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", "/meta", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"s1", "s2", "offline_access"}},
	{name: "well-known path with the resource's path", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer`, resourceMetadata + "/mcp": `{"resource":"AT/mcp","authorization_servers":["AT/as"],"scopes_supported":["all"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"all", "offline_access"}},
	{name: "well-known path of the origin", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Basic`, resourceMetadata: `{"resource":"AT","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", resourceMetadata + "/mcp", resourceMetadata, serverMetadata + "/as"}, resource: "AT", scopes: []string{"offline_access"}},
	{name: "no challenge", url: "/mcp",
		documents: map[string]string{resourceMetadata + "/mcp": `{"resource":"AT/mcp","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "the slash at the end is kept", url: "/mcp/",
		documents: map[string]string{resourceMetadata + "/mcp/": `{"resource":"AT/mcp/","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp/", resourceMetadata + "/mcp/", serverMetadata + "/as"}, resource: "AT/mcp/", scopes: []string{"offline_access"}},
	{name: "a server that removes the slash", url: "/mcp/",
		documents: map[string]string{resourceMetadata + "/mcp": `{"resource":"AT/mcp","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp/", resourceMetadata + "/mcp/", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "only a slash after the host", url: "/",
		documents: map[string]string{resourceMetadata: `{"resource":"AT","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/", resourceMetadata, serverMetadata + "/as"}, resource: "AT", scopes: []string{"offline_access"}},
	{name: "escapes are kept", url: "/a%2Fb%20c",
		documents: map[string]string{resourceMetadata + "/a/b c": `{"resource":"AT/a%2Fb%20c","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/a/b c", resourceMetadata + "/a/b c", serverMetadata + "/as"}, resource: "AT/a%2Fb%20c", scopes: []string{"offline_access"}},
	{name: "server older than RFC 9728", url: "/mcp", documents: map[string]string{"/mcp": "401 Bearer", serverMetadata: strings.ReplaceAll(resourceServer, "/as", "")},
		paths: []string{"/mcp", resourceMetadata + "/mcp", resourceMetadata, serverMetadata}, resource: "AT/mcp", scopes: []string{"offline_access"}, issuer: "AT"},
	{name: "second authorization server", url: "",
		documents: map[string]string{resourceMetadata: `{"resource":"AT","authorization_servers":["AT/none","AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/", resourceMetadata, serverMetadata + "/none", "/.well-known/openid-configuration/none", "/none/.well-known/openid-configuration", serverMetadata + "/as"},
		resource:  "AT", scopes: []string{"offline_access"}},
	{name: "another resource", url: "/mcp", documents: map[string]string{resourceMetadata + "/mcp": `{"resource":"https://evil.example/mcp","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths: mcpPlaces, why: `is about another resource, "https://evil.example/mcp" instead of "AT/mcp"`},
	{name: "another resource, then the right one", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer resource_metadata="AT/meta"`, "/meta": `{"resource":"https://evil.example/mcp","authorization_servers":["AT/evil"]}`, resourceMetadata + "/mcp": rightMetadata, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", "/meta", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "a resource whose path is a prefix of the name", url: "/mcp", documents: map[string]string{resourceMetadata + "/mcp": `{"resource":"AT/mc","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths: mcpPlaces},
	{name: "no resource", url: "/mcp", documents: map[string]string{resourceMetadata + "/mcp": `{"authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths: mcpPlaces},
	{name: "private authorization server", url: "/mcp", documents: map[string]string{resourceMetadata + "/mcp": `{"resource":"AT/mcp","authorization_servers":["https://10.0.0.1"]}`}, paths: []string{"/mcp", resourceMetadata + "/mcp"}},
	{name: "metadata on a private host", url: "/mcp", documents: map[string]string{"/mcp": `401 Bearer resource_metadata="https://169.254.169.254/meta"`}, paths: mcpPlaces, why: `at "https://169.254.169.254/meta", the address in its challenge: `},
	{name: "metadata over http", url: "/mcp", documents: map[string]string{"/mcp": `401 Bearer resource_metadata="http://acme.example/meta"`}, paths: mcpPlaces, why: `at "http://acme.example/meta", the address in its challenge: not an https URL`},
	{name: "metadata over http, then the right document", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer resource_metadata="http://acme.example/meta", scope="s1"`, resourceMetadata + "/mcp": rightMetadata, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"s1", "offline_access"}},
	{name: "a relative address", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer resource_metadata="/meta"`, "/meta": rightMetadata, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", "/meta", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "a relative address without a document", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer resource_metadata="undefined/meta"`, resourceMetadata + "/mcp": rightMetadata, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", "/undefined/meta", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "no document at the address in the challenge", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer resource_metadata="AT/meta"`, resourceMetadata: `{"resource":"AT","authorization_servers":["AT/as"]}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", "/meta", resourceMetadata + "/mcp", resourceMetadata, serverMetadata + "/as"}, resource: "AT", scopes: []string{"offline_access"}},
	{name: "no document anywhere, though the challenge has an address", url: "/mcp", documents: map[string]string{"/mcp": `401 Bearer resource_metadata="AT/meta"`, serverMetadata: fullMetadata},
		paths: []string{"/mcp", "/meta", resourceMetadata + "/mcp", resourceMetadata}, why: `neither at "AT/meta", the address in its challenge, nor at its well-known address`},
	{name: "the address in the challenge is the well-known one", url: "/mcp", documents: map[string]string{"/mcp": `401 Bearer resource_metadata="AT` + resourceMetadata + `/mcp"`, resourceMetadata + "/mcp": "503"},
		paths: mcpPlaces, why: `/.well-known/oauth-protected-resource/mcp": the endpoint answered with an error (status 503)`},
	{name: "a server error at the address in the challenge", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer resource_metadata="AT/meta"`, "/meta": "503", resourceMetadata + "/mcp": rightMetadata, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", "/meta", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "an address that cannot be reached", url: "/mcp",
		documents: map[string]string{"/mcp": `401 Bearer resource_metadata="http://127.0.0.1:1/meta"`, resourceMetadata + "/mcp": rightMetadata, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "a redirect", url: "/mcp",
		documents: map[string]string{resourceMetadata + "/mcp": "302 /moved", "/moved": rightMetadata, serverMetadata + "/as": "308 AT/moved-too", "/moved-too": resourceServer},
		paths:     []string{"/mcp", resourceMetadata + "/mcp", "/moved", serverMetadata + "/as", "/moved-too"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "an authorization server that announces no PKCE, then one that does", url: "/mcp",
		documents: map[string]string{resourceMetadata + "/mcp": `{"resource":"AT/mcp","authorization_servers":["AT/old","AT/as"]}`, serverMetadata + "/old": `{"issuer":"AT/old","token_endpoint":"AT/t"}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", resourceMetadata + "/mcp", serverMetadata + "/old", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
	{name: "authorization servers that fail", url: "/mcp",
		documents: map[string]string{resourceMetadata + "/mcp": `{"resource":"AT/mcp","authorization_servers":["http://acme.example","nonsense"]}`},
		paths:     []string{"/mcp", resourceMetadata + "/mcp"}, why: `invalid issuer "http://acme.example": not an https URL; invalid issuer "nonsense": not an https URL`},
	{name: "one authorization server that is not in a list", url: "/mcp",
		documents: map[string]string{resourceMetadata + "/mcp": `{"resource":"AT/mcp","authorization_servers":"AT/as"}`, serverMetadata + "/as": resourceServer},
		paths:     []string{"/mcp", resourceMetadata + "/mcp", serverMetadata + "/as"}, resource: "AT/mcp", scopes: []string{"offline_access"}},
}

// rightMetadata is the metadata of the resource AT/mcp, and mcpPlaces are the requests for
// it if no place has a document.
const rightMetadata = `{"resource":"AT/mcp","authorization_servers":["AT/as"]}`

var mcpPlaces = []string{"/mcp", resourceMetadata + "/mcp", resourceMetadata}

func TestDiscoverResource(t *testing.T) {
	for _, test := range resourceSites {
		t.Run(test.name, func(t *testing.T) {
			h := newSite(t, test.documents)
			found, err := h.mcp(t, test.url).Discover(t.Context())
			if !slices.Equal(h.paths(), test.paths) {
				t.Errorf("requests %q, want %q", h.paths(), test.paths)
			}
			if test.resource == "" {
				if err == nil {
					t.Fatalf("found %+v", found.Server)
				}
				if !strings.Contains(err.Error(), withURL(h, test.why)) {
					t.Errorf("error %v, want %q", err, test.why)
				}
				noSecrets(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := found.Server
			if s.Resource != withURL(h, test.resource) || s.Issuer != withURL(h, cmp.Or(test.issuer, "AT/as")) || !slices.Equal(s.Scopes, test.scopes) {
				t.Errorf("resource %s, issuer %s, scopes %q", s.Resource, s.Issuer, s.Scopes)
			}
		})
	}
}

// The body of the resource, which may be an endless stream, is not read.
func TestDiscoverStreamingResource(t *testing.T) {
	begun := make(chan struct{}, 1)
	var h *fakeServer
	h = newFakeServer(t, respondForever(begun), func(w http.ResponseWriter, r *http.Request) {
		respond(200, withURL(h, `{"resource":"AT","authorization_servers":["AT"],"issuer":"AT",`+serverMembers+`}`))(w, r)
	})
	if _, err := h.mcp(t, "").Discover(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestMCPLogin makes a complete login at a server that is known only by its address.
func TestMCPLogin(t *testing.T) {
	h := newSite(t, map[string]string{
		"/mcp":                 `401 Bearer resource_metadata="AT/meta", scope="s1"`,
		"/meta":                `{"resource":"AT/mcp","authorization_servers":["AT/as"]}`,
		serverMetadata + "/as": `{"issuer":"AT/as",` + serverMembers + `,"registration_endpoint":"AT/register","authorization_response_iss_parameter_supported":true}`,
		"/register":            `{"client_id":"new","token_endpoint_auth_method":"none"}`,
		"/t":                   goodToken,
		"/elsewhere/token":     goodToken,
	})
	c, err := h.mcp(t, "/mcp").Discover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.Client, err = c.ObtainClient(t.Context(), []string{redirect}, nil); err != nil {
		t.Fatal(err)
	}
	if c.Client.ID != "new" || c.Client.Issuer != h.URL+"/as" {
		t.Errorf("client %+v", c.Client)
	}
	address, err := c.AuthorizationURL("the-state", verifier, redirect, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Path != "/a" || u.Query().Get("resource") != h.URL+"/mcp" || u.Query().Get("scope") != "s1" || u.Query().Get("client_id") != "new" {
		t.Errorf("%s", address)
	}
	_, err = c.Exchange(t.Context(), secret.New("the-code"), verifier, redirect, url.Values{"iss": {"https://evil.example"}})
	wantError(t, err, flows.ErrIssuer)
	if _, err = c.Exchange(t.Context(), secret.New("the-code"), verifier, redirect, url.Values{"iss": {h.URL + "/as"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := refresh(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	seen := h.requests()
	for _, r := range seen[len(seen)-2:] {
		if r.path != "/t" || !strings.Contains(r.body, "client_id=new\n") || !strings.HasSuffix(r.body, "resource="+h.URL+"/mcp") {
			t.Errorf("%s\n%s", r.path, r.body)
		}
	}
	// The next login uses the same client.
	next := h.mcp(t, "/mcp")
	next.Client = c.Client
	before := len(h.requests())
	if client, err := next.ObtainClient(t.Context(), []string{redirect}, nil); err != nil || client.ID != "new" {
		t.Errorf("%+v, %v", client, err)
	}
	if slices.Contains(h.paths()[before:], "/register") {
		t.Error("registered again")
	}
}

// The stored client is preferred, then a registration, then the user must register one.
func TestObtainClient(t *testing.T) {
	const register = `,"registration_endpoint":"AT/register"`
	for _, test := range []struct {
		name     string
		metadata string
		client   flows.Client
		want     string // empty means ErrNoClient
	}{
		{"the user's client", register, flows.Client{ID: "mine"}, "mine"},
		{"the user's client, stored for this server", register, flows.Client{ID: "mine", Issuer: "AT"}, "mine"},
		{"the user's client, stored for this resource", register, flows.Client{ID: "mine", Issuer: "AT/mcp"}, "mine"},
		{"another server's client", register, flows.Client{ID: "old", Issuer: "https://was.example"}, "new"},
		{"a client with an expired secret", register, flows.Client{ID: "old", SecretExpiresAt: noon}, "new"},
		{"a client registered for another redirect", register, flows.Client{ID: "old", RedirectURIs: []string{"http://127.0.0.1:6/cb"}}, "new"},
		{"no client", register, flows.Client{}, "new"},
		{"no client and no registration", "", flows.Client{}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newSite(t, map[string]string{serverMetadata: `{"issuer":"AT",` + serverMembers + test.metadata + `}`, "/register": `{"client_id":"new"}`})
			c := h.mcp(t, "/mcp")
			c.Client = test.client
			c.Client.Issuer = withURL(h, c.Client.Issuer)
			client, err := c.ObtainClient(t.Context(), []string{redirect}, nil)
			if test.want == "" {
				wantError(t, err, flows.ErrNoClient)
				return
			}
			if err != nil || client.ID != test.want {
				t.Errorf("client %q, %v; want %q", client.ID, err, test.want)
			}
		})
	}
}
