package providers

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func bundledSet(t testing.TB) *Set {
	t.Helper()
	s, err := Load(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestBundledFilesAreComplete checks that every file is a valid definition with the
// information that people need.
func TestBundledFilesAreComplete(t *testing.T) {
	files, err := bundled.ReadDir("bundled")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 45 {
		t.Errorf("found only %d files", len(files))
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
				t.Errorf("definition %s is in the file %s", d.Name, f.Name())
			}
			if d.Docs == "" || d.Category == "" || d.DisplayName == d.Name && d.Name != strings.ToLower(d.Name) {
				t.Error("docs, category or display_name is missing")
			}
			m := d.Metadata
			if m == nil || m.Source == "" || (m.Checked == "") != m.Unverified {
				t.Error("metadata needs a source, and either the date of the check or unverified")
			}
			if (len(d.OAuthPaths) > 0) != (m != nil && m.OAuthPathsSource != "") {
				t.Error("oauth_paths need metadata.oauth_paths_source, and the other way round")
			}
			for _, u := range d.Endpoints() {
				if !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "{base_url}") {
					t.Errorf("endpoint %s is not https", u)
				}
			}
			for _, v := range d.Variables() {
				if v.Secret && v.Value != "" && !HasPlaceholder(v.Placeholder) {
					t.Errorf("placeholder %q of %s is not recognised", v.Placeholder, v.Name)
				}
			}
		})
	}
}

// The source of oauth_paths says of each path where it was found, and the date is there
// if somebody found at least one of them.
func TestBundledOAuthPathsSayWhereTheyWereFound(t *testing.T) {
	for _, d := range bundledSet(t).All() {
		if len(d.OAuthPaths) == 0 {
			continue
		}
		var named []string
		found := false
		for entry := range strings.SplitSeq(d.Metadata.OAuthPathsSource, "; ") {
			source, paths, several := strings.Cut(entry, ": ")
			if u, err := url.Parse(source); (err != nil || u.Scheme != "https" || u.Host == "") && source != "public client code" && source != "not confirmed" {
				t.Errorf("%s: %q is neither the URL of a page nor one of the two texts", d.Name, source)
			}
			found = found || source != "not confirmed"
			if several {
				named = append(named, strings.Split(paths, ", ")...)
			} else {
				named = append(named, d.OAuthPaths...)
			}
		}
		slices.Sort(named)
		if want := slices.Sorted(slices.Values(d.OAuthPaths)); !slices.Equal(named, want) {
			t.Errorf("%s: the source names the paths %q instead of %q", d.Name, named, want)
		}
		if found != (d.Metadata.OAuthPathsChecked != "") {
			t.Errorf("%s: oauth_paths_checked is %q, and found is %v", d.Name, d.Metadata.OAuthPathsChecked, found)
		}
	}
}

// TestBundledPatternsMatchOnlyTheService checks that each pattern matches the hosts of
// the service and no look-alikes, and that the verify request gets the credential.
func TestBundledPatternsMatchOnlyTheService(t *testing.T) {
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
				if !p.MatchHost(example) || !d.Claims(example, p.port) && hasFixedHosts(d) {
					t.Errorf("%s does not match %s", p, example)
				}
				for _, miss := range nearMisses(p, example) {
					if p.MatchHost(miss) {
						t.Errorf("%s matches %s", p, miss)
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
			matches := func(p Pattern) bool {
				_, ok := p.MatchPath(u.Path)
				return ok && p.MatchHost(u.Hostname()) && p.port == port
			}
			if !slices.ContainsFunc(patterns, matches) || d.Excludes(u.Path) || d.OAuthEndpoints(values).Match(u.Path) {
				t.Errorf("the verify request to %s gets no credential", u)
			}
		})
	}
}

// hasFixedHosts reports whether all hosts are known without a connection.
func hasFixedHosts(d *Definition) bool {
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

// nearMisses returns hosts of others that look like a host of the pattern.
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
