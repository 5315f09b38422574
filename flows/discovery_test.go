package flows_test

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// newSite answers each path with its document, or 404.
func newSite(t *testing.T, documents map[string]string) *hostile {
	t.Helper()
	var h *hostile
	h = newHostile(t, func(w http.ResponseWriter, r *http.Request) {
		switch d := at(h, documents[r.URL.Path]); {
		case d == "":
			http.NotFound(w, r)
		case strings.HasPrefix(d, "401 "):
			w.Header().Set("WWW-Authenticate", d[4:])
			w.WriteHeader(401)
		case strings.HasPrefix(d, "302 "):
			redirects(302, d[4:])(w, r)
		default:
			says(200, d)(w, r)
		}
	})
	return h
}

func (h *hostile) paths() []string {
	var all []string
	for _, r := range h.requests() {
		all = append(all, r.path)
	}
	return all
}

const server = `"authorization_endpoint":"AT/a","token_endpoint":"AT/t","code_challenge_methods_supported":["S256"]`

// Mistake 38: OpenID before RFC 8414, no path insertion, no comparison of the
// issuer.
func TestDiscoverIssuer(t *testing.T) {
	const plain, oidc = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
	full := `{"issuer":"AT",` + server + `,"revocation_endpoint":"AT/r","device_authorization_endpoint":"AT/d","registration_endpoint":"AT/c","scopes_supported":["a"],
		"token_endpoint_auth_methods_supported":["none"],"authorization_response_iss_parameter_supported":true,"client_id_metadata_document_supported":true}`
	least := `{"issuer":"ISSUER","token_endpoint":"AT/t"}`
	for _, test := range []struct {
		name      string
		issuer    string
		documents map[string]string
		paths     []string
		want      *flows.Server // nil is an error
		err       error
	}{
		{"all of it", "AT", map[string]string{plain: full}, []string{plain}, &flows.Server{Issuer: "AT", AuthorizationURL: "AT/a", TokenURL: "AT/t", RevocationURL: "AT/r",
			DeviceURL: "AT/d", RegistrationURL: "AT/c", TokenAuth: []string{"none"}, Challenges: []string{"S256"}, IssuerInCallback: true, ClientMetadata: true}, nil},
		{"OpenID's place", "AT", map[string]string{oidc: least}, []string{plain, oidc}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
		{"with a path", "AT/x/y", map[string]string{plain + "/x/y": least}, []string{plain + "/x/y"}, &flows.Server{Issuer: "AT/x/y", TokenURL: "AT/t"}, nil},
		{"with a path, OpenID's first reading", "AT/x", map[string]string{oidc + "/x": least}, []string{plain + "/x", oidc + "/x"}, &flows.Server{Issuer: "AT/x", TokenURL: "AT/t"}, nil},
		{"with a path, OpenID's second reading", "AT/x/", map[string]string{"/x" + oidc: least}, []string{plain + "/x", oidc + "/x", "/x" + oidc}, &flows.Server{Issuer: "AT/x/", TokenURL: "AT/t"}, nil},
		{"another issuer, then the right one", "AT", map[string]string{plain: `{"issuer":"https://evil.example",` + server + `}`, oidc: least}, []string{plain, oidc}, &flows.Server{Issuer: "AT", TokenURL: "AT/t"}, nil},
		{"4: another issuer", "AT", map[string]string{plain: `{"issuer":"https://evil.example",` + server + `}`}, []string{plain, oidc}, nil, flows.ErrIssuer},
		{"4: an issuer with a slash", "AT", map[string]string{plain: `{"issuer":"AT/",` + server + `}`}, []string{plain, oidc}, nil, flows.ErrIssuer},
		{"4: no issuer", "AT", map[string]string{plain: `{` + server + `}`}, []string{plain, oidc}, nil, flows.ErrIssuer},
		{"nothing", "AT", nil, []string{plain, oidc}, nil, nil},
		{"a redirect", "AT", map[string]string{plain: "302 AT/elsewhere", "/elsewhere": full}, []string{plain, oidc}, nil, nil},
		{"a page", "AT", map[string]string{plain: "<html>"}, []string{plain, oidc}, nil, nil},
		{"no token endpoint", "AT", map[string]string{plain: `{"issuer":"AT","authorization_endpoint":"AT/a"}`}, []string{plain}, nil, nil},
		{"an endpoint in clear", "AT", map[string]string{plain: `{"issuer":"AT","token_endpoint":"http://acme.example/t"}`}, []string{plain}, nil, nil},
		{"a private endpoint", "AT", map[string]string{plain: `{"issuer":"AT","token_endpoint":"https://10.0.0.1/t"}`}, []string{plain}, nil, nil},
		{"the cloud's metadata", "AT", map[string]string{plain: `{"issuer":"AT","token_endpoint":"https://169.254.169.254/t"}`}, []string{plain}, nil, nil},
		{"this machine by another name", "AT", map[string]string{plain: `{"issuer":"AT","token_endpoint":"http://localhost:1/t"}`}, []string{plain}, nil, nil},
		{"this machine as an IPv6 address", "AT", map[string]string{plain: `{"issuer":"AT","token_endpoint":"https://[::ffff:127.0.0.2]/t"}`}, []string{plain}, nil, nil},
		{"a private page for the user", "AT", map[string]string{plain: `{"issuer":"AT","token_endpoint":"AT/t","authorization_endpoint":"https://192.168.1.1/reboot"}`}, []string{plain}, nil, nil},
		{"a program for the user", "AT", map[string]string{plain: `{"issuer":"AT","token_endpoint":"AT/t","authorization_endpoint":"javascript:alert(1)"}`}, []string{plain}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			documents := make(map[string]string)
			for path, d := range test.documents {
				documents[path] = strings.ReplaceAll(d, "ISSUER", test.issuer)
			}
			h := newSite(t, documents)
			c := h.config(t, `"discovery":"issuer","issuer":"`+test.issuer+`"`, "")
			found, err := c.Discover(t.Context())
			if !slices.Equal(h.paths(), test.paths) {
				t.Errorf("asked %q, want %q", h.paths(), test.paths)
			}
			if test.want == nil {
				if err == nil {
					t.Fatalf("found %+v", found.Server)
				}
				wantError(t, err, errOr(test.err, err))
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := *test.want
			for _, s := range []*string{&want.Issuer, &want.AuthorizationURL, &want.TokenURL, &want.DeviceURL, &want.RegistrationURL, &want.RevocationURL} {
				*s = at(h, *s)
			}
			if !reflect.DeepEqual(*found.Server, want) {
				t.Errorf("found %+v, want %+v", *found.Server, want)
			}
			if again, err := found.Discover(t.Context()); err != nil || again != found || len(h.requests()) != len(test.paths) {
				t.Errorf("asked again: %v", err)
			}
		})
	}
}

func errOr(want, got error) error {
	if want == nil {
		return got
	}
	return want
}

func TestDiscoveryThatIsDown(t *testing.T) {
	h := newHostile(t, says(503, ""))
	_, err := h.config(t, `"discovery":"issuer","issuer":"AT"`, "").Refresh(t.Context(), secret.New("the-refresh"), nil)
	tokenError(t, err, flows.Transient, "")
	if n := len(h.requests()); n != 1 {
		t.Errorf("%d requests", n)
	}
}

// A server of which nothing but its metadata is known is used as that says.
func TestDiscoveredServerIsUsed(t *testing.T) {
	for methods, want := range map[string]struct{ header, body string }{
		"":                        {"Basic aWQ6aHVzaC1zZWNyZXQ=", ""},
		`["client_secret_basic"]`: {"Basic aWQ6aHVzaC1zZWNyZXQ=", ""},
		`["client_secret_post"]`:  {"", "client_id=id\nclient_secret=hush-secret\n"},
		`["client_secret_post","client_secret_basic"]`: {"Basic aWQ6aHVzaC1zZWNyZXQ=", ""},
	} {
		document := `{"issuer":"AT","revocation_endpoint":"AT/r",` + server
		if methods != "" {
			document += `,"token_endpoint_auth_methods_supported":` + methods
		}
		h := newSite(t, map[string]string{"/.well-known/oauth-authorization-server": document + "}", "/t": goodToken, "/r": "{}"})
		c := h.config(t, `"discovery":"issuer","issuer":"AT","token_auth":"none"`, "")
		if _, err := c.AuthorizationURL("the-state", verifier, redirect, nil); !errors.Is(err, flows.ErrUnsupported) {
			t.Errorf("an address from nowhere: %v", err)
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

// A server of another name than the one at login gets neither the client nor the
// refresh token, even if the resource now says that it should.
func TestChangedServerGetsNothing(t *testing.T) {
	h := newSite(t, map[string]string{"/.well-known/oauth-authorization-server": `{"issuer":"AT",` + server + `}`, "/t": goodToken})
	c := h.config(t, `"discovery":"resource","resource":"AT/mcp"`, "")
	c.Client.Issuer = "https://was.example"
	_, err := refresh(t.Context(), c)
	wantError(t, err, flows.ErrClientIssuer)
	if slices.Contains(h.paths(), "/t") {
		t.Error("it got something")
	}
}
