package routing

import (
	_ "embed"
	"net/url"
	gopath "path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/providers"
)

//go:embed testdata/spellings.txt
var spellingList string

// spellings are paths that some server takes for /oauth/token or a path under it, or for
// one of the other endpoints of spellingTables.
var spellings = strings.Fields(spellingList)

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
