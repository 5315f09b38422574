package providers

import (
	"flag"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

func bundledSet(t testing.TB) *Set {
	t.Helper()
	s, err := Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every file is a valid definition, and has what people need to know.
func TestBundled(t *testing.T) {
	files, err := bundled.ReadDir("bundled")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 45 {
		t.Errorf("%d files", len(files))
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(f.Name(), ".json"), func(t *testing.T) {
			data, err := bundled.ReadFile("bundled/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			d, err := Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			if d.Name+".json" != f.Name() {
				t.Errorf("%s is in the file %s", d.Name, f.Name())
			}
			if d.Docs == "" || d.Category == "" || d.DisplayName == d.Name && d.Name != strings.ToLower(d.Name) {
				t.Error("documentation or category is missing")
			}
			m := d.Metadata
			if m == nil || m.Source == "" || (m.Checked == "") != m.Unverified {
				t.Error("metadata names the source of the facts, and the date they were checked or that they are unverified")
			}
			for _, u := range d.Endpoints() {
				if !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "{base_url}") {
					t.Errorf("endpoint %s", u)
				}
			}
			for _, v := range d.Variables() {
				if v.Secret && !HasPlaceholder(v.Placeholder) {
					t.Errorf("placeholder %q of %s would not be recognised", v.Placeholder, v.Name)
				}
			}
		})
	}
}

// Each pattern takes what the definition says is a request to the service, and
// nothing that only looks like it.
func TestBundledPatterns(t *testing.T) {
	for _, d := range bundledSet(t).All() {
		t.Run(d.Name, func(t *testing.T) {
			values := sampleValues(t, d)
			patterns, err := d.Patterns(values)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range patterns {
				example := p.host
				if p.kind != Exact {
					example = "sample" + p.host
				}
				if !p.MatchHost(example) || !d.Claims(example, p.port) && d.fixed() {
					t.Errorf("%s does not take %s", p, example)
				}
				for _, miss := range nearMisses(p, example) {
					if p.MatchHost(miss) {
						t.Errorf("%s takes %s", p, miss)
					}
				}
			}
			if d.Verify == nil {
				return
			}
			u := expandURL(t, d, "verify.url", d.Verify.URL, values)
			port := 443
			if u.Port() != "" {
				fmt.Sscan(u.Port(), &port)
			}
			meant := func(p Pattern) bool {
				_, under := p.MatchPath(u.Path)
				return under && p.MatchHost(u.Hostname()) && p.port == port
			}
			if !slices.ContainsFunc(patterns, meant) || d.Excludes(u.Path) || d.OAuthEndpoint(u.Hostname(), u.Path) {
				t.Errorf("%s gets no credential", u)
			}
		})
	}
}

// fixed reports whether all hosts are known without a connection.
func (d *Definition) fixed() bool {
	return !slices.ContainsFunc(d.hosts, func(h host) bool { return h.names != nil && h.suffix == "" })
}

func expandURL(t *testing.T, d *Definition, field, template string, values Values) *url.URL {
	t.Helper()
	text, err := d.Expand(field, template, values)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// nearMisses are hosts of somebody else that look like one of the pattern's.
func nearMisses(p Pattern, host string) []string {
	misses := []string{
		"evil-" + strings.TrimPrefix(p.host, "."), "evil" + strings.TrimPrefix(p.host, "."), host + ".evil.net", host + "evil", host + "-x.net",
		strings.Replace(p.host, ".", "-", 1) + ".evil.net", host[:len(host)-1], host + ".", strings.ToUpper(host), host + ":443", host + "/", host + "@evil.net",
	}
	if i := strings.LastIndexByte(host, '.'); i >= 0 {
		misses = append(misses, host[:i]+"-"+host[i+1:], host[i+1:], "evil"+host[i:])
	}
	for _, look := range []struct{ letter, like string }{{"o", "0"}, {"l", "1"}, {"i", "l"}, {"a", "\u0430"}, {"e", "\u0435"}, {"m", "rn"}} {
		if i := strings.LastIndex(host, look.letter); i >= len(host)-len(p.host) {
			misses = append(misses, host[:i]+look.like+host[i+1:])
		}
	}
	if p.kind == Exact {
		_, parent, _ := strings.Cut(host, ".")
		misses = append(misses, "sub."+host, parent)
	} else {
		misses = append(misses, p.host[1:])
	}
	return misses
}
