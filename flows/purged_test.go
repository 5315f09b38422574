package flows_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
)

func TestKnowsClient(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer handler
		knows  bool
	}{
		{"a page to sign in", respondAs("text/html", 200, "<form>"), true},
		{"a redirect to a page to sign in", redirectTo(302, "https://acme.example/login?error="), true},
		{"a redirect with a code", redirectTo(302, redirect+"?code=c&state=s"), true},
		{"a redirect with a refusal that is not about the client", redirectTo(302, redirect+"?error=login_required"), true},
		{"a redirect that says that the client is unknown", redirectTo(303, redirect+"?error=unauthorized_client"), false},
		{"400 with JSON", respond(400, `{"error":"invalid_client"}`), false},
		{"400 with a page", respondAs("text/html", 400, "<html>"), false},
		{"401", respond(401, ""), false},
		{"401 to sign in with Kerberos", withHeader("WWW-Authenticate", "Negotiate", respond(401, "")), true},
		{"401 with a Bearer challenge", withHeader("WWW-Authenticate", `Bearer error="invalid_client"`, respond(401, "")), false},
		{"404", respond(404, ""), false},
		{"422", respond(422, `{"message":"Unrecognized client_id"}`), false},
		{"a firewall", respond(403, ""), true},
		{"too many requests", respond(429, ""), true},
		{"unavailable", respond(503, ""), true},
		{"no answer", hangUp, true},
	} {
		h := newFakeServer(t, test.answer)
		if got := h.config(t, "", "").KnowsClient(t.Context(), redirect, []string{"a"}); got != test.knows {
			t.Errorf("%s: %v", test.name, got)
		}
		r := h.requests()[0]
		if r.method != "GET" || r.path != "/authorize" || !strings.Contains(r.query, "client_id=id&") || strings.Contains(r.query, "hush") {
			t.Errorf("%s: the request was %s %s?%s", test.name, r.method, r.path, r.query)
		}
	}
	if !newFakeServer(t, respond(400, "")).config(t, "", "").KnowsClient(t.Context(), "", nil) {
		t.Error("a request that cannot be made")
	}
}

func TestUnknownClient(t *testing.T) {
	for _, test := range []struct {
		err     error
		unknown bool
	}{
		{nil, false},
		{errors.New("invalid_client"), false},
		{&flows.TokenError{Code: "invalid_grant"}, false},
		{fmt.Errorf("acme: %w", &flows.TokenError{Code: "invalid_client"}), true},
		{&flows.AuthorizationError{Code: "unauthorized_client"}, true},
		{&flows.AuthorizationError{Code: "access_denied"}, false},
	} {
		if got := flows.UnknownClient(test.err); got != test.unknown {
			t.Errorf("%v: %v", test.err, got)
		}
	}
}
