package routing

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// own is a provider with a host for each connection, as mcp.
func own(t testing.TB) *providers.Definition {
	return define2(t, "own", `,"hosts":["{base_url}"]`)
}

func bindAt(connection, baseURL string) Binding {
	return Binding{Provider: "own", Connection: connection, Values: providers.Values{"base_url": secret.New(baseURL)}}
}

// asDefault is a binding of its provider's default connection.
func asDefault(b Binding) Binding {
	b.Default = true
	return b
}

func gone(b Binding) Binding {
	b.State = Gone
	return b
}

// Connections of one provider with different hosts, ports or paths all serve theirs.
func TestConnectionsOfOneProviderWithDifferentHosts(t *testing.T) {
	a, b := asDefault(bindAt("a", "https://a.net/mcp")), bindAt("b", "https://b.net/mcp")
	deep, ported := bindAt("deep", "https://a.net/mcp/deep"), bindAt("ported", "https://a.net:8443/mcp")
	for _, tt := range []struct {
		options  Options
		port     int
		host     string
		path     string
		want     Reason
		provider string
	}{
		{Options{}, 443, "a.net", "/mcp", Matched, "a"},
		{Options{}, 443, "b.net", "/mcp", Matched, "b"},
		{Options{}, 443, "a.net", "/mcp/deep/x", Matched, "deep"},
		{Options{}, 8443, "a.net", "/mcp", Matched, "ported"},
		{Options{}, 443, "b.net", "/", PathOutside, ""},
		{Options{Choose: []Choice{{"own", "a"}}}, 443, "b.net", "/mcp", Matched, "b"},
		{Options{Choose: []Choice{{"own", "a"}}}, 443, "a.net", "/mcp/deep/x", Matched, "a"}, // also if another one matches better
		{Options{Choose: []Choice{{"own", "a"}, {"own", "b"}}}, 443, "b.net", "/mcp", Matched, "b"},
		{Options{Only: []Choice{{"own", "a"}, {"own", "b"}}}, 443, "a.net", "/mcp", Matched, "a"},
		{Options{Only: []Choice{{"own", "a"}, {"own", "b"}}}, 443, "b.net", "/mcp", Matched, "b"},
		{Options{Only: []Choice{{"own", "a"}}}, 443, "b.net", "/mcp", NoRoute, ""},
		{Options{Only: []Choice{{"own", ""}}}, 443, "b.net", "/mcp", Matched, "b"},
	} {
		table, err := newTable([]*providers.Definition{own(t)}, []Binding{b, ported, deep, a}, tt.options)
		if err != nil {
			t.Fatal(err)
		}
		if d := table.Request("GET", tt.host, tt.port, tt.path); d.Reason != tt.want || d.Connection != tt.provider {
			t.Errorf("%+v: %s:%d%s: %s of %q, want %s of %q", tt.options, tt.host, tt.port, tt.path, d.Reason, d.Connection, tt.want, tt.provider)
		}
		if shared := table.Shared(); len(shared) > 0 {
			t.Errorf("%+v: shared: %+v", tt.options, shared)
		}
	}
}

// served describes who serves a request: a connection, or what can be chosen.
func served(d Decision) string {
	switch d.Reason {
	case Matched:
		return d.Provider + "/" + d.Connection
	case LoginRequired:
		return d.Provider + "/" + d.Connection + " needs a login"
	case RouteAmbiguous:
		return strings.Join(d.Choices, " or ")
	}
	return string(d.Reason)
}

