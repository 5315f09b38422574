package routing

import (
	"fmt"
	"net/url"
	gopath "path"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// define parses a definition of schema 1.
func define(t testing.TB, name, hosts, more string) *providers.Definition {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":1,"name":%q,"display_name":%q,"auth_type":"api_key","flow":"api_key",
		"host_url":%s,"api_key":{"env_var":"ACME_KEY"}%s,"docs":"https://example.com/"}`, name, name, hosts, more))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// define2 parses a definition of schema 2.
func define2(t testing.TB, name, more string) *providers.Definition {
	t.Helper()
	d, err := providers.Parse(fmt.Appendf(nil, `{"schema_version":2,"name":%q,"flows":["api_key"]%s}`, name, more))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

const oauth = `,"oauth":{"authorization_url":"https://api.one.com/oauth/authorize","token_url":"https://api.one.com/oauth/token"}`

func fixture(t testing.TB, o Options, bindings ...Binding) *Table {
	t.Helper()
	table, err := newTable([]*providers.Definition{
		define(t, "one", `"api.one.com"`, oauth),
		define(t, "one-too", `"api.one.com"`, ""),
		define(t, "one-path", `"https://api.one.com/v2/"`, ""),
		define(t, "wild", `["one.com","*.one.com"]`, ""),
		define(t, "ported", `"https://api.ported.com:8443"`, ""),
	}, bindings, o)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// newTable compiles a table in which each binding has the definition of its provider.
func newTable(definitions []*providers.Definition, bindings []Binding, o Options) (*Table, error) {
	bound := slices.Clone(bindings)
	for i := range bound {
		for _, d := range definitions {
			if d.Name == bound[i].Provider {
				bound[i].Definition = d
			}
		}
	}
	return New(bound, o)
}

func bind(provider, connection string) Binding {
	return Binding{Provider: provider, Connection: connection}
}

func TestHostDecisions(t *testing.T) {
	table := fixture(t, Options{}, bind("one", "default"), bind("wild", "default"), bind("ported", "default"))
	for _, tt := range []struct {
		host string
		port int
		want Host
	}{
		{"api.one.com", 443, Intercept},
		{"api.one.com", 8443, Tunnel},
		{"other.one.com", 443, Intercept},
		{"one.com", 443, Intercept},
		{"evilone.com", 443, Tunnel},
		{"one.com.evil.net", 443, Tunnel},
		{"api.ported.com", 8443, Intercept},
		{"api.ported.com", 443, Tunnel},
	} {
		if got := table.Host(tt.host, tt.port); got != tt.want {
			t.Errorf("%s:%d: %v, want %v", tt.host, tt.port, got, tt.want)
		}
	}
	if got := fixture(t, Options{}).Host("api.one.com", 443); got != Tunnel {
		t.Errorf("a host of a provider without a connection: %v, want Tunnel", got)
	}
	if got := fixture(t, Options{DenyUnmatched: true}).Host("api.one.com", 443); got != Deny {
		t.Errorf("with DenyUnmatched: %v, want Deny", got)
	}
}

func TestRequestDecisions(t *testing.T) {
	work := Binding{Provider: "one", Connection: "work"}
	home := Binding{Provider: "one", Connection: "home"}
	byDefault := Binding{Provider: "one", Connection: "home", Default: true}
	gone := Binding{Provider: "one", Connection: "work", State: Gone}
	invalid := Binding{Provider: "one", Connection: "work", State: Unusable}
	for _, tt := range []struct {
		name     string
		bindings []Binding
		options  Options
		host     string
		path     string
		want     Decision
	}{
		{"the only connection", []Binding{work}, Options{}, "api.one.com", "/x", Decision{Action: Inject, Reason: Matched, Provider: "one", Connection: "work"}},
		{"the default connection", []Binding{work, byDefault}, Options{}, "api.one.com", "/x", Decision{Action: Inject, Reason: Matched, Provider: "one", Connection: "home"}},
		{"the connection named for the run", []Binding{work, byDefault}, Options{Choose: []Choice{{"one", "work"}}}, "api.one.com", "/x", Decision{Action: Inject, Reason: Matched, Provider: "one", Connection: "work"}},
		{"a named connection that does not exist", []Binding{byDefault}, Options{Choose: []Choice{{"one", "lost"}}}, "api.one.com", "/x", Decision{Action: Refuse, Reason: LoginRequired, Provider: "one", Connection: "lost"}},
		{"two connections, no default", []Binding{work, home}, Options{}, "api.one.com", "/x", Decision{Action: Refuse, Reason: RouteAmbiguous, Provider: "one"}},
		{"two definitions", []Binding{work, bind("one-too", "default")}, Options{}, "api.one.com", "/x", Decision{Action: Refuse, Reason: RouteAmbiguous}},
		{"two definitions, one named", []Binding{work, bind("one-too", "default")}, Options{Only: []Choice{{Provider: "one-too"}}}, "api.one.com", "/x", Decision{Action: Inject, Reason: Matched, Provider: "one-too", Connection: "default"}},
		{"the longer path prefix wins", []Binding{work, bind("one-path", "default")}, Options{}, "api.one.com", "/v2/x", Decision{Action: Inject, Reason: Matched, Provider: "one-path", Connection: "default"}},
		{"a prefix ends at a segment", []Binding{work, bind("one-path", "default")}, Options{}, "api.one.com", "/v2x", Decision{Action: Inject, Reason: Matched, Provider: "one", Connection: "work"}},
		{"exact over wildcard", []Binding{work, bind("wild", "default")}, Options{}, "api.one.com", "/x", Decision{Action: Inject, Reason: Matched, Provider: "one", Connection: "work"}},
		{"wildcard", []Binding{work, bind("wild", "default")}, Options{}, "other.one.com", "/x", Decision{Action: Inject, Reason: Matched, Provider: "wild", Connection: "default"}},
		{"invalid", []Binding{invalid}, Options{}, "api.one.com", "/x", Decision{Action: Refuse, Reason: LoginRequired, Provider: "one", Connection: "work"}},
		{"logged out", []Binding{gone}, Options{}, "api.one.com", "/x", Decision{Action: Refuse, Reason: LoginRequired, Provider: "one", Connection: "work"}},
		{"logged out of one provider, logged in to another", []Binding{gone, bind("one-too", "default")}, Options{}, "api.one.com", "/x", Decision{Action: Inject, Reason: Matched, Provider: "one-too", Connection: "default"}},
		{"logged out of one connection, logged in to another", []Binding{gone, home}, Options{}, "api.one.com", "/x", Decision{Action: Inject, Reason: Matched, Provider: "one", Connection: "home"}},
		{"path outside", []Binding{bind("one-path", "default")}, Options{}, "api.one.com", "/v1", Decision{Action: Forward, Reason: PathOutside, Provider: "one-path"}},
		{"token endpoint", []Binding{work}, Options{}, "api.one.com", "/oauth/token", Decision{Action: Forward, Reason: OAuthEndpoint, Provider: "one"}},
		{"token endpoint of another provider on the host", []Binding{work, bind("wild", "default")}, Options{}, "api.one.com", "/oauth/token", Decision{Action: Forward, Reason: OAuthEndpoint, Provider: "one"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := fixture(t, tt.options, tt.bindings...).Request("GET", tt.host, 443, tt.path)
			if !got.same(tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if (got.Reason == RouteAmbiguous) != (len(got.Choices) > 1) {
				t.Errorf("choices: %q", got.Choices)
			}
		})
	}
}

// Paths, excluded paths and methods limit a definition. Other requests are forwarded
// without a credential.
func TestPathsAndMethodsLimitADefinition(t *testing.T) {
	table, err := newTable([]*providers.Definition{
		define2(t, "narrow", `,"hosts":["api.one.com"],"paths":["/api","/files/"],"exclude_paths":["/api/oauth"],"methods":["GET","HEAD"]`),
		define2(t, "writer", `,"hosts":["api.one.com"],"paths":["/api/write"]`),
		define2(t, "deep", `,"hosts":["*.deep.one.com"]`),
		define2(t, "wide", `,"hosts":["*.one.com"]`),
		define2(t, "own", `,"hosts":["{base_url}"],"paths":["/v1"],"base_url":"https://own.net"`),
	}, []Binding{bind("narrow", "c"), bind("writer", "c"), bind("deep", "c"), bind("wide", "c"),
		{Provider: "own", Connection: "c", Values: providers.Values{"base_url": secret.New("https://my.net:8443/base/")}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		method, host string
		port         int
		path         string
		reason       Reason
		provider     string
	}{
		{"GET", "api.one.com", 443, "/api/x", Matched, "narrow"},
		{"GET", "api.one.com", 443, "/apix", Matched, "wide"},
		{"GET", "api.one.com", 443, "/files/x", Matched, "narrow"},
		{"GET", "api.one.com", 443, "/api/oauth/x", Matched, "wide"},
		{"POST", "api.one.com", 443, "/api/write", Matched, "writer"},
		{"GET", "api.one.com", 443, "/api/write/x", Matched, "writer"},
		{"GET", "x.deep.one.com", 443, "/", Matched, "deep"},
		{"GET", "deep.one.com", 443, "/", Matched, "wide"},
		{"GET", "my.net", 8443, "/base/v1/x", Matched, "own"},
		{"GET", "my.net", 8443, "/v1/x", PathOutside, "own"},
		{"GET", "own.net", 443, "/v1/x", NoRoute, ""},
	} {
		if d := table.Request(tt.method, tt.host, tt.port, tt.path); d.Reason != tt.reason || d.Provider != tt.provider {
			t.Errorf("%s %s%s: %s of %q, want %s of %q", tt.method, tt.host, tt.path, d.Reason, d.Provider, tt.reason, tt.provider)
		}
	}
	single, err := newTable([]*providers.Definition{define2(t, "narrow", `,"hosts":["api.one.com"],"paths":["/api"],"exclude_paths":["/api/oauth"],"methods":["GET"]`)}, []Binding{bind("narrow", "c")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]Reason{"GET /api": Matched, "POST /api": MethodOutside, "get /api": MethodOutside, "GET /": PathOutside, "POST /": PathOutside,
		"GET /api/oauth": PathOutside, "GET /api/%6fauth": PathAmbiguous, "GET /x/../api": PathAmbiguous} {
		method, path, _ := strings.Cut(request, " ")
		if d := single.Request(method, "api.one.com", 443, path); d.Reason != want || d.Action == Inject && want != Matched {
			t.Errorf("%s: %s, want %s", request, d.Reason, want)
		}
	}
}

// The path of an OAuth endpoint gets no credential on any host that a provider of the
// host has, whether the definition or the discovery named it.
func TestEndpointsOnEveryHost(t *testing.T) {
	discovered, err := providers.ParseEndpoints([]string{"https://as.elsewhere.net/as/token", "https://as.elsewhere.net"})
	if err != nil {
		t.Fatal(err)
	}
	definitions := []*providers.Definition{
		define(t, "two", `["api.two.com","api.two-old.com"]`, `,"oauth":{"authorization_url":"https://two.com/authorize","token_url":"https://api.two.com/oauth/token"}`),
		define(t, "found", `["*.found.com","api.two.com"]`, ""),
	}
	bindings := []Binding{bind("two", "c"), {Provider: "found", Connection: "c", Endpoints: discovered}}
	table, err := newTable(definitions, bindings, Options{Choose: []Choice{{"two", "c"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		host, path string
		want       Reason
	}{
		{"api.two.com", "/oauth/token", OAuthEndpoint},
		{"api.two-old.com", "/oauth/token", OAuthEndpoint},
		{"api.two-old.com", "/oauth/token/x", OAuthEndpoint},
		{"api.two-old.com", "/authorize", OAuthEndpoint},
		{"api.two-old.com", "/authorize/x", Matched},
		{"api.two-old.com", "/authorize%3f/x", PathAmbiguous},
		{"api.two-old.com", "/authorize%23/x", PathAmbiguous},
		{"api.two-old.com", "/authorize%00/x", PathAmbiguous},
		{"api.two-old.com", "/authorize.json", OAuthEndpoint},
		{"api.two-old.com", "/authorize/index.php", OAuthEndpoint},
		{"api.two-old.com", "/index.php/authorize", OAuthEndpoint},
		{"api.two-old.com", "/as/token", Matched},
		{"api.two-old.com", "/oauth", Matched},
		{"x.found.com", "/as/token", OAuthEndpoint},
		{"x.found.com", "/as/token.json", OAuthEndpoint},
		{"x.found.com", "/as/%74oken", PathAmbiguous},
		{"x.found.com", "/oauth/token", Matched},
		{"x.found.com", "/", Matched},
		{"api.two.com", "/as/token", OAuthEndpoint},
	} {
		if d := table.Request("POST", tt.host, 443, tt.path); d.Reason != tt.want {
			t.Errorf("%s%s: %s, want %s", tt.host, tt.path, d.Reason, tt.want)
		}
	}
}

// If servers read a path in different ways, every reading must lead to the same
// decision, or the request is refused.
func TestAmbiguousPathsAreRefused(t *testing.T) {
	whole := fixture(t, Options{}, bind("one", "default"))
	part := fixture(t, Options{}, bind("one-path", "default"))
	except, err := newTable([]*providers.Definition{define2(t, "except", `,"hosts":["api.one.com"],"exclude_paths":["/v2/admin"]`)}, []Binding{bind("except", "default")}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		table *Table
		path  string
		want  Reason
	}{
		{whole, "/a//b", Matched},
		{whole, "/a/%2e%2e/b", Matched},
		{whole, "/file%20name", Matched},
		{whole, "/oauth/%74oken", PathAmbiguous},
		{whole, "//oauth/token", OAuthEndpoint},
		{whole, "/x/../oauth/token", OAuthEndpoint},
		{whole, "/oauth%2ftoken", PathAmbiguous},
		{whole, `/x\..\oauth\token`, OAuthEndpoint},
		{part, "/v2/a//b", Matched},
		{part, "/v2/file%20name", Matched},
		{part, "/v2/../admin", PathAmbiguous},
		{part, "/v2/%2e%2e/admin", PathAmbiguous},
		{part, "/v2%2f..%2fadmin", PathAmbiguous},
		{part, "/admin/../v2/x", PathAmbiguous},
		{part, "/v2/%zz", PathAmbiguous},
		{whole, "/oauth/token;x=1", OAuthEndpoint},
		{whole, "/oauth;x/token", PathAmbiguous},
		{whole, "/oauth/token%3bx", OAuthEndpoint},
		{whole, "/x/..;/oauth/token", PathAmbiguous},
		{whole, "/oauth/%2574oken", PathAmbiguous},
		{whole, "/OAuth/Token", OAuthEndpoint},
		{whole, "/a;x=1/b;y", Matched},
		{part, "/v2/..;/admin", PathAmbiguous},
		{part, "/v2/..;x=1/admin", PathAmbiguous},
		{part, "/v2/.;/..%3B/admin", PathAmbiguous},
		{part, "/v2/%252e%252e/admin", PathAmbiguous},
		{part, "/v2/a;x=1/b", Matched},
		{part, "/v2/100%25", Matched},
		{except, "/v2/admin;x", PathOutside},
		{except, "/v2/Admin/x", PathOutside},
		{except, "/v2/administer", Matched},
	} {
		if got := tt.table.Request("GET", "api.one.com", 443, tt.path); got.Reason != tt.want {
			t.Errorf("%s: %s, want %s", tt.path, got.Reason, tt.want)
		}
	}
}

// A definition that was replaced by one that needs another value has no route, and
// must not remove the routes of other connections.
func TestConnectionWithUnknownHosts(t *testing.T) {
	definitions := []*providers.Definition{
		define2(t, "regional", `,"hosts":["{region}.two.com"],"params":[{"name":"region"},{"name":"api_key","secret":true}]`), define(t, "one", `"api.one.com"`, ""),
	}
	bindings := []Binding{bind("regional", "default"), bind("one", "default")}
	table, err := newTable(definitions, bindings, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := table.Request("GET", "api.one.com", 443, "/"); d.Action != Inject || table.Len() != 1 || len(table.Problems()) != 1 {
		t.Errorf("%+v, %d routes, problems %v", d, table.Len(), table.Problems())
	}
	for _, o := range []Options{{Only: []Choice{{Provider: "regional"}}}, {Choose: []Choice{{"regional", "default"}}}} {
		if _, err := newTable(definitions, bindings, o); err == nil {
			t.Errorf("%+v: no error for a provider that the options name", o)
		}
	}
}

func TestExplainIsTheDecision(t *testing.T) {
	table := fixture(t, Options{}, bind("one", "default"), bind("ported", "default"))
	for _, tt := range []struct {
		url  string
		want Reason
	}{
		{"https://API.one.com./x", Matched},
		{"wss://api.one.com", Matched},
		{"http://api.one.com/", HTTPSRequired},
		{"https://api.one.com:8443/", OtherPort},
		{"https://api.ported.com:8443/", Matched},
		{"https://elsewhere.net/", TunnelUnmatched},
		{"http://elsewhere.net/", NoRoute},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		e, err := table.Explain("GET", u)
		if err != nil || e.Reason != tt.want {
			t.Errorf("%s: %s, %v; want %s", tt.url, e.Reason, err, tt.want)
		}
	}
	for _, bad := range []string{"ftp://api.one.com/", "https://2130706433/", "https://api.one.com:0/"} {
		u, err := url.Parse(bad)
		if err != nil {
			t.Fatal(err)
		}
		if e, err := table.Explain("GET", u); err == nil {
			t.Errorf("%s: explained as %+v", bad, e)
		}
	}
}

// A credential is never sent to a host that its provider does not list, for any
// values of its connection.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{"api.one.com /v2/x acme", "x.one.com / acme", "evilone.com / a.b", "one.com.evil.net /oauth/token evil.net", "api.one.com /v2/%2e%2e/x x", "acme.shops.com /x acme", "evil.net / evil.net/", "evil.net / evil.net#", "a.evil.net / a.evil.net?x="} {
		part := strings.Split(seed, " ")
		f.Add(part[0], part[1], part[2])
	}
	definitions := []*providers.Definition{
		define(f, "one-path", `"https://api.one.com/v2/"`, ""), define(f, "wild", `["one.com","*.one.com"]`, ""),
		define2(f, "shop", `,"hosts":["{shop}.shops.com","api-{shop}.two.net"],"params":[{"name":"shop"},{"name":"api_key","secret":true}]`),
		define2(f, "dotted", `,"hosts":["{account}.dotted.com"],"params":[{"name":"account","pattern":".+"},{"name":"api_key","secret":true}]`),
	}
	f.Fuzz(func(t *testing.T, host, path, value string) {
		bindings := []Binding{bind("one-path", "default"), bind("wild", "default")}
		for _, name := range []string{"shop", "dotted"} {
			b := Binding{Provider: name, Connection: "default", Values: providers.Values{"shop": secret.New(value), "account": secret.New(value)}}
			if single, err := newTable(definitions, []Binding{b}, Options{}); err == nil && single.Problems() == nil {
				bindings = append(bindings, b)
			}
		}
		table, err := newTable(definitions, bindings, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{host, value, "x." + value, value + ".evil.net"} {
			d := table.Request("GET", host, 443, path)
			if d.Action != Inject {
				continue
			}
			switch {
			case d.Provider == "one-path" && host == "api.one.com" && strings.HasPrefix(gopath.Clean(path), "/v2"):
			case d.Provider == "wild" && (host == "one.com" || strings.HasSuffix(host, ".one.com")):
			case d.Provider == "shop" && strings.HasSuffix(host, ".shops.com") && strings.Count(host, ".") == 2:
			case d.Provider == "shop" && strings.HasSuffix(host, ".two.net") && strings.Count(host, ".") == 2 && strings.HasPrefix(host, "api-"):
			case d.Provider == "dotted" && strings.HasSuffix(host, ".dotted.com"):
			default:
				t.Errorf("%q %q got the credential of %s", host, path, d.Provider)
			}
		}
	})
}
