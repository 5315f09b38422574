package flows_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

const (
	wellKnown = "/.well-known/oauth-protected-resource"
	metadata  = "/.well-known/oauth-authorization-server"
)

// mcp is the generic provider, for the server at a path of the site.
func (h *hostile) mcp(t *testing.T, path string) *flows.Config {
	t.Helper()
	c := h.config(t, `"discovery":"resource","resource":"{url}"`, `"flows":["dcr_pkce"],"params":[{"name":"url"}]`)
	c.Values = map[string]secret.String{"url": secret.New(h.URL + path)}
	c.Client = flows.Client{}
	return c
}

func TestDiscoverResource(t *testing.T) {
	full := `{"issuer":"AT/as",` + server + `,"scopes_supported":["x","offline_access"]}`
	for _, test := range []struct {
		name      string
		url       string
		documents map[string]string
		paths     []string
		resource  string // "" is an error
		scopes    []string
		issuer    string
	}{
		{name: "the challenge says where", url: "/mcp",
			documents: map[string]string{"/mcp": `401 Bearer realm="x", resource_metadata="AT/meta", scope="s1 s2"`, "/meta": `{"resource":"AT/mcp","authorization_servers":["AT/as"],"scopes_supported":["all"]}`, metadata + "/as": full},
			paths:     []string{"/mcp", "/meta", metadata + "/as"}, resource: "AT/mcp", scopes: []string{"s1", "s2", "offline_access"}},
		{name: "the well-known place with the path", url: "/mcp",
			documents: map[string]string{"/mcp": `401 Bearer`, wellKnown + "/mcp": `{"resource":"AT/mcp","authorization_servers":["AT/as"],"scopes_supported":["all"]}`, metadata + "/as": full},
			paths:     []string{"/mcp", wellKnown + "/mcp", metadata + "/as"}, resource: "AT/mcp", scopes: []string{"all", "offline_access"}},
		{name: "the well-known place of the origin", url: "/mcp",
			documents: map[string]string{"/mcp": `401 Basic`, wellKnown: `{"resource":"AT","authorization_servers":["AT/as"]}`, metadata + "/as": full},
			paths:     []string{"/mcp", wellKnown + "/mcp", wellKnown, metadata + "/as"}, resource: "AT", scopes: []string{"offline_access"}},
		{name: "no challenge", url: "/mcp/",
			documents: map[string]string{wellKnown + "/mcp": `{"resource":"AT/mcp/","authorization_servers":["AT/as"]}`, metadata + "/as": full},
			paths:     []string{"/mcp/", wellKnown + "/mcp", metadata + "/as"}, resource: "AT/mcp/", scopes: []string{"offline_access"}},
		{name: "from before RFC 9728", url: "/mcp", documents: map[string]string{"/mcp": "401 Bearer", metadata: strings.ReplaceAll(full, "/as", "")},
			paths: []string{"/mcp", wellKnown + "/mcp", wellKnown, metadata}, resource: "AT/mcp", scopes: []string{"offline_access"}, issuer: "AT"},
		{name: "the second server", url: "",
			documents: map[string]string{wellKnown: `{"resource":"AT","authorization_servers":["AT/none","AT/as"]}`, metadata + "/as": full},
			paths:     []string{"/", wellKnown, metadata + "/none", "/.well-known/openid-configuration/none", "/none/.well-known/openid-configuration", metadata + "/as"},
			resource:  "AT", scopes: []string{"offline_access"}},
		{name: "another resource", url: "/mcp", documents: map[string]string{wellKnown + "/mcp": `{"resource":"https://evil.example/mcp","authorization_servers":["AT/as"]}`, metadata + "/as": full},
			paths: []string{"/mcp", wellKnown + "/mcp"}},
		{name: "a resource beside", url: "/mcp", documents: map[string]string{wellKnown + "/mcp": `{"resource":"AT/mc","authorization_servers":["AT/as"]}`, metadata + "/as": full},
			paths: []string{"/mcp", wellKnown + "/mcp"}},
		{name: "no resource", url: "/mcp", documents: map[string]string{wellKnown + "/mcp": `{"authorization_servers":["AT/as"]}`, metadata + "/as": full},
			paths: []string{"/mcp", wellKnown + "/mcp"}},
		{name: "metadata on a private host", url: "/mcp", documents: map[string]string{"/mcp": `401 Bearer resource_metadata="https://169.254.169.254/meta"`}, paths: []string{"/mcp"}},
		{name: "metadata in clear", url: "/mcp", documents: map[string]string{"/mcp": `401 Bearer resource_metadata="http://acme.example/meta"`}, paths: []string{"/mcp"}},
		{name: "a private server", url: "/mcp", documents: map[string]string{wellKnown + "/mcp": `{"resource":"AT/mcp","authorization_servers":["https://10.0.0.1"]}`}, paths: []string{"/mcp", wellKnown + "/mcp"}},
		{name: "metadata that is not where the challenge says", url: "/mcp", documents: map[string]string{"/mcp": `401 Bearer resource_metadata="AT/meta"`, wellKnown: `{"resource":"AT"}`}, paths: []string{"/mcp", "/meta"}},
		{name: "a server without PKCE", url: "/mcp",
			documents: map[string]string{wellKnown + "/mcp": `{"resource":"AT/mcp","authorization_servers":["AT/as"]}`, metadata + "/as": strings.ReplaceAll(full, `"S256"`, `"plain"`)},
			paths:     []string{"/mcp", wellKnown + "/mcp", metadata + "/as"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newSite(t, test.documents)
			found, err := h.mcp(t, test.url).Discover(t.Context())
			if !slices.Equal(h.paths(), test.paths) {
				t.Errorf("asked %q, want %q", h.paths(), test.paths)
			}
			if test.resource == "" {
				if err == nil {
					t.Fatalf("found %+v", found.Server)
				}
				noSecrets(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s := found.Server
			if test.issuer == "" {
				test.issuer = "AT/as"
			}
			if s.Resource != at(h, test.resource) || s.Issuer != at(h, test.issuer) || !slices.Equal(s.Scopes, test.scopes) {
				t.Errorf("resource %s, issuer %s, scopes %q", s.Resource, s.Issuer, s.Scopes)
			}
		})
	}
}

// An endless stream at the resource itself is not read.
func TestDiscoverResourceThatStreams(t *testing.T) {
	begun := make(chan struct{}, 1)
	var h *hostile
	h = newHostile(t, slow(begun), func(w http.ResponseWriter, r *http.Request) {
		says(200, at(h, `{"resource":"AT","authorization_servers":["AT"],"issuer":"AT",`+server+`}`))(w, r)
	})
	if _, err := h.mcp(t, "").Discover(t.Context()); err != nil {
		t.Error(err)
	}
}

// The whole way with a server that nobody has written a definition for.
func TestMCPLogin(t *testing.T) {
	h := newSite(t, map[string]string{
		"/mcp":             `401 Bearer resource_metadata="AT/meta", scope="s1"`,
		"/meta":            `{"resource":"AT/mcp","authorization_servers":["AT/as"]}`,
		metadata + "/as":   `{"issuer":"AT/as",` + server + `,"registration_endpoint":"AT/register","authorization_response_iss_parameter_supported":true}`,
		"/register":        `{"client_id":"new","token_endpoint_auth_method":"none"}`,
		"/t":               goodToken,
		"/elsewhere/token": goodToken,
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
	// Another login has a client already.
	again := h.mcp(t, "/mcp")
	again.Client = c.Client
	before := len(h.requests())
	if client, err := again.ObtainClient(t.Context(), []string{redirect}, nil); err != nil || client.ID != "new" {
		t.Errorf("%+v, %v", client, err)
	}
	if slices.Contains(h.paths()[before:], "/register") {
		t.Error("registered again")
	}
}

// Pre-registered, then our metadata document, then RFC 7591, then the user.
func TestObtainClient(t *testing.T) {
	const register = `,"registration_endpoint":"AT/register"`
	const cimd = `,"client_id_metadata_document_supported":true`
	const document = "https://authsome.example/client.json"
	for _, test := range []struct {
		name     string
		metadata string
		url      string
		client   flows.Client
		want     string // "" is ErrNoClient
	}{
		{"the user's", register + cimd, document, flows.Client{ID: "mine"}, "mine"},
		{"the user's, kept for this server", register, "", flows.Client{ID: "mine", Issuer: "AT"}, "mine"},
		{"the user's, kept for this resource", register, "", flows.Client{ID: "mine", Issuer: "AT/mcp"}, "mine"},
		{"another server's", register, "", flows.Client{ID: "old", Issuer: "https://was.example"}, "new"},
		{"36: with a secret that has ended", register, "", flows.Client{ID: "old", SecretExpiresAt: noon}, "new"},
		{"registered for another redirect", register, "", flows.Client{ID: "old", RedirectURIs: []string{"http://127.0.0.1:6/cb"}}, "new"},
		{"metadata document", register + cimd, document, flows.Client{}, document},
		{"metadata document that the server does not take", register, document, flows.Client{}, "new"},
		{"no metadata document", register + cimd, "", flows.Client{}, "new"},
		{"none", cimd, "", flows.Client{}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newSite(t, map[string]string{metadata: `{"issuer":"AT",` + server + test.metadata + `}`, "/register": `{"client_id":"new"}`})
			c := h.mcp(t, "/mcp")
			c.ClientMetadataURL = test.url
			c.Client = test.client
			c.Client.Issuer = at(h, c.Client.Issuer)
			client, err := c.ObtainClient(t.Context(), []string{redirect}, nil)
			if test.want == "" {
				wantError(t, err, flows.ErrNoClient)
				return
			}
			if err != nil || client.ID != test.want {
				t.Errorf("client %q, %v; want %q", client.ID, err, test.want)
			}
			if test.want == document && (client.TokenAuth != "none" || client.Issuer != h.URL) {
				t.Errorf("client %+v", client)
			}
		})
	}
}
