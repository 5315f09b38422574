package flows_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// pythonConfig is a definition of schema 1, without a client.
func pythonConfig(t *testing.T, h *fakeServer, rest string) *flows.Config {
	t.Helper()
	d, err := providers.Parse([]byte(strings.ReplaceAll(`{"name":"Acme","display_name":"Acme","auth_type":"oauth2","host_url":"api.acme.example",`+rest+`}`, "AT", h.URL)))
	if err != nil {
		t.Fatal(err)
	}
	return &flows.Config{Definition: d}
}

// The device flow of Postiz has no client, and its polls are JSON with the code alone.
func TestDeviceCodeAsJSONWithoutAClient(t *testing.T) {
	h := newFakeServer(t, respond(200, `{"device_code":"device-secret","user_code":"WDJB","verification_uri":"https://acme.example/device","interval":0.01}`),
		respond(400, `{"error":"authorization_pending"}`), respond(200, goodToken), respond(200, goodToken))
	c := pythonConfig(t, h, `"flow":"device_code","oauth":{"authorization_url":"AT/a","token_url":"AT/token","device_authorization_url":"AT/device","device_token_request":"json","scopes":["x"]}`)
	d, err := c.DeviceAuthorize(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.DevicePoll(t.Context(), d)
	if err != nil || token.AccessToken.Reveal() != "a" {
		t.Fatalf("%v, %v", token, err)
	}
	if _, err := c.Refresh(t.Context(), secret.New("r"), nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range h.requests() {
		got = append(got, r.path+" "+r.header.Get("Content-Type")+" "+r.body)
		if r.header.Get("Authorization") != "" || r.header.Get("Accept") != "application/json" {
			t.Errorf("headers %v", r.header)
		}
	}
	want := []string{
		"/device application/x-www-form-urlencoded scope=x", `/token application/json {"device_code":"device-secret"}`, `/token application/json {"device_code":"device-secret"}`,
		"/token application/x-www-form-urlencoded grant_type=refresh_token\nrefresh_token=r",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// The client of a device flow of schema 1 is optional, and that of another definition is not.
func TestDeviceFlowWithoutAClient(t *testing.T) {
	h := newFakeServer(t, respond(200, `{"device_code":"d","user_code":"W","verification_uri":"https://acme.example/device"}`), respond(200, goodToken))
	c := pythonConfig(t, h, `"flow":"device_code","oauth":{"authorization_url":"AT/a","token_url":"AT/token","device_authorization_url":"AT/device"}`)
	d, err := c.DeviceAuthorize(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Interval = 1
	if _, err := c.DevicePoll(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got := h.requests()[1].body; got != "device_code=d\ngrant_type=urn:ietf:params:oauth:grant-type:device_code" {
		t.Errorf("poll %s", got)
	}
	strict := h.config(t, `"device_authorization_url":"AT/device"`, "")
	strict.Client = flows.Client{}
	_, err = strict.DeviceAuthorize(t.Context(), nil)
	wantError(t, err, flows.ErrNoClient)
}

// Where clients are registered is asked at the host of the authorization endpoint. Nothing
// else of the answer is used.
func TestRegistrationEndpointIsDiscovered(t *testing.T) {
	page := respondAs("text/html", 200, "<html>")
	found := `{"issuer":"AT/","authorization_endpoint":"https://evil.example/a","token_endpoint":"https://evil.example/t","registration_endpoint":"AT/register","token_endpoint_auth_methods_supported":["client_secret_post"]}`
	registered := respond(201, `{"client_id":"new","client_secret":"hush-client"}`)
	const rest = `"flow":"dcr_pkce","oauth":{"authorization_url":"AT/x/authorize?a=b","token_url":"AT/token"}`
	for _, tt := range []struct {
		name    string
		answers []handler
		body    string // of the document
		paths   string
		err     error
	}{
		{name: "OpenID", paths: "/.well-known/openid-configuration /register"},
		{name: "RFC 8414", answers: []handler{respond(404, "")}, paths: "/.well-known/openid-configuration /.well-known/oauth-authorization-server /register"},
		{name: "the first is down", answers: []handler{respond(503, "")}, paths: "/.well-known/openid-configuration /.well-known/oauth-authorization-server /register"},
		{name: "the first does not say it", answers: []handler{respond(200, `{"issuer":"x"}`)}, paths: "/.well-known/openid-configuration /.well-known/oauth-authorization-server /register"},
		{name: "another server's", answers: []handler{respond(200, `{"issuer":"https://other.example","token_endpoint":"https://other.example/t","registration_endpoint":"https://other.example/r"}`)},
			paths: "/.well-known/openid-configuration /.well-known/oauth-authorization-server /register"},
		{name: "none says it", answers: []handler{page, page}, paths: "/.well-known/openid-configuration /.well-known/oauth-authorization-server", err: flows.ErrNoClient},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newFakeServer(t, respond(500, ""))
			h.handlers = append(slices.Clone(tt.answers), respond(200, strings.ReplaceAll(found, "AT", h.URL)), registered)
			c := pythonConfig(t, h, rest)
			client, err := c.ObtainClient(t.Context(), []string{redirect}, nil)
			var paths []string
			for _, r := range h.requests() {
				paths = append(paths, r.path)
			}
			if got := strings.Join(paths, " "); got != tt.paths || !errors.Is(err, tt.err) {
				t.Fatalf("%s, %v", got, err)
			}
			if tt.err != nil {
				return
			}
			if client.ID != "new" || client.RegisteredAt != h.URL+"/register" {
				t.Errorf("%+v", client)
			}
			var sent map[string]any
			requests := h.requests()
			if err := json.Unmarshal([]byte(requests[len(requests)-1].body), &sent); err != nil || sent["token_endpoint_auth_method"] != "client_secret_post" {
				t.Errorf("%v, %v", sent, err)
			}
			c.Client = client
			address, err := c.AuthorizationURL("state", verifier, redirect, nil)
			if err != nil || !strings.HasPrefix(address, h.URL+"/x/authorize?") {
				t.Errorf("%s, %v", address, err)
			}
		})
	}
	for _, private := range []string{"https://127.0.0.2/register", "https://10.0.0.1/register", "http://acme.example/register", "https://localhost.example@10.0.0.1/r"} {
		h := newFakeServer(t, respond(500, ""))
		h.handlers = []handler{respond(200, `{"issuer":"`+h.URL+`","registration_endpoint":"`+private+`"}`)}
		if _, err := pythonConfig(t, h, rest).ObtainClient(t.Context(), []string{redirect}, nil); err == nil || len(h.requests()) != 1 {
			t.Errorf("%s: %v", private, err)
		}
	}
}
