package providers

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// apiPaths are ordinary requests, by definition, that are similar to the service's
// OAuth endpoints.
var apiPaths = map[string]string{
	"airtable":               "/v0/meta/whoami",
	"anthropic":              "/v1/messages /v1/organizations/me /api/oauth/profile",
	"apollo":                 "/api/v1/people/match /v1/auth/health",
	"atlassian":              "/oauth/token/accessible-resources /me /ex/jira/x/rest/api/3/myself",
	"azure-openai":           "/openai/deployments/x/chat/completions",
	"box":                    "/2.0/users/me",
	"brevo":                  "/v3/account",
	"cal-com":                "/v2/me /v2/oauth-clients /v2/oauth-clients/x/users",
	"clickup-token":          "/api/v2/user",
	"close-key":              "/api/v1/me/",
	"cloudflare":             "/client/v4/user/tokens /client/v4/user/tokens/verify /client/v4/user/tokens/x",
	"databricks-m2m":         "/api/2.0/token/list /api/2.0/token-management/tokens /api/2.1/jobs/list",
	"datadog":                "/api/v1/validate /api/v2/oauth2_clients",
	"discord":                "/api/v10/oauth2/@me /api/oauth2/applications/@me /api/v9/users/@me",
	"discord-bot":            "/api/v10/oauth2/applications/@me /api/v10/gateway/bot",
	"dropbox":                "/2/users/get_current_account /2/files/list_folder",
	"dub":                    "/oauth/userinfo /links",
	"figma":                  "/v1/me /v1/files/x",
	"fly":                    "/graphql /v1/apps/x/machines",
	"github":                 "/user /user/installations /app/installations /repos/o/r/contents/login/oauth/access_token.rb /graphql",
	"github-enterprise":      "/api/v3/user /api/v3/app/installations",
	"gitlab":                 "/api/v4/personal_access_tokens/self /api/v4/projects/1/access_tokens /api/v4/user /api/v4/projects/1/repository/files/app%2Foauth%2Ftoken.rb/raw",
	"google":                 "/oauth2/v3/userinfo /oauth2/v1/tokeninfo /v1/projects/p/serviceAccounts /v1/projects/p/serviceAccounts/a@b.c:getIamPolicy /storage/v1/b/token/o/x /calendar/v3/users/me/calendarList /v1/tokens",
	"hubspot":                "/oauth/v1/access-tokens/x /crm/v3/objects/contacts /account-info/v3/details",
	"huggingface":            "/api/whoami-v2 /oauth/userinfo",
	"intercom":               "/me /auth/eagle",
	"linear":                 "/graphql",
	"linkedin":               "/v2/userinfo /rest/posts",
	"microsoft":              "/v1.0/me /v1.0/applications /beta/oauth2PermissionGrants /v1.0/oauth2PermissionGrants",
	"netlify":                "/api/v1/user /api/v1/sites",
	"notion":                 "/v1/users/me /v1/oauth-less",
	"npm":                    "/-/whoami /-/npm/v1/user /-/npm/v1/tokens /left-pad /@scope%2fname",
	"openrouter":             "/api/v1/key /api/v1/auth/key /api/v1/keys",
	"paypal":                 "/v1/identity/oauth2/userinfo /v1/identity/openidconnect/userinfo /v2/checkout/orders",
	"perplexity":             "/chat/completions",
	"pinecone":               "/indexes /vectors/upsert",
	"plaid":                  "/link/token/create /item/public_token/exchange /accounts/get",
	"postiz":                 "/public/v1/posts",
	"quickbooks":             "/v3/company/1/companyinfo/1",
	"reddit":                 "/api/v1/me",
	"resend":                 "/emails /oauth/grants",
	"salesforce":             "/services/oauth2/userinfo /services/data/v60.0/query",
	"sentry-token":           "/api/0/sentry-app-installations/x/external-requests/ /api/0/organizations/",
	"shopify":                "/admin/oauth/access_scopes.json /admin/api/2026-01/products.json /admin/api/2026-01/storefront_access_tokens.json",
	"slack":                  "/api/auth.test /api/openid.connect.userInfo /api/oauth.v2 /api/chat.postMessage /api/auth.teams.list",
	"slack-app-token":        "/api/apps.connections.open",
	"slack-token":            "/api/auth.test /api/conversations.list",
	"spotify":                "/v1/me",
	"square":                 "/v2/merchants/me /v2/locations",
	"stripe":                 "/v1/charges /v1/oauth_apps",
	"supabase":               "/v1/projects /v1/organizations",
	"todoist":                "/api/v1/tasks /api/v1/user /sync/v9/sync",
	"trello":                 "/1/members/me /1/tokens/x",
	"twilio":                 "/2010-04-01/Accounts.json /v1/Services /v2/Services/x/tokens /v1/tokens",
	"twitch":                 "/helix/users",
	"typeform":               "/me /forms",
	"vercel":                 "/v2/user /login/oauth/userinfo /v9/projects /v1/integrations/configuration/x",
	"webflow":                "/v2/sites /v2/token/authorized_by",
	"x":                      "/2/users/me /1.1/account/verify_credentials.json /2/tweets",
	"xero":                   "/connections /api.xro/2.0/Organisation",
	"zendesk-token":          "/api/v2/users/me.json /api/v2/oauth2",
	"zoom":                   "/v2/users/me /v2/users/me/token",
	"google-gemini":          "/v1beta/models",
	"hubspot-private-app":    "/account-info/v3/details",
	"telegram":               "/botx/getMe",
	"openai":                 "/v1/models /v1/realtime/client_secrets",
	"langsmith":              "/api/v1/sessions",
	"elevenlabs":             "/v1/user",
	"wistia":                 "/v1/account.json",
	"mention-me":             "/api/consumer/v2/order",
	"snowflake":              "/api/v2/statements",
	"bitbucket":              "/2.0/user",
	"asana":                  "/api/1.0/users/me",
	"klaviyo-oauth":          "/api/accounts",
	"digitalocean":           "/v2/account",
	"atlassian-api-token":    "/rest/api/3/myself",
	"supabase-project":       "/auth/v1/token /rest/v1/x",
	"notion-token":           "/v1/users/me",
	"square-token":           "/v2/merchants/me",
	"github-pat":             "/user",
	"gitlab-pat":             "/api/v4/user",
	"figma-pat":              "/v1/me",
	"todoist-token":          "/api/v1/tasks",
	"webflow-token":          "/v2/sites",
	"shopify-token":          "/admin/api/2026-01/shop.json",
	"linear-api-key":         "/graphql",
	"linear-mcp":             "/mcp",
	"notion-mcp":             "/mcp",
	"zapier-mcp":             "/api/v1/connect",
	"mcp":                    "/mcp",
	"auth0":                  "/api/v2/clients",
	"auth0-api":              "/x",
	"buffer":                 "/1/user.json",
	"microsoft-app":          "/v1.0/users",
	"zapier":                 "/v2/zaps",
	"zoom-s2s":               "/v2/users",
	"twilio-key":             "/2010-04-01/Accounts.json",
	"databricks":             "/api/2.0/preview/scim/v2/Me",
	"google-service-account": "/storage/v1/b",
}