// Of the connections that match a request equally well, the order is: not logged out,
// named for the run, preferred, default.
func TestWhoServesWhatSeveralMatch(t *testing.T) {
	app, token := bind("app", "c"), bind("token", "c")
	work, home := bind("app", "work"), bind("app", "home")
	prefer := func(pairs ...string) map[string]Choice {
		m := make(map[string]Choice)
		for i := 0; i < len(pairs); i += 2 {
			provider, connection, _ := strings.Cut(pairs[i+1], "=")
			m[pairs[i]] = Choice{provider, connection}
		}
		return m
	}
	unusable := token
	unusable.State = Unusable
	for _, tt := range []struct {
		name     string
		bindings []Binding
		options  Options
		want     string // by api.one.com, x.one.net
	}{
		{"nothing decides", []Binding{app, token}, Options{}, "app or token, app or token"},
		{"preferred on one host", []Binding{app, token}, Options{Prefer: prefer("api.one.com", "token")}, "token/c, app or token"},
		{"preferred on a wildcard", []Binding{app, token}, Options{Prefer: prefer("*.one.net", "token")}, "app or token, token/c"},
		{"one host of a wildcard first", []Binding{app, token}, Options{Prefer: prefer("*.one.net", "token", "x.one.net", "app")}, "app or token, app/c"},
		{"another host", []Binding{app, token}, Options{Prefer: prefer("y.one.net", "token", "one.com", "token")}, "app or token, app or token"},
		{"only the other is left", []Binding{app}, Options{Prefer: prefer("api.one.com", "token")}, "app/c, app/c"},
		{"the preferred one is logged out", []Binding{app, gone(token)}, Options{Prefer: prefer("api.one.com", "token")}, "app/c, app/c"},
		{"all are logged out", []Binding{gone(app), gone(token)}, Options{Prefer: prefer("api.one.com", "token")}, "token/c needs a login, app or token"},
		{"the preferred one is unusable", []Binding{app, unusable}, Options{Prefer: prefer("api.one.com", "token")}, "token/c needs a login, app or token"},
		{"a preference for a connection that does not exist", []Binding{app, token}, Options{Prefer: prefer("api.one.com", "token=lost")}, "app or token, app or token"},
		{"default", []Binding{asDefault(work), home}, Options{}, "app/work, app/work"},
		{"no default", []Binding{work, home}, Options{}, "app=home or app=work, app=home or app=work"},
		{"preferred over the default", []Binding{asDefault(work), home}, Options{Prefer: prefer("api.one.com", "app=home")}, "app/home, app/work"},
		{"preferred provider, its default", []Binding{asDefault(work), home, token}, Options{Prefer: prefer("api.one.com", "app")}, "app/work, app or token"},
		{"preferred provider without a default", []Binding{work, home, token}, Options{Prefer: prefer("api.one.com", "app")}, "app=home or app=work, app=home or app=work or token"},
		{"named over preferred and default", []Binding{asDefault(work), home, token}, Options{Choose: []Choice{{"app", "home"}}, Prefer: prefer("api.one.com", "token")}, "app/home, app/home"},
		{"named, of both providers", []Binding{asDefault(work), home, token}, Options{Choose: []Choice{{"app", "home"}, {"token", "c"}}, Prefer: prefer("api.one.com", "token")}, "token/c, app or token"},
		{"named and logged out", []Binding{asDefault(work), gone(home)}, Options{Choose: []Choice{{"app", "home"}}}, "app/home needs a login, app/home needs a login"},
		{"named and unknown", []Binding{asDefault(work)}, Options{Only: []Choice{{"app", "lost"}}}, "app/lost needs a login, app/lost needs a login"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, err := newTable([]*providers.Definition{define(t, "app", `["api.one.com","*.one.net"]`, ""), define(t, "token", `["*.one.net","api.one.com","only.one.com"]`, "")}, tt.bindings, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			api, wild := table.Request("GET", "api.one.com", 443, "/x"), table.Request("GET", "x.one.net", 443, "/x")
			if got := served(api) + ", " + served(wild); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			for _, s := range table.Shared() { // the list says the same
				if d := table.Request("GET", strings.Replace(s.Host, "*", "any", 1), 443, "/"); d.Reason == RouteAmbiguous != (s.Server == Choice{}) || d.Reason == Matched && (Choice{d.Provider, d.Connection} != s.Server) {
					t.Errorf("%s: %s, but the list says %+v", s.Host, served(d), s)
				}
				if (s.Server == Choice{}) != (len(s.Choices) > 1) || table.Server(s) != s.Server {
					t.Errorf("%+v", s)
				}
			}
		})
	}
}

