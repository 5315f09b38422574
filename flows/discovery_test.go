package flows_test

import (
	"cmp"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// newSite returns a server that answers each path with its document, or with 404. A
// document can be "401 CHALLENGE", "302 ADDRESS" or "503". AT in it is replaced by the server's
// address.
func newSite(t *testing.T, documents map[string]string) *fakeServer {
	t.Helper()
	var h *fakeServer
	h = newFakeServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch d := withURL(h, documents[r.URL.Path]); {
		case d == "":
			http.NotFound(w, r)
		case strings.HasPrefix(d, "401 "):
			w.Header().Set("WWW-Authenticate", d[4:])
			w.WriteHeader(401)
		case strings.HasPrefix(d, "302 "), strings.HasPrefix(d, "308 "):
			redirectTo(map[string]int{"302": 302, "308": 308}[d[:3]], d[4:])(w, r)
		case d == "503":
			w.WriteHeader(503)
		default:
			respond(200, d)(w, r)
		}
	})
	return h
}

// paths returns the paths of the requests so far.
func (h *fakeServer) paths() []string {
	var all []string
	for _, r := range h.requests() {
		all = append(all, r.path)
	}
	return all
}

// serverMembers are members of the metadata of an authorization server.
const serverMembers = `"authorization_endpoint":"AT/a","token_endpoint":"AT/t","code_challenge_methods_supported":["S256"]`

// The well-known paths of metadata.
const (
	serverMetadata   = "/.well-known/oauth-authorization-server"
	openIDMetadata   = "/.well-known/openid-configuration"
	resourceMetadata = "/.well-known/oauth-protected-resource"
)

// Metadata of an issuer: all members that authsome reads, and the required ones.
const (
	fullMetadata = `{"issuer":"AT",` + serverMembers + `,"revocation_endpoint":"AT/r","device_authorization_endpoint":"AT/d","registration_endpoint":"AT/c","scopes_supported":["a"],
		"token_endpoint_auth_methods_supported":["none"],"authorization_response_iss_parameter_supported":true}`
	leastMetadata = `{"issuer":"ISSUER","token_endpoint":"AT/t"}`
)

