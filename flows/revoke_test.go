package flows_test

import (
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

func TestRevoke(t *testing.T) {
	const post = `"revocation":{"url":"AT/revoke"}`
	for _, test := range []struct {
		name  string
		oauth string
		want  []string // method, path, authorization, body of each request
	}{
		{"RFC 7009", post, []string{
			"POST /revoke\nclient_id=id\nclient_secret=hush-secret\ntoken=the-refresh\ntoken_type_hint=refresh_token",
			"POST /revoke\nclient_id=id\nclient_secret=hush-secret\ntoken=the-access\ntoken_type_hint=access_token",
		}},
		{"RFC 7009 with Basic", `"token_auth":"basic",` + post, []string{
			"POST /revoke Basic aWQ6aHVzaC1zZWNyZXQ=\ntoken=the-refresh\ntoken_type_hint=refresh_token",
			"POST /revoke Basic aWQ6aHVzaC1zZWNyZXQ=\ntoken=the-access\ntoken_type_hint=access_token",
		}},
		{"GitHub", `"revocation":{"url":"AT/applications/{client_id}/token","method":"DELETE","body":"json","param":"access_token","tokens":"access_token"}`,
			[]string{"DELETE /applications/id/token Basic aWQ6aHVzaC1zZWNyZXQ=\n" + `{"access_token":"the-access"}`}},
		{"JSON", `"token_auth":"none","revocation":{"url":"AT/revoke","body":"json","tokens":"refresh_token"}`, []string{"POST /revoke\n" + `{"client_id":"id","token":"the-refresh"}`}},
		{"HubSpot", `"revocation":{"url":"AT/refresh-tokens/{token}","method":"DELETE","auth":"none","body":"none","tokens":"refresh_token"}`,
			[]string{"DELETE /refresh-tokens/the-refresh\n"}},
		{"Slack, Dropbox", `"revocation":{"url":"AT/revoke","auth":"bearer","body":"none","tokens":"access_token"}`, []string{"POST /revoke Bearer the-access\n"}},
		{"Google", `"revocation":{"url":"AT/revoke","auth":"none","tokens":"refresh_token"}`, []string{"POST /revoke\ntoken=the-refresh\ntoken_type_hint=refresh_token"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, respond(200, ""))
			if err := h.config(t, test.oauth, "").Revoke(t.Context(), secret.New("the-access"), secret.New("the-refresh")); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, r := range h.requests() {
				got = append(got, strings.TrimSpace(r.method+" "+r.path+" "+r.header.Get("Authorization"))+"\n"+r.body)
			}
			if strings.Join(got, "\n\n") != strings.Join(test.want, "\n\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n\n"), strings.Join(test.want, "\n\n"))
			}
		})
	}
}

func TestRevokeAnswers(t *testing.T) {
	const slack = `"response":{"error_when":{"ok":false}},`
	for _, test := range []struct {
		name    string
		oauth   string
		answers []handler
		kind    flows.Kind // 0 means confirmed
		code    string
	}{
		{"confirmed with an empty body", "", []handler{respond(200, "")}, 0, ""},
		{"confirmed with status 204", "", []handler{respond(204, "")}, 0, ""},
		{"confirmed with a web page", "", []handler{respondAs("text/html", 200, "<h1>done</h1>")}, 0, ""},
		{"confirmed with an object", slack, []handler{respond(200, `{"ok":true,"revoked":true}`)}, 0, ""},
		{"access tokens cannot be revoked", "", []handler{respond(200, ""), respond(400, `{"error":"unsupported_token_type"}`)}, 0, ""},
		{"refresh tokens cannot be revoked", "", []handler{respond(400, `{"error":"unsupported_token_type"}`), respond(200, "")}, flows.Permanent, "unsupported_token_type"},
		{"refused", "", []handler{respond(400, `{"error":"invalid_client"}`)}, flows.Permanent, "invalid_client"},
		{"refused with status 200", slack, []handler{respond(200, `{"ok":false,"error":"invalid_auth"}`)}, flows.Permanent, "invalid_auth"},
		{"refused with status 200 and without a code", slack, []handler{respond(200, `{"ok":false}`)}, flows.Protocol, ""},
		{"only the first is refused", "", []handler{respond(401, `{"error":"invalid_client"}`), respond(200, "")}, flows.Permanent, "invalid_client"},
		{"not found", "", []handler{respond(404, "")}, flows.Protocol, ""},
		{"unavailable", "", []handler{respond(503, "")}, flows.Transient, ""},
		{"no answer", "", []handler{hangUp}, flows.Ambiguous, ""},
		{"redirected", "", []handler{redirectTo(302, "/login")}, flows.Protocol, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, test.answers...)
			err := h.config(t, test.oauth+`"revocation":{"url":"AT/revoke"}`, "").Revoke(t.Context(), secret.New("the-access"), secret.New("the-refresh"))
			if test.kind != 0 {
				wantTokenError(t, err, test.kind, test.code)
			} else if err != nil {
				t.Error(err)
			}
			if n := len(h.requests()); n != 2 {
				t.Errorf("%d requests, want one for each token", n)
			}
		})
	}
}

func TestRevokeNotSupported(t *testing.T) {
	h := newFakeServer(t, respond(200, ""))
	access, none := secret.New("the-access"), secret.String{}
	wantError(t, h.config(t, "", "").Revoke(t.Context(), access, none), flows.ErrNoRevocation)
	wantError(t, h.config(t, `"revocation":{"url":"AT/revoke","tokens":"refresh_token"}`, "").Revoke(t.Context(), access, none), flows.ErrNoRevocation)
	wantError(t, h.config(t, `"revocation":{"url":"AT/revoke"}`, "").Revoke(t.Context(), none, none), flows.ErrNoRevocation)
	if n := len(h.requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
	if err := h.config(t, `"revocation":{"url":"AT/revoke"}`, "").Revoke(t.Context(), access, none); err != nil || len(h.requests()) != 1 {
		t.Errorf("%v, %d requests", err, len(h.requests()))
	}
}

// A token in the path is escaped and is not in the error.
func TestRevokeWithTokenInPath(t *testing.T) {
	h := newFakeServer(t, hangUp)
	err := h.config(t, `"revocation":{"url":"AT/t/{token}","method":"DELETE","body":"none"}`, "").Revoke(t.Context(), secret.String{}, secret.New("the-refresh/../{client_id}?x"))
	noSecrets(t, err)
	if got := h.requests()[0]; got.path != "/t/the-refresh/../{client_id}?x" || got.query != "" {
		t.Errorf("%s %s", got.path, got.query)
	}
}