// TestBundledPathsThatAreNotEndpoints checks that ordinary requests are not taken for
// OAuth endpoints.
func TestBundledPathsThatAreNotEndpoints(t *testing.T) {
	set := bundledSet(t)
	for _, d := range set.All() {
		if (len(d.OAuthPaths) > 0 || d.OAuth != nil) && apiPaths[d.Name] == "" && d.Verify == nil {
			t.Errorf("%s has OAuth endpoints, and no path that gets the credential is known", d.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(apiPaths)) {
		d, err := set.Lookup(name)
		if err != nil {
			t.Error(err)
			continue
		}
		endpoints := d.OAuthEndpoints(sampleValues(t, d))
		for path := range strings.FieldsSeq(apiPaths[name]) {
			readings, err := Readings(path)
			if err != nil {
				t.Error(err)
			}
			for _, p := range append(readings, path) {
				if endpoints.Match(p) || d.Excludes(p) {
					t.Errorf("%s: %s gets no credential", name, path)
				}
			}
		}
	}
}

// TestBundledEndpointsOnSharedHosts checks that a definition excludes the OAuth
// endpoints of every other definition that has one of its hosts, because only the
// definitions of connections count.
func TestBundledEndpointsOnSharedHosts(t *testing.T) {
	all := bundledSet(t).All()
	for _, a := range all {
		for _, b := range all {
			if a == b || !shareHost(a, b) {
				continue
			}
			values := sampleValues(t, b)
			patterns, err := b.Patterns(values)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range samplePaths(a) {
				covered := func(p Pattern) bool { _, ok := p.MatchPath(path); return ok }
				if slices.ContainsFunc(patterns, covered) && !b.Excludes(path) && !b.OAuthEndpoints(values).Match(path) {
					t.Errorf("%s does not exclude %s of %s", b.Name, path, a.Name)
				}
			}
		}
	}
}

// shareHost reports whether a fixed host of a is one of b.
func shareHost(a, b *Definition) bool {
	return slices.ContainsFunc(a.hosts, func(h host) bool {
		return h.names == nil && h.pattern.kind == Exact && b.Claims(h.pattern.host, h.pattern.port) && hasFixedHosts(b) &&
			slices.ContainsFunc(b.hosts, func(o host) bool { return o.pattern.kind == Exact && o.pattern.host == h.pattern.host })
	})
}

// samplePaths returns a path for each OAuth endpoint of a definition on its own hosts.
func samplePaths(d *Definition) []string {
	var paths []string
	for _, e := range d.endpoints {
		if u, err := url.Parse(fillWithLetter(e.url)); err == nil && strings.Trim(u.Path, "/") != "" && d.hasHost(e.host, d.BaseURL) {
			paths = append(paths, u.Path)
		}
	}
	for _, p := range d.OAuthPaths {
		paths = append(paths, strings.ReplaceAll(p, "*", "x"))
	}
	return paths
}

func TestOAuthPaths(t *testing.T) {
	definition := func(paths string) string {
		return `{"schema_version":2,"name":"sample","flows":["api_key"],"hosts":["{base_url}"],"base_url":"https://own.com/base","oauth_paths":[` + paths + `],"params":[{"name":"api_key","secret":true}]}`
	}
	d, err := Parse([]byte(definition(`"/oauth/*/token","/v1/accounts/*:mint","/x*/y"`)))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"/oauth/v1/token": true, "/base/oauth/v1/token": true, "/OAUTH/v2/Token.json": true, "/oauth/token": false, "/oauth/v1/v2/token": false, "/oauth//token": false, "/oauth/v1/tokens": false,
		"/v1/accounts/me:mint": true, "/v1/accounts/me:minted": false, "/v1/accounts/:mint": false, "/v1/accounts/a:b:mint": true, "/v1/accounts/me": false,
		"/xa/y": true, "/x/y": false, "/xa/y/z": true,
	} {
		if got := d.OAuthEndpoints(nil).Match(path); got != want {
			t.Errorf("%s: %t, want %t", path, got, want)
		}
	}
	for bad, want := range map[string]string{`"oauth"`: "must begin with /", `"/"`: "no segment is fixed", `"/*"`: "no segment is fixed", `"/a*b/*"`: "no segment is fixed", `"/x/a*b*"`: "only one *",
		`"/x?y"`: "decoded path", `"/x//y"`: "decoded path", `"/x/{y}"`: "decoded path", `"/x/../y"`: "decoded path", `"/x%20"`: "decoded path"} {
		if _, err := Parse([]byte(definition(bad))); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "oauth_paths[0]") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestOwnDefinitionExcludesBundledEndpoints checks that a user's definition for a host of
// a bundled one excludes the same OAuth endpoints.
func TestOwnDefinitionExcludesBundledEndpoints(t *testing.T) {
	dir := t.TempDir()
	for name, hosts := range map[string]string{"my-stripe": `"api.stripe.com"`, "discord": `"discord.com"`, "sheets": `"sheets.googleapis.com"`, "wide": `"*.slack.com","slack.com"`,
		"shop": `"acme.myshopify.com"`, "jira": `"api.atlassian.com"`, "other": `"api.stripe.com.example.org"`, "self": `"{base_url}"`} {
		text := `{"schema_version":2,"name":"` + name + `","flows":["api_key"],"hosts":[` + hosts + `],"params":[{"name":"api_key","secret":true}]}`
		if _, err := Install(dir, []byte(text), true); err != nil {
			t.Fatal(err)
		}
	}
	set, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, path string
		want       bool
	}{
		{"my-stripe", "/v1/oauth/token", true}, {"my-stripe", "/v1/charges", false}, {"my-stripe", "/oauth2/v4/token", false},
		{"discord", "/api/v9/oauth2/token", true}, {"discord", "/api/v9/users/@me", false},
		{"sheets", "/oauth2/v4/token", true}, {"sheets", "/v4/spreadsheets/x", false},
		{"wide", "/api/openid.connect.token", true},
		{"shop", "/admin/oauth/access_token", true}, {"shop", "/admin/api/2026-01/shop.json", false},
		{"jira", "/oauth/token", true}, {"jira", "/oauth/token/accessible-resources", false},
		{"other", "/v1/oauth/token", false},
		{"self", "/oauth/token", false},
	} {
		d, err := set.Lookup(tt.name)
		if err != nil || d.Source != Custom {
			t.Fatal(err)
		}
		if got := d.OAuthEndpoints(nil).Match(tt.path); got != tt.want {
			t.Errorf("%s: %s: %t, want %t", tt.name, tt.path, got, tt.want)
		}
	}
}