// issuerSites are the documents of issuers and what discovery finds there. ISSUER in a
// document is replaced by the issuer.
var issuerSites = []struct {
	name      string
	issuer    string
	documents map[string]string
	paths     []string      // of the requests
	want      *flows.Server // nil means an error
	err       error         // nil means any error
}{
	{"all members", "AT", map[string]string{serverMetadata: fullMetadata}, []string{serverMetadata}, &flows.Server{Issuer: "AT", AuthorizationURL: "AT/a", TokenURL: "AT/t", RevocationURL: "AT/r",
		DeviceURL: "AT/d", RegistrationURL: "AT/c", TokenAuth: []string{"none"}, Challenges: []string{"S256"}, IssuerInCallback: true}, nil},
	{"OpenID configuration", "AT", map[string]string{openIDMetadata: leastMetadata}, []string{serverMetadata, openIDMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"issuer with a path", "AT/x/y", map[string]string{serverMetadata + "/x/y": leastMetadata}, []string{serverMetadata + "/x/y"}, &flows.Server{Issuer: "AT/x/y", TokenURL: "AT/t"}, nil},
	{"issuer with a path, OpenID configuration at the root", "AT/x", map[string]string{openIDMetadata + "/x": leastMetadata}, []string{serverMetadata + "/x", openIDMetadata + "/x"}, &flows.Server{Issuer: "AT/x", TokenURL: "AT/t"}, nil},
	{"issuer with a path, OpenID configuration under the path", "AT/x/", map[string]string{"/x" + openIDMetadata: leastMetadata}, []string{serverMetadata + "/x", openIDMetadata + "/x", "/x" + openIDMetadata}, &flows.Server{Issuer: "AT/x/", TokenURL: "AT/t"}, nil},
	{"another issuer, then the right one", "AT", map[string]string{serverMetadata: `{"issuer":"https://evil.example",` + serverMembers + `}`, openIDMetadata: leastMetadata}, []string{serverMetadata, openIDMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"another issuer", "AT", map[string]string{serverMetadata: `{"issuer":"https://evil.example",` + serverMembers + `}`}, []string{serverMetadata, openIDMetadata}, nil, flows.ErrIssuer},
	{"an empty path and a slash are the same", "AT", map[string]string{serverMetadata: `{"issuer":"AT/","token_endpoint":"AT/t"}`}, []string{serverMetadata}, &flows.Server{Issuer: "AT/", TokenURL: "AT/t"}, nil},
	{"a slash and an empty path are the same", "AT/", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"AT/t"}`}, []string{serverMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"a slash after a path makes another issuer", "AT/x", map[string]string{serverMetadata + "/x": `{"issuer":"AT/x/",` + serverMembers + `}`}, []string{serverMetadata + "/x", openIDMetadata + "/x", "/x" + openIDMetadata}, nil, flows.ErrIssuer},
	{"another path", "AT/x", map[string]string{serverMetadata + "/x": `{"issuer":"AT",` + serverMembers + `}`}, []string{serverMetadata + "/x", openIDMetadata + "/x", "/x" + openIDMetadata}, nil, flows.ErrIssuer},
	{"no issuer", "AT", map[string]string{serverMetadata: `{` + serverMembers + `}`}, []string{serverMetadata, openIDMetadata}, nil, flows.ErrIssuer},
	{"no documents", "AT", nil, []string{serverMetadata, openIDMetadata}, nil, nil},
	{"a redirect", "AT", map[string]string{serverMetadata: "302 AT/elsewhere", "/elsewhere": `{"issuer":"AT","token_endpoint":"AT/t"}`}, []string{serverMetadata, "/elsewhere"}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"a relative redirect", "AT", map[string]string{serverMetadata: "308 /a/b", "/a/b": "302 c#part", "/a/c": `{"issuer":"AT","token_endpoint":"AT/t"}`}, []string{serverMetadata, "/a/b", "/a/c"}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"a redirect to the metadata of another issuer", "AT", map[string]string{serverMetadata: "302 AT/elsewhere", "/elsewhere": `{"issuer":"AT/evil",` + serverMembers + `}`}, []string{serverMetadata, "/elsewhere", openIDMetadata}, nil, flows.ErrIssuer},
	{"a redirect to this machine by another name", "AT", map[string]string{serverMetadata: "302 http://localhost:1/x", openIDMetadata: "302 https://169.254.169.254/x"}, []string{serverMetadata, openIDMetadata}, nil, nil},
	{"a redirect to a private address, then the right document", "AT", map[string]string{serverMetadata: "302 https://10.0.0.1/x", openIDMetadata: leastMetadata}, []string{serverMetadata, openIDMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"a redirect without an address", "AT", map[string]string{serverMetadata: "302 ", openIDMetadata: leastMetadata}, []string{serverMetadata, openIDMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"a redirect to itself", "AT", map[string]string{serverMetadata: "302 AT" + serverMetadata, openIDMetadata: leastMetadata}, []string{serverMetadata, serverMetadata, serverMetadata, serverMetadata, serverMetadata, serverMetadata, openIDMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"a server error, then the right document", "AT", map[string]string{serverMetadata: "503", openIDMetadata: leastMetadata}, []string{serverMetadata, openIDMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"a byte order mark", "AT", map[string]string{serverMetadata: "\ufeff" + leastMetadata}, []string{serverMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
	{"unknown members, and one string instead of a list", "AT", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"AT/t/","x":{"y":[null]},"revocation_endpoint":null,"token_endpoint_auth_methods_supported":"client_secret_post","scopes_supported":7}`},
		[]string{serverMetadata}, &flows.Server{Issuer: "AT", TokenURL: "AT/t/", TokenAuth: []string{"client_secret_post"}}, nil},
	{"a web page", "AT", map[string]string{serverMetadata: "<html>"}, []string{serverMetadata, openIDMetadata}, nil, nil},
	{"no token endpoint", "AT", map[string]string{serverMetadata: `{"issuer":"AT","authorization_endpoint":"AT/a"}`}, []string{serverMetadata}, nil, nil},
	{"an http endpoint", "AT", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"http://acme.example/t"}`}, []string{serverMetadata}, nil, nil},
	{"a private endpoint", "AT", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"https://10.0.0.1/t"}`}, []string{serverMetadata}, nil, nil},
	{"the cloud's metadata service", "AT", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"https://169.254.169.254/t"}`}, []string{serverMetadata}, nil, nil},
	{"this machine by another name", "AT", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"http://localhost:1/t"}`}, []string{serverMetadata}, nil, nil},
	{"this machine as an IPv6 address", "AT", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"https://[::ffff:127.0.0.2]/t"}`}, []string{serverMetadata}, nil, nil},
	{"a private authorization endpoint", "AT", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"AT/t","authorization_endpoint":"https://192.168.1.1/reboot"}`}, []string{serverMetadata}, nil, nil},
	{"an authorization endpoint that is a script", "AT", map[string]string{serverMetadata: `{"issuer":"AT","token_endpoint":"AT/t","authorization_endpoint":"javascript:alert(1)"}`}, []string{serverMetadata}, nil, nil},
}

