package flows_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/secret"
)

// verifierChallenge is the S256 challenge of verifier, computed with sha256sum and basenc.
const verifierChallenge = "fD3GLJ_KzCDB0w6uDOSFNNdflrHwtv8Cizh6P5pJkfQ"

func TestAuthorizationURL(t *testing.T) {
	common := []string{"client_id=id", "code_challenge=" + verifierChallenge, "code_challenge_method=S256", "redirect_uri=" + redirect, "response_type=code", "state=the-state"}
	without := func(prefixes ...string) []string {
		var kept []string
		for _, line := range common {
			drop := false
			for _, p := range prefixes {
				drop = drop || strings.HasPrefix(line, p)
			}
			if !drop {
				kept = append(kept, line)
			}
		}
		return kept
	}
	for _, test := range []struct {
		name   string
		oauth  string
		scopes []string
		client flows.Client
		want   []string // in addition to the common parameters
		drop   []string // prefixes of common parameters that are not sent
	}{
		{name: "plain"},
		{name: "the address has a query", oauth: `"authorization_url":"AT/authorize?tenant=a%20b&x=1"`, want: []string{"tenant=a b", "x=1"}},
		{name: "the address's query has the login's own parameters", oauth: `"authorization_url":"AT/authorize?state=fixed&client_id=other"`},
		{name: "further parameters", oauth: `"authorize_params":{"access_type":"offline","audience":"{region}"}`, want: []string{"access_type=offline", "audience=eu"}},
		{name: "a parameter with a missing optional param", oauth: `"authorize_params":{"login_hint":"{hint}","x":"y"}`, want: []string{"x=y"}},
		{name: "PKCE off", oauth: `"pkce":"off"`, drop: []string{"code_challenge"}},
		{name: "scopes of the definition", oauth: `"scopes":["a","b"]`, want: []string{"scope=a b"}},
		{name: "scopes with commas", oauth: `"scopes":["a","b"],"scope_separator":","`, want: []string{"scope=a,b"}},
		{name: "scopes under another name", oauth: `"scopes":["a"],"scope_param":"user_scope"`, want: []string{"user_scope=a"}},
		{name: "scopes of the user", oauth: `"scopes":["a"]`, scopes: []string{"c"}, want: []string{"scope=c"}},
		{name: "no scopes", oauth: `"scopes":["a"]`, scopes: []string{}},
		{name: "scopes that the client is registered for", oauth: `"scopes":["a","b"]`, client: flows.Client{ID: "id", Scopes: []string{"b", "z"}}, want: []string{"scope=b"}},
		{name: "resource", oauth: `"resource":"https://{region}.acme.example/x"`, want: []string{"resource=https://eu.acme.example/x"}},
		{name: "another name for the client id", oauth: `"client_id_param":"client_key"`, drop: []string{"client_id="}, want: []string{"client_key=id"}},
		{name: "the definition's client", oauth: `"client_id":"public"`, client: flows.Client{RedirectURIs: []string{}}, drop: []string{"client_id="}, want: []string{"client_id=public"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, respond(500, ""))
			c := h.config(t, test.oauth, `"params":[{"name":"region"},{"name":"hint","optional":true}]`)
			c.Values = map[string]secret.String{"region": secret.New("eu")}
			if test.client.ID != "" || test.client.RedirectURIs != nil {
				c.Client = test.client
			}
			got, err := c.AuthorizationURL("the-state", verifier, redirect, test.scopes)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(got)
			if err != nil || !strings.HasPrefix(got, h.URL+"/authorize?") {
				t.Fatalf("%s, %v", got, err)
			}
			want := sortedLines(strings.Join(append(without(test.drop...), test.want...), "\n"))
			if formLines(u.Query()) != want {
				t.Errorf("query\n%s\nwant\n%s", formLines(u.Query()), want)
			}
			if strings.Contains(got, "hush-secret") || strings.Contains(got, verifier) {
				t.Errorf("%s contains a secret", got)
			}
		})
	}
}

func TestAuthorizationURLErrors(t *testing.T) {
	h := newFakeServer(t, respond(500, ""))
	for _, test := range []struct{ state, verifier, redirect, oauth string }{
		{"", verifier, redirect, ""},
		{"the-state", "", redirect, ""},
		{"the-state", verifier, "", ""},
		{"the-state", verifier, redirect, `"authorize_params":{"x":"{region}"}`},
		{"the-state", verifier, redirect, `"authorization_url":"{base_url}/a#b"`},
	} {
		c := h.config(t, test.oauth, `"params":[{"name":"region"}]`)
		c.Values = map[string]secret.String{"base_url": secret.New("https://acme.example")}
		u, err := c.AuthorizationURL(test.state, test.verifier, test.redirect, nil)
		if err == nil {
			t.Errorf("%+v: got %s, want an error", test, u)
		}
		noSecrets(t, err)
	}
	c := h.config(t, "", "")
	c.Client = flows.Client{}
	_, err := c.AuthorizationURL("the-state", verifier, redirect, nil)
	wantError(t, err, flows.ErrNoClient)
}

