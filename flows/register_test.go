package flows_test

import (
	"encoding/json"
	"net/http"
	"reflect"
	"testing"
	"time"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

func TestRegister(t *testing.T) {
	const metadata = `{"client_name":"authsome","application_type":"native","grant_types":["authorization_code","refresh_token"],"redirect_uris":["` + redirect +
		`"],"response_types":["code"],"software_id":"authsome"`
	uris := []string{redirect}
	for _, test := range []struct {
		name   string
		oauth  string
		scopes []string
		answer string
		want   flows.Client
		secret string
		token  string
		sent   string
	}{
		{name: "a public, native client", answer: `{"client_id":"new"}`, want: flows.Client{ID: "new", TokenAuth: "none", RedirectURIs: uris},
			sent: metadata + `,"token_endpoint_auth_method":"none"}`},
		{name: "scopes", oauth: `"scopes":["a","b"],"scope_separator":","`, answer: `{"client_id":"new"}`, want: flows.Client{ID: "new", TokenAuth: "none", RedirectURIs: uris},
			sent: metadata + `,"token_endpoint_auth_method":"none","scope":"a b"}`},
		{name: "no scopes", oauth: `"scopes":["a","b"]`, scopes: []string{}, answer: `{"client_id":"new"}`, want: flows.Client{ID: "new", TokenAuth: "none", RedirectURIs: uris},
			sent: metadata + `,"token_endpoint_auth_method":"none"}`},
		{name: "the definition's method", oauth: `"token_auth":"basic"`, answer: `{"client_id":"new","client_secret":"registration-secret"}`, secret: "registration-secret",
			want: flows.Client{ID: "new", TokenAuth: "basic", RedirectURIs: uris}, sent: metadata + `,"token_endpoint_auth_method":"client_secret_basic"}`},
		{name: "the answer overrides the request",
			answer: `{"client_id":"new","client_secret":"registration-secret","client_secret_expires_at":1795525200,"token_endpoint_auth_method":"client_secret_post",
				"redirect_uris":["http://127.0.0.1/other"],"scope":"a c","registration_client_uri":"AT/clients/new","registration_access_token":"hush-client"}`,
			secret: "registration-secret", token: "hush-client",
			want: flows.Client{ID: "new", TokenAuth: "post", RedirectURIs: []string{"http://127.0.0.1/other"}, Scopes: []string{"a", "c"},
				SecretExpiresAt: noon.Add(time.Hour), RegistrationURL: "AT/clients/new"},
			sent: metadata + `,"token_endpoint_auth_method":"none"}`},
		{name: "a secret that does not expire", answer: `{"client_id":"new","client_secret":"registration-secret","client_secret_expires_at":0}`, secret: "registration-secret",
			want: flows.Client{ID: "new", TokenAuth: "basic", RedirectURIs: uris}, sent: metadata + `,"token_endpoint_auth_method":"none"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var h *fakeServer
			h = newFakeServer(t, func(w http.ResponseWriter, r *http.Request) { respond(201, withURL(h, test.answer))(w, r) })
			oauth := `"registration_url":"AT/register"`
			if test.oauth != "" {
				oauth += "," + test.oauth
			}
			client, err := h.config(t, oauth, "").Register(t.Context(), []string{redirect}, test.scopes)
			if err != nil {
				t.Fatal(err)
			}
			if client.Secret.Reveal() != test.secret || client.RegistrationToken.Reveal() != test.token {
				t.Errorf("secret %q, registration token %q", client.Secret.Reveal(), client.RegistrationToken.Reveal())
			}
			client.Secret, client.RegistrationToken = secret.String{}, secret.String{}
			test.want.Issuer = h.URL + "/token"
			test.want.RegistrationURL = withURL(h, test.want.RegistrationURL)
			if !reflect.DeepEqual(client, test.want) {
				t.Errorf("client %+v, want %+v", client, test.want)
			}
			got := h.requests()[0]
			var sent, want map[string]any
			if json.Unmarshal([]byte(got.body), &sent) != nil || json.Unmarshal([]byte(test.sent), &want) != nil || !reflect.DeepEqual(sent, want) {
				t.Errorf("sent %s, want %s", got.body, test.sent)
			}
			if got.path != "/register" || got.method != "POST" || got.header.Get("Content-Type") != "application/json" || got.header.Get("Authorization") != "" {
				t.Errorf("%s %s %v", got.method, got.path, got.header)
			}
		})
	}
}

// The authentication method depends on the definition and on what the server supports.
func TestRegistrationAuthMethod(t *testing.T) {
	for _, test := range []struct{ defined, offered, want string }{
		{"", "", "none"},
		{"none", "", "none"},
		{"none", `["client_secret_basic","client_secret_post"]`, "client_secret_basic"},
		{"", `["client_secret_post"]`, "client_secret_post"},
		{"", `["client_secret_basic","none"]`, "none"},
		{"basic", `["client_secret_basic","none"]`, "client_secret_basic"},
		{"basic", `["none"]`, "none"},
		{"post", "", "client_secret_post"},
		{"", `["private_key_jwt"]`, "none"},
	} {
		document := `{"issuer":"AT","registration_endpoint":"AT/register",` + serverMembers
		if test.offered != "" {
			document += `,"token_endpoint_auth_methods_supported":` + test.offered
		}
		h := newSite(t, map[string]string{serverMetadata: document + "}", "/register": `{"client_id":"new"}`})
		oauth := `"discovery":"issuer","issuer":"AT"`
		if test.defined != "" {
			oauth += `,"token_auth":"` + test.defined + `"`
		}
		if _, err := h.config(t, oauth, "").Register(t.Context(), []string{redirect}, nil); err != nil {
			t.Fatal(err)
		}
		var sent map[string]any
		if err := json.Unmarshal([]byte(h.requests()[1].body), &sent); err != nil || sent["token_endpoint_auth_method"] != test.want {
			t.Errorf("%+v: %v, %v", test, sent, err)
		}
	}
}

func TestRegisterErrors(t *testing.T) {
	for _, test := range []struct {
		name        string
		answer      handler
		kind        flows.Kind
		code        string
		description string
	}{
		{"refused with a description", respond(400, `{"error":"invalid_redirect_uri","error_description":"no loopback"}`), flows.Permanent, "invalid_redirect_uri", "no loopback"},
		{"registration needs a token", respond(401, `{"error":"invalid_token"}`), flows.Permanent, "invalid_token", ""},
		{"no client id", respond(201, `{"client_secret":"registration-secret"}`), flows.Protocol, "", ""},
		{"a management address on a private host", respond(201, `{"client_id":"new","registration_client_uri":"http://169.254.169.254/","registration_access_token":"hush-client"}`), flows.Protocol, "", ""},
		{"connection closed", hangUp, flows.Ambiguous, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, test.answer)
			_, err := h.config(t, `"registration_url":"AT/register"`, "").Register(t.Context(), []string{redirect}, nil)
			if e := wantTokenError(t, err, test.kind, test.code); e.Description != test.description {
				t.Errorf("description %q", e.Description)
			}
		})
	}
	_, err := newFakeServer(t, respond(500, "")).config(t, "", "").Register(t.Context(), []string{redirect}, nil)
	wantError(t, err, flows.ErrUnsupported)
}

func TestDeregister(t *testing.T) {
	h := newFakeServer(t, respond(204, ""), respond(401, `{"error":"invalid_token"}`), hangUp)
	c := h.config(t, "", "")
	wantError(t, c.Deregister(t.Context()), flows.ErrNotManaged)
	c.Client.RegistrationURL, c.Client.RegistrationToken = h.URL+"/clients/new", secret.New("hush-client")
	if err := c.Deregister(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := h.requests()[0]
	if got.method != "DELETE" || got.path != "/clients/new" || got.header.Get("Authorization") != "Bearer hush-client" {
		t.Errorf("%s %s %v", got.method, got.path, got.header)
	}
	wantTokenError(t, c.Deregister(t.Context()), flows.Permanent, "invalid_token")
	wantTokenError(t, c.Deregister(t.Context()), flows.Transient, "")
	c.Client.RegistrationURL = "https://10.0.0.1/clients/new"
	noSecrets(t, c.Deregister(t.Context()))
	if n := len(h.requests()); n != 3 {
		t.Errorf("%d requests", n)
	}
}

func TestClientUsable(t *testing.T) {
	for _, test := range []struct {
		client flows.Client
		want   bool
	}{
		{flows.Client{}, false},
		{flows.Client{ID: "id"}, true},
		{flows.Client{ID: "id", RedirectURIs: []string{"x", redirect}}, true},
		{flows.Client{ID: "id", RedirectURIs: []string{redirect + "/"}}, false},
		{flows.Client{ID: "id", SecretExpiresAt: noon.Add(1)}, true},
		{flows.Client{ID: "id", SecretExpiresAt: noon}, false},
	} {
		if got := test.client.Usable(redirect, noon); got != test.want {
			t.Errorf("%+v: %t", test.client, got)
		}
	}
}