func TestDiscoverIssuer(t *testing.T) {
	for _, test := range issuerSites {
		t.Run(test.name, func(t *testing.T) {
			documents := make(map[string]string)
			for path, d := range test.documents {
				documents[path] = strings.ReplaceAll(d, "ISSUER", test.issuer)
			}
			h := newSite(t, documents)
			c := h.config(t, `"discovery":"issuer","issuer":"`+test.issuer+`"`, "")
			found, err := c.Discover(t.Context())
			if !slices.Equal(h.paths(), test.paths) {
				t.Errorf("requests %q, want %q", h.paths(), test.paths)
			}
			if test.want == nil {
				if err == nil {
					t.Fatalf("found %+v", found.Server)
				}
				wantError(t, err, cmp.Or(test.err, err))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := *test.want
			for _, s := range []*string{&want.Issuer, &want.AuthorizationURL, &want.TokenURL, &want.DeviceURL, &want.RegistrationURL, &want.RevocationURL} {
				*s = withURL(h, *s)
			}
			if !slices.Contains(found.Server.Endpoints, want.TokenURL) {
				t.Errorf("the token endpoint is not among the endpoints %q", found.Server.Endpoints)
			}
			want.Endpoints = found.Server.Endpoints
			if !reflect.DeepEqual(*found.Server, want) {
				t.Errorf("found %+v, want %+v", *found.Server, want)
			}
			if again, err := found.Discover(t.Context()); err != nil || again != found || len(h.requests()) != len(test.paths) {
				t.Errorf("a second discovery: %v", err)
			}
		})
	}
}

// Every endpoint of the metadata that takes or returns a secret is kept with the token, so
// that none of them gets a stored credential.
func TestDiscoveredEndpointsComeWithTheToken(t *testing.T) {
	h := newSite(t, map[string]string{serverMetadata: `{"issuer":"AT",` + serverMembers + `,"introspection_endpoint":"AT/i","pushed_authorization_request_endpoint":"AT/par",
		"backchannel_authentication_endpoint":"AT/ciba","userinfo_endpoint":"AT/userinfo","jwks_uri":"AT/jwks","registration_endpoint":"AT/c","odd_endpoint":7,
		"worse_endpoint":"%zz","mtls_endpoint_aliases":{"token_endpoint":"https://mtls.example/t"}}`, "/t": goodToken})
	token, err := h.config(t, `"discovery":"issuer","issuer":"AT"`, "").Refresh(t.Context(), secret.New("the-refresh"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, path := range []string{"/a", "/ciba", "/i", "/par", "/c", "/t"} {
		want = append(want, h.URL+path)
	}
	want = append(want, "https://mtls.example/t")
	if !slices.Equal(token.Endpoints, want) {
		t.Errorf("endpoints %q, want %q", token.Endpoints, want)
	}
}

func TestUnavailableDiscoveryIsTransient(t *testing.T) {
	h := newFakeServer(t, respond(503, ""))
	_, err := h.config(t, `"discovery":"issuer","issuer":"AT"`, "").Refresh(t.Context(), secret.New("the-refresh"), nil)
	wantTokenError(t, err, flows.Transient, "")
	if want := []string{serverMetadata, openIDMetadata}; !slices.Equal(h.paths(), want) {
		t.Errorf("requests %q, want %q", h.paths(), want)
	}
}

// A definition with only an issuer uses the endpoints and methods in the metadata.
func TestDiscoveredServerIsUsed(t *testing.T) {
	for methods, want := range map[string]struct{ header, body string }{
		"":                        {"Basic aWQ6aHVzaC1zZWNyZXQ=", ""},
		`["client_secret_basic"]`: {"Basic aWQ6aHVzaC1zZWNyZXQ=", ""},
		`["client_secret_post"]`:  {"", "client_id=id\nclient_secret=hush-secret\n"},
		`["client_secret_post","client_secret_basic"]`: {"Basic aWQ6aHVzaC1zZWNyZXQ=", ""},
	} {
		document := `{"issuer":"AT","revocation_endpoint":"AT/r",` + serverMembers
		if methods != "" {
			document += `,"token_endpoint_auth_methods_supported":` + methods
		}
		h := newSite(t, map[string]string{serverMetadata: document + "}", "/t": goodToken, "/r": "{}"})
		c := h.config(t, `"discovery":"issuer","issuer":"AT","token_auth":"none"`, "")
		if _, err := c.AuthorizationURL("the-state", verifier, redirect, nil); !errors.Is(err, flows.ErrUnsupported) {
			t.Errorf("an authorization URL without discovery: %v", err)
		}
		c, err := c.Discover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if u, err := c.AuthorizationURL("the-state", verifier, redirect, nil); err != nil || !strings.HasPrefix(u, h.URL+"/a?") {
			t.Errorf("%s, %v", u, err)
		}
		if _, err := refresh(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		got := h.requests()[1]
		if got.header.Get("Authorization") != want.header || got.body != want.body+"grant_type=refresh_token\nrefresh_token=the-refresh" {
			t.Errorf("%s: %s\n%s", methods, got.header.Get("Authorization"), got.body)
		}
		if err := c.Revoke(t.Context(), secret.String{}, secret.New("the-refresh")); err != nil || h.requests()[2].path != "/r" {
			t.Errorf("%v, %q", err, h.paths())
		}
	}
}

// If a resource names another authorization server than at the login, that server gets
// neither the client nor the refresh token.
func TestChangedServerGetsNothing(t *testing.T) {
	h := newSite(t, map[string]string{serverMetadata: `{"issuer":"AT",` + serverMembers + `}`, "/t": goodToken})
	c := h.config(t, `"discovery":"resource","resource":"AT/mcp"`, "")
	c.Client.Issuer = "https://was.example"
	_, err := refresh(t.Context(), c)
	wantError(t, err, flows.ErrClientIssuer)
	if slices.Contains(h.paths(), "/t") {
		t.Error("the token endpoint received a request")
	}
}

// While a document cannot be read, another place may name another server than the client's.
// That is not a reason to end a connection, as [flows.ErrClientIssuer] is.
func TestUnreadableDocumentDoesNotChangeTheServer(t *testing.T) {
	for name, documents := range map[string]map[string]string{
		"the resource is unavailable": {"/mcp": "503"},
		"the place of the document":   {resourceMetadata + "/mcp": "503"},
		"a redirect that is refused":  {resourceMetadata + "/mcp": "302 https://10.0.0.1/"},
	} {
		documents[resourceMetadata] = `{"resource":"AT","authorization_servers":["AT/other"]}`
		documents[serverMetadata+"/other"] = `{"issuer":"AT/other",` + serverMembers + `}`
		h := newSite(t, documents)
		c := h.mcp(t, "/mcp")
		c.Client = flows.Client{ID: "mine", Issuer: h.URL + "/as"}
		if _, err := c.Discover(t.Context()); err == nil || errors.Is(err, flows.ErrClientIssuer) {
			t.Errorf("%s: %v", name, err)
		}
		c.Client = flows.Client{} // a new login
		if found, err := c.Discover(t.Context()); err != nil || found.Server.Issuer != h.URL+"/other" {
			t.Errorf("%s: a login: %v", name, err)
		}
	}
}