// authorize_params cannot override the parameters that protect the login. The definition is
// changed after parsing, because the parser refuses such parameters.
func TestAuthorizeParamsCannotWeakenLogin(t *testing.T) {
	c := newFakeServer(t, respond(500, "")).config(t, "", "")
	c.Definition.OAuth.AuthorizeParams = map[string]string{
		"state": "x", "redirect_uri": "https://evil.example", "code_challenge": "x", "code_challenge_method": "plain", "client_id": "y",
	}
	address, err := c.AuthorizationURL("the-state", verifier, redirect, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	want := "client_id=id\ncode_challenge=" + verifierChallenge + "\ncode_challenge_method=S256\nredirect_uri=" + redirect + "\nresponse_type=code\nstate=the-state"
	if err != nil || formLines(u.Query()) != want {
		t.Errorf("%s, %v", address, err)
	}
}

func TestCheckIssuer(t *testing.T) {
	h := newFakeServer(t, respond(200, goodToken))
	const issuer = "https://acme.example/"
	for _, test := range []struct {
		name     string
		issuer   string
		required bool // the server's metadata says that it sends its issuer
		callback url.Values
		good     bool
	}{
		{"the expected issuer", issuer, false, url.Values{"iss": {issuer}}, true},
		{"no issuer, and not required", issuer, false, url.Values{"code": {"the-code"}}, true},
		{"the issuer is not known", "", false, url.Values{"iss": {"https://any.example"}}, true},
		{"another issuer", issuer, false, url.Values{"iss": {"https://evil.example/"}}, false},
		{"without the slash", issuer, false, url.Values{"iss": {"https://acme.example"}}, true},
		{"with the slash, expected without", "https://acme.example", false, url.Values{"iss": {issuer}}, true},
		{"in capitals", issuer, false, url.Values{"iss": {"https://ACME.example/"}}, true},
		{"another path", issuer, false, url.Values{"iss": {"https://acme.example/x"}}, false},
		{"a slash after a path", "https://acme.example/x", false, url.Values{"iss": {"https://acme.example/x/"}}, false},
		{"another port", issuer, false, url.Values{"iss": {"https://acme.example:8443/"}}, false},
		{"another scheme", issuer, false, url.Values{"iss": {"http://acme.example/"}}, false},
		{"a subdomain", issuer, false, url.Values{"iss": {"https://www.acme.example/"}}, false},
		{"empty", issuer, false, url.Values{"iss": {""}}, false},
		{"two issuers", issuer, false, url.Values{"iss": {issuer, issuer}}, false},
		{"no issuer, but required", issuer, true, url.Values{"code": {"the-code"}}, false},
		{"an error from another issuer", issuer, true, url.Values{"iss": {"https://evil.example"}, "error": {"access_denied"}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			oauth := ""
			if test.issuer != "" {
				oauth = `"issuer":"` + test.issuer + `"`
			}
			c := h.config(t, oauth, "")
			if test.required {
				c.Server = &flows.Server{Issuer: test.issuer, TokenURL: h.URL + "/token", IssuerInCallback: true}
			}
			err := c.CheckIssuer(test.callback)
			if test.good && err != nil {
				t.Error(err)
			}
			if test.good {
				return
			}
			wantError(t, err, flows.ErrIssuer)
			before := len(h.requests())
			_, err = c.Exchange(t.Context(), secret.New("the-code"), verifier, redirect, test.callback)
			wantError(t, err, flows.ErrIssuer)
			if len(h.requests()) != before {
				t.Error("the code was sent")
			}
		})
	}
}

func TestValuesFromAnswerAndRedirect(t *testing.T) {
	const params = `"params":[
		{"name":"realm_id","from":"callback","path":"realmId","pattern":"[0-9]+"},
		{"name":"instance","from":"token","path":"instance_url","match":"^https://([^/]+)"},
		{"name":"team","from":"token","path":"team.id"},
		{"name":"note","from":"token","path":"note","optional":true}]`
	const answer = `{"access_token":"the-access","instance_url":"https://eu1.acme.example/x","team":{"id":77},"token_type":"bearer"}`
	for _, test := range []struct {
		name     string
		answer   string
		callback string
		want     map[string]string // nil means an error
	}{
		{"all values", answer, "realmId=123&code=the-code", map[string]string{"realm_id": "123", "instance": "eu1.acme.example", "team": "77"}},
		{"redirect without the value", answer, "code=the-code", nil},
		{"redirect with an invalid value", answer, "realmId=12x", nil},
		{"answer without the values", `{"access_token":"the-access"}`, "realmId=123", nil},
		{"answer with an invalid value", strings.Replace(answer, "https://eu1", "javascript:", 1), "realmId=123", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newFakeServer(t, respond(200, test.answer))
			c := h.config(t, "", params)
			callback, err := url.ParseQuery(test.callback)
			if err != nil {
				t.Fatal(err)
			}
			token, err := c.Exchange(t.Context(), secret.New("the-code"), verifier, redirect, callback)
			if test.want == nil {
				wantTokenError(t, err, flows.Protocol, "")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range test.want {
				if got := token.Values[name].Reveal(); got != want {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			if len(token.Values) != len(test.want) {
				t.Errorf("values %v", token.Values)
			}
		})
	}
	t.Run("a refresh may omit the values", func(t *testing.T) {
		h := newFakeServer(t, respond(200, `{"access_token":"the-access"}`))
		token, err := refresh(t.Context(), h.config(t, "", params))
		if err != nil || len(token.Values) != 0 {
			t.Errorf("%v, %v", token.Values, err)
		}
	})
}

// Without its verifier a code is not sent, so that it is not used up.
func TestExchangeNeedsVerifier(t *testing.T) {
	h := newFakeServer(t, respond(200, `{"access_token":"the-access"}`))
	if _, err := h.config(t, "", "").Exchange(t.Context(), secret.New("the-code"), "", redirect, nil); err == nil {
		t.Error("no error")
	}
	if n := len(h.requests()); n > 0 {
		t.Errorf("%d requests were sent", n)
	}
	if _, err := h.config(t, `"pkce":"off"`, "").Exchange(t.Context(), secret.New("the-code"), "", redirect, nil); err != nil {
		t.Error(err)
	}
}
