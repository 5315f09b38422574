package routing

import (
	"net/url"
	gopath "path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
)

// spellings are paths that some server takes for /oauth/token or for a path under it.
var spellings = []string{
	"/oauth/token", "/oauth/token/", "/oauth/token//", "//oauth/token", "/oauth//token", "/oauth/./token", "/./oauth/token", "/x/../oauth/token", "/oauth/x/../token",
	"/OAUTH/Token", "/oauth/tokeN/", "/oauth/dev%C4%B1ce", "/oauth/%E2%84%AAey", "/oauth/to\u212aen", // to upper or lower case, two letters become ASCII
	"/oauth/token.json", "/oauth/token.xml", "/oauth/token.JSON/", "/oauth/token.", "/oauth/token..", "/oauth/token%2ejson", "/oauth/token.a.b", "/oauth./token", "/oauth./token.",
	"/oauth/token%20", "/oauth/token%20%20", "/oauth/token%09", "/oauth/token%0a", "/oauth/token%0d%0a", "/oauth/token%00", "/oauth/token%00.html", "/oauth/token%a0", "/oauth/token%c2%a0", "/oauth/token%20/", "/oauth/token+",
	"/oauth%20/token", "/oauth%09/token", "/oauth/%09token", "/oauth/to%09ken", "/oauth/%20token", "/oauth/token%7f", "/oauth/token%1f.json", "/oauth/..%20/oauth/token",
	"/oauth/token%3f", "/oauth/token%3fx=y", "/oauth/token%23", "/oauth/token%23x", "/oauth/token%253fx", "/oauth/token%2523", "/oauth/token%3f/../x",
	"/oauth/token;", "/oauth/token;x=y", "/oauth/token;x=y/", "/oauth;x=y/token", "/;x/oauth/token", "/oauth/token%3bx", "/x/..;/oauth/token", "/x/..;a=b/oauth/token", "/oauth/.;/token", "/oauth/token%253bx",
	"/oauth/%74oken", "/%6fauth/token", "/oauth/%2574oken", "/oauth/%252574oken", "/oauth/%25252574oken", "/%25%36%66auth/token", "/oauth/%2%35%37%34oken", "/oauth/token%", "/oauth/%25u0074oken",
	"/oauth%2ftoken", "/oauth%2Ftoken", "/oauth%252ftoken", "/oauth%25252ftoken", "/x%2f..%2foauth%2ftoken", "/%2e%2e/oauth/token", "/x/%2e%2e/oauth/token", "/x/%252e%252e/oauth/token", "/oauth/%2e/token", "/x%2f%2e%2e/oauth/token",
	`/oauth\token`, "/oauth%5ctoken", "/oauth%255ctoken", `/x\..\oauth\token`, `\oauth\token`, "/x/..%5coauth/token", "/oauth/token%5c", "/oauth%25u2215token",
	"/oauth%c0%aftoken", "/oauth%c1%9ctoken", "/oauth%e0%80%aftoken", "/oauth%f0%80%80%aftoken", "/oauth/%c1%b4oken", "/x/%c0%ae%c0%ae/oauth/token", "/oauth%25c0%25aftoken", "/oauth/token%c0%80",
	"/oauth%ef%bc%8ftoken", "/oauth/%ef%bd%94oken", "/oauth%e2%88%95token", "/oauth%e2%81%84token", "/oauth%ef%bc%bctoken", "/x/%ef%bc%8e%ef%bc%8e/oauth/token", "/oauth/token%ef%bc%9fx", "/oauth/%ef%bc%8574oken",
	"/index.php/oauth/token", "/oauth/token/index.php", "/oauth/token/x", "/oauth/token/x/y.json", "/app.php/oauth/token.json", "/oauth/token.php/x", "/oauth/INDEX.PHP/token", "/api.cgi/oauth/token",
	"/oauth/token!x", "/oauth/token,x", "/oauth/token:x", "/oauth/token=x", "/oauth/token(x)", "/oauth/token&x", "/oauth/token'", "/oauth/token%22", "/oauth/token*", "/oauth/token~",
	"/x%0a/oauth/token%0a", "/%00/oauth/token", "/oauth/token/..", "/oauth/token/../..", "/oauth/token/%2e%2e/x", "/oauth%ef%bc%8ftoken/..%20",
}

// others are paths of an API that has its token endpoint at /oauth/token.
var others = []string{
	"/", "/oauth", "/oauth/", "/oauth/tokens", "/oauth/token-info", "/oauth/token_info", "/oauth/tokeninfo", "/oauth2/token", "/v1/oauth/token", "/oauth/x/token", "/token", "/oauth.token", "/x/oauth",
	"/api/oauth%20token", "/files/a%2Fb%2Foauth%2Ftoken.rb/raw", "/files/%E6%97%A5%E6%9C%AC.txt", "/rooms/%23room%3Aserver.org", "/a%3fb", "/100%25", "/x%252fy", "/a;x=1/b", "/a//b", "/a/../b", "/a.b/c.", "/search/a+b",
	"/oauth/apps/token", "/oauth/authorize", "/index.php", "/index.php/oauth", "/a/index.php/b",
}

