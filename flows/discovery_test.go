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
// document can be "401 CHALLENGE" or "302 ADDRESS". AT in it is replaced by the server's
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
		case strings.HasPrefix(d, "302 "):
			redirectTo(302, d[4:])(w, r)
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
	{"the issuer has an additional slash", "AT", map[string]string{serverMetadata: `{"issuer":"AT/",` + serverMembers + `}`}, []string{serverMetadata, openIDMetadata}, nil, flows.ErrIssuer},
	{"no issuer", "AT", map[string]string{serverMetadata: `{` + serverMembers + `}`}, []string{serverMetadata, openIDMetadata}, nil, flows.ErrIssuer},
	{"no documents", "AT", nil, []string{serverMetadata, openIDMetadata}, nil, nil},
	{"a redirect", "AT", map[string]string{serverMetadata: "302 AT/elsewhere", "/elsewhere": fullMetadata}, []string{serverMetadata, openIDMetadata}, nil, nil},
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
	if n := len(h.requests()); n != 1 {
		t.Errorf("%d requests", n)
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