// Only the requests that both match equally well are shared.
func TestShared(t *testing.T) {
	for _, tt := range []struct{ a, b, want string }{
		{`"hosts":["a.com"]`, `"hosts":["b.com","a.com"]`, "a.com"},
		{`"hosts":["a.com"]`, `"hosts":["A.com."]`, "a.com"},
		{`"hosts":["a.com"]`, `"hosts":["a.com:8443"]`, ""},
		{`"hosts":["a.com:8443"]`, `"hosts":["a.com:8443"]`, "a.com:8443"},
		{`"hosts":["a.com"]`, `"hosts":["*.a.com"]`, ""},
		{`"hosts":["api.a.com"]`, `"hosts":["*.a.com"]`, ""},
		{`"hosts":["*.a.com"]`, `"hosts":["*.a.com"]`, "*.a.com"},
		{`"hosts":["*.b.a.com"]`, `"hosts":["*.a.com"]`, ""},
		{`"hosts":["a.com"],"paths":["/x"]`, `"hosts":["a.com"],"paths":["/y","/x"]`, "a.com/x"},
		{`"hosts":["a.com"],"paths":["/x","/y"]`, `"hosts":["a.com"],"paths":["/y","/x"]`, "a.com/x a.com/y"},
		{`"hosts":["a.com"],"paths":["/x"]`, `"hosts":["a.com"],"paths":["/x/y"]`, ""},
		{`"hosts":["a.com"],"paths":["/x"]`, `"hosts":["a.com"]`, ""},
		{`"hosts":["a.com"],"methods":["GET"]`, `"hosts":["a.com"],"methods":["POST"]`, ""},
		{`"hosts":["a.com"],"methods":["GET"]`, `"hosts":["a.com"]`, "a.com"},
	} {
		table, err := newTable([]*providers.Definition{define2(t, "a", ","+tt.a), define2(t, "b", ","+tt.b)}, []Binding{bind("a", "c"), bind("b", "c")}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range table.Shared() {
			host := s.Host
			if s.Port != 443 {
				host = fmt.Sprint(host, ":", s.Port)
			}
			got = append(got, host+s.Path)
			if diff := cmp.Diff(Shared{Among: []Choice{{"a", "c"}, {"b", "c"}}, Choices: []string{"a", "b"}}, s, cmpopts.IgnoreFields(Shared{}, "Host", "Port", "Path"), cmpopts.IgnoreUnexported(Shared{})); diff != "" {
				t.Errorf("%s and %s: %s", tt.a, tt.b, diff)
			}
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s and %s: shared %q, want %q", tt.a, tt.b, got, tt.want)
		}
	}
}

// A preference for one host of a wildcard is listed once, and only where requests to that
// host match the wildcard: another entry of the definitions may match them better.
func TestPreferredHostsOfAWildcard(t *testing.T) {
	for _, tt := range []struct{ a, b, prefer, want string }{
		{`"hosts":["api.a.com","*.a.com"]`, `"hosts":["api.a.com","*.a.com"]`, "api.a.com", "*.a.com api.a.com"},
		{`"hosts":["*.a.com"]`, `"hosts":["*.a.com"]`, "api.a.com", "*.a.com api.a.com"},
		{`"hosts":["api.a.com","*.a.com"]`, `"hosts":["*.a.com"]`, "api.a.com", "*.a.com"},
		{`"hosts":["*.b.a.com","*.a.com"]`, `"hosts":["*.b.a.com","*.a.com"]`, "x.b.a.com", "*.a.com *.b.a.com x.b.a.com"},
		{`"hosts":["*.a.com"]`, `"hosts":["*.a.com"]`, "*.b.a.com", "*.a.com"},
		{`"hosts":["api.a.com:8443","*.a.com"]`, `"hosts":["*.a.com"]`, "api.a.com", "*.a.com api.a.com"},
		{`"hosts":["*.a.com"]`, `"hosts":["*.a.com"]`, "third.a.com", "*.a.com third.a.com"}, // third allows GET only
		{`"hosts":["*.a.com"],"methods":["GET"]`, `"hosts":["*.a.com"],"methods":["GET"]`, "third.a.com", "*.a.com"},
		{`"hosts":["*.b.com"]`, `"hosts":["*.b.com"]`, "third.b.com", "*.b.com third.b.com"}, // third excludes /x
		{`"hosts":["*.b.com"],"exclude_paths":["/x"]`, `"hosts":["*.b.com"],"exclude_paths":["/x"]`, "third.b.com", "*.b.com"},
	} {
		o := Options{Prefer: map[string]Choice{tt.prefer: {Provider: "b"}}}
		table, err := newTable([]*providers.Definition{
			define2(t, "a", ","+tt.a), define2(t, "b", ","+tt.b),
			define2(t, "gets", `,"hosts":["third.a.com"],"methods":["GET"]`), define2(t, "most", `,"hosts":["third.b.com"],"exclude_paths":["/x"]`),
		}, []Binding{bind("a", "c"), bind("b", "c"), bind("gets", "c"), bind("most", "c")}, o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range table.Shared() {
			got = append(got, s.Host)
			if server := table.Server(s); server != s.Server {
				t.Errorf("%s and %s: %s is served by %v, and the list says %v", tt.a, tt.b, s.Host, server, s.Server)
			}
			if s.MatchHost("*.b.a.com") != (s.Host == "*.b.a.com") {
				t.Errorf("%s and %s: %s can be preferred as *.b.a.com", tt.a, tt.b, s.Host)
			}
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%s and %s, %s preferred: %q, want %q", tt.a, tt.b, tt.prefer, got, tt.want)
		}
	}
}

// Uses leaves out connections that can never serve a request, so that their tokens are
// not refreshed in the background.
func TestUses(t *testing.T) {
	definitions := []*providers.Definition{define(t, "app", `["api.one.com","*.one.net"]`, ""), define(t, "token", `["api.one.com","*.one.net"]`, "")}
	bindings := []Binding{asDefault(bind("app", "work")), bind("app", "home"), asDefault(bind("token", "c"))}
	for _, tt := range []struct {
		prefer map[string]Choice
		want   string
	}{
		{nil, ""},
		{map[string]Choice{"api.one.com": {Provider: "app"}}, "app/work"},
		{map[string]Choice{"api.one.com": {Provider: "token"}, "*.one.net": {Provider: "token"}}, "token/c"},
		{map[string]Choice{"api.one.com": {Provider: "token"}, "*.one.net": {Provider: "token"}, "x.one.net": {"app", "home"}}, "app/home token/c"},
	} {
		table, err := newTable(definitions, bindings, Options{Prefer: tt.prefer})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, b := range []Binding{bindings[1], bindings[0], bindings[2]} {
			if table.Uses(b.Provider, b.Connection) {
				got = append(got, b.Provider+"/"+b.Connection)
			}
		}
		if got := strings.Join(got, " "); got != tt.want {
			t.Errorf("%v: used %q, want %q", tt.prefer, got, tt.want)
		}
		if n := table.Len(); n != 4 {
			t.Errorf("%d routes, want each host once for a provider", n)
		}
	}
}

// A connection with unknown hosts takes nothing from the others of its provider.
func TestUnknownHostsOfOneConnection(t *testing.T) {
	bindings := []Binding{bindAt("a", "https://a.net"), bind("own", "lost")}
	for _, tt := range []struct {
		options Options
		problem bool
		err     bool
	}{
		{Options{}, true, false},
		{Options{Only: []Choice{{Provider: "own"}}}, true, false},
		{Options{Only: []Choice{{"own", "a"}}}, false, false},
		{Options{Only: []Choice{{"own", "lost"}}}, false, true},
		{Options{Choose: []Choice{{"own", "lost"}}}, false, true},
	} {
		table, err := newTable([]*providers.Definition{own(t)}, bindings, tt.options)
		if unfilled := new(providers.UnfilledError); tt.err != errors.As(err, &unfilled) || (err != nil) != tt.err {
			t.Errorf("%+v: %v", tt.options, err)
		}
		if err != nil {
			continue
		}
		if d := table.Request("GET", "a.net", 443, "/"); d.Connection != "a" || len(table.Problems()) > 0 != tt.problem {
			t.Errorf("%+v: %s, problems %v", tt.options, served(d), table.Problems())
		}
	}
}

// A definition does not clash with itself: two of its entries can be the same host.
func TestSameHostTwice(t *testing.T) {
	table, err := newTable([]*providers.Definition{define2(t, "twice", `,"hosts":["{base_url}","a.net"]`)}, []Binding{{Provider: "twice", Connection: "c", Values: providers.Values{"base_url": secret.New("https://a.net")}}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if d := table.Request("GET", "a.net", 443, "/"); d.Reason != Matched || len(table.Shared()) > 0 || !table.Uses("twice", "c") {
		t.Errorf("%s, shared %v", served(d), table.Shared())
	}
}