// spellingTables has one table in which /oauth/token is a token endpoint and one in
// which it is excluded.
func spellingTables(t testing.TB) []*Table {
	t.Helper()
	var tables []*Table
	for _, text := range []string{
		`,"oauth":{"authorization_url":"https://one.com/x/authorize","token_url":"https://api.one.com/oauth/token","device_authorization_url":"https://api.one.com/oauth/device","registration_url":"https://api.one.com/oauth/Key","revocation":{"url":"https://api.one.com/oauth/toKen"}}`,
		`,"exclude_paths":["/oauth/token","/oauth/device","/oauth/key"]`,
	} {
		table, err := newTable([]*providers.Definition{define2(t, "one", `,"hosts":["api.one.com"]`+text)}, []Binding{bind("one", "c")}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	return tables
}

// No spelling of an OAuth endpoint or of an excluded path gets the credential, and the
// other paths of the API do.
func TestSpellingsOfExcludedPaths(t *testing.T) {
	for i, table := range spellingTables(t) {
		for _, path := range spellings {
			switch d := table.Request("POST", "api.one.com", 443, path); {
			case d.Action == Inject:
				t.Errorf("table %d: %q gets the credential", i, path)
			case d.Reason != OAuthEndpoint && d.Reason != PathOutside && d.Reason != PathAmbiguous:
				t.Errorf("table %d: %q: %s", i, path, d.Reason)
			}
		}
		for _, path := range others {
			if d := table.Request("POST", "api.one.com", 443, path); d.Action != Inject {
				t.Errorf("table %d: %q gets no credential: %s", i, path, d.Reason)
			}
		}
	}
}

// decoded is a path after one decoding, or the path itself if an escape is invalid.
func decoded(p string) string {
	if d, err := url.PathUnescape(p); err == nil {
		return d
	}
	return p
}

var (
	parameters = regexp.MustCompile(`;[^/]*`)
	format     = regexp.MustCompile(`\.[^./?]+$`)
	slashes    = regexp.MustCompile(`/+`)
	padded     = regexp.MustCompile(`[ .]+(/|$)`)
	wide       = strings.NewReplacer("／", "/", "．", ".", "ｔ", "t", "\u2215", "/", "\xc0\xaf", "/", "\xc0\xae", ".")
)

// servers are models of how servers find the handler of a path, from their sources
// and documentation. Each takes the escaped path and returns the path of the handler.
var servers = map[string]func(string) string{
	"net/http":       func(p string) string { return gopath.Clean(decoded(p)) },
	"raw":            func(p string) string { return p },
	"nginx":          func(p string) string { return gopath.Clean(slashes.ReplaceAllString(decoded(p), "/")) },
	"nginx, proxied": func(p string) string { return gopath.Clean(decoded(gopath.Clean(decoded(p)))) },
	"Express": func(p string) string {
		p, _, _ = strings.Cut(decoded(p), "?")
		return strings.TrimSuffix(strings.ToLower(p), "/")
	},
	"Express, mounted": func(p string) string {
		p = strings.ToLower(decoded(p))
		return "/" + strings.Join(head(strings.Split(strings.TrimPrefix(p, "/"), "/"), 2), "/")
	},
	"Rails": func(p string) string {
		return strings.TrimSuffix(format.ReplaceAllString(strings.TrimSuffix(slashes.ReplaceAllString(decoded(p), "/"), "/"), ""), "/")
	},
	"Django, $":   func(p string) string { return strings.TrimSuffix(decoded(p), "\n") },
	"Tomcat":      func(p string) string { return gopath.Clean(decoded(parameters.ReplaceAllString(p, ""))) },
	"Spring":      func(p string) string { return gopath.Clean(parameters.ReplaceAllString(decoded(p), "")) },
	"twice":       func(p string) string { return gopath.Clean(decoded(decoded(p))) },
	"three times": func(p string) string { return gopath.Clean(decoded(decoded(decoded(p)))) },
	"IIS": func(p string) string {
		p = strings.ReplaceAll(decoded(decoded(p)), `\`, "/")
		return strings.ToLower(gopath.Clean(padded.ReplaceAllString(gopath.Clean(p), "$1")))
	},
	"zero byte":   func(p string) string { p, _, _ = strings.Cut(decoded(p), "\x00"); return gopath.Clean(p) },
	"number sign": func(p string) string { p, _, _ = strings.Cut(decoded(p), "#"); return gopath.Clean(p) },
	"PHP": func(p string) string {
		_, info, ok := strings.Cut(decoded(p), ".php")
		if !ok {
			return p
		}
		return info
	},
	"URL parser": func(p string) string {
		return gopath.Clean(strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.Trim(decoded(p), " ")))
	},
	"wide, mounted": func(p string) string {
		return "/" + strings.Join(head(strings.Split(strings.TrimPrefix(wide.Replace(decoded(p)), "/"), "/"), 2), "/")
	},
	"wide": func(p string) string { return gopath.Clean(wide.Replace(decoded(p))) },
}

func head(list []string, n int) []string { return list[:min(n, len(list))] }

// FuzzExcludedPaths checks that no server finds its token endpoint, or an excluded
// path, at a path to which the proxy adds a credential.
func FuzzExcludedPaths(f *testing.F) {
	for _, path := range slices.Concat(spellings, others) {
		f.Add(path)
	}
	tables := spellingTables(f)
	f.Fuzz(func(t *testing.T, path string) {
		if !strings.HasPrefix(path, "/") {
			path = "/" + path
		}
		for i, table := range tables {
			if d := table.Request("POST", "api.one.com", 443, path); d.Action != Inject {
				continue
			}
			for name, handler := range servers {
				if got := handler(path); got == "/oauth/token" || strings.HasPrefix(got, "/oauth/token/") {
					t.Errorf("table %d: %q gets the credential, and to %s it is %q", i, path, name, got)
				}
			}
		}
	})
}
