package providers

import (
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/authsome/authsome/secret"
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

// sharedHosts are the services that have several ways in, which are definitions
// of their own and meet on the same hosts. Whoever connects two of a group says
// which one is meant.
var sharedHosts = []string{
	"airtable airtable-pat",
	"atlassian atlassian-api-token",
	"digitalocean digitalocean-token",
	"discord discord-bot",
	"figma figma-pat",
	"github github-pat",
	"gitlab gitlab-pat",
	"google google-service-account",
	"hubspot hubspot-private-app",
	"klaviyo klaviyo-oauth",
	"linear linear-api-key",
	"microsoft microsoft-app",
	"notion notion-token",
	"shopify shopify-token",
	"slack slack-token",
	"snowflake snowflake-token",
	"square square-token",
	"todoist todoist-token",
	"twilio twilio-key",
	"upstash upstash-vector",
	"webflow webflow-token",
	"zoom zoom-s2s",
}

func TestBundledHostsAreDistinct(t *testing.T) {
	for _, c := range Clashes(bundledSet(t).All()) {
		group := func(names string) bool {
			allowed := strings.Fields(names)
			return !slices.ContainsFunc(c.Providers, func(p string) bool { return !slices.Contains(allowed, p) })
		}
		if !slices.ContainsFunc(sharedHosts, group) {
			t.Errorf("%s is claimed by %v", c.Host, c.Providers)
		}
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

// What arrives at each service, given sample values; reviewed by eye.
func TestGolden(t *testing.T) {
	dir := filepath.Join("testdata", "golden")
	if *update {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	seen := make(map[string]bool)
	for _, d := range bundledSet(t).All() {
		t.Run(d.Name, func(t *testing.T) {
			got := render(t, d)
			path := filepath.Join(dir, d.Name+".txt")
			seen[path] = true
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || string(want) != got {
				t.Errorf("got\n%s\nwant\n%s(%v)\ngo test ./providers -update writes it", got, want, err)
			}
		})
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.txt"))
	for _, f := range files {
		if !seen[f] {
			t.Errorf("%s is of no definition", f)
		}
	}
}

// render is a definition as it acts: a request in which the client sent
// placeholders, as it leaves.
func render(t *testing.T, d *Definition) string {
	t.Helper()
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s "+format+"\n", append([]any{name}, args...)...)
	}
	values := sampleValues(t, d)
	line("service", "%s, %s, by %s", d.DisplayName, d.Category, strings.Join(d.Flows, " or "))
	for _, p := range d.Params {
		from := ""
		if p.From != "" {
			from = ", from " + p.From
		}
		line("param", "%s%s = %s", p.Name, from, values[p.Name].Reveal())
	}
	patterns, err := d.Patterns(values)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range patterns {
		name := p.host
		if p.kind != Exact {
			name = "*" + p.host
		}
		if p.port != 443 {
			name = fmt.Sprintf("%s:%d", name, p.port)
		}
		line("host", "%s", strings.TrimSpace(name+" "+strings.Join(p.paths, " ")))
	}
	if len(d.Exclude) > 0 {
		line("except", "%s", strings.Join(d.Exclude, " "))
	}
	if len(d.Methods) > 0 {
		line("methods", "%s", strings.Join(d.Methods, " "))
	}
	for _, kind := range []string{nameAPIKey, nameAccessToken} {
		if kind == nameAPIKey && !d.HasFlow(FlowAPIKey) || kind == nameAccessToken && d.AuthType() == AuthAPIKey && len(d.Flows) == 1 {
			continue
		}
		of := make(Values)
		for name, v := range values {
			if name != nameAPIKey && name != nameAccessToken || name == kind || d.Param(name) != nil && kind == nameAPIKey {
				of[name] = v
			}
		}
		b.WriteString(renderRequest(t, d, patterns, of))
	}
	for _, u := range d.Endpoints() {
		line("sign-in", "%s", u)
	}
	env := d.Environment(values)
	for _, v := range d.Variables() {
		line("child", "%s=%s", v.Name, env[v.Name])
	}
	if v := d.Verify; v != nil {
		line("verify", "%s %s", cmp.Or(v.Method, "GET"), expandURL(t, d, "verify.url", v.URL, values))
	}
	return b.String()
}

var changing = regexp.MustCompile(`20[0-9]{6}(T[0-9]{6}Z)?|Signature=[0-9a-f]{64}`)

func renderRequest(t *testing.T, d *Definition, patterns []Pattern, values Values) string {
	t.Helper()
	i, err := d.Injection(Credential{Values: values})
	if err != nil {
		t.Fatal(err)
	}
	host := patterns[0].host
	if patterns[0].kind != Exact {
		host = "sample" + host
	}
	path := "/"
	if len(patterns[0].paths) > 0 {
		path = patterns[0].paths[0]
	}
	for _, in := range d.Inject {
		if in.In == InPath {
			path = in.Prefix + PlaceholderMark + "/x"
			break
		}
	}
	r, err := http.NewRequest("GET", "https://"+host+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Inject) == 0 {
		r.Header.Set("Authorization", "Bearer "+PlaceholderMark)
	}
	for _, in := range d.Inject {
		switch in.In {
		case InHeader:
			if !in.IfAbsent {
				r.Header.Set(in.Name, PlaceholderMark)
			}
		case InQuery:
			r.URL.RawQuery += "&" + in.Name + "=" + PlaceholderMark
		case InSigV4:
			r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+PlaceholderMark+"/20260101/us-east-1/s3/aws4_request, SignedHeaders=host;x-amz-date, Signature=0")
		}
	}
	r.URL.RawQuery = strings.TrimPrefix(r.URL.RawQuery, "&")
	if err := i.Apply(r); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "request   GET %s\n", r.URL)
	var head strings.Builder
	r.Header.Write(&head)
	for line := range strings.Lines(strings.ReplaceAll(head.String(), "\r\n", "\n")) {
		fmt.Fprintf(&b, "          %s", changing.ReplaceAllString(line, "…"))
	}
	return b.String()
}

// sampleValues are values of the shape that the definition asks for. Secrets
// read as their own names where their shape does not matter.
func sampleValues(t *testing.T, d *Definition) Values {
	t.Helper()
	values := Values{nameAccessToken: secret.New("ACCESS-TOKEN"), nameClientID: secret.New("CLIENT-ID")}
	values[nameBaseURL] = secret.New(cmp.Or(d.BaseURL, "https://own.example.com"))
	if !d.namesBaseURL() {
		delete(values, nameBaseURL)
	}
	for i := range d.Params {
		p := &d.Params[i]
		if !p.asked() && p.From != FromToken && p.From != FromCallback {
			continue
		}
		values[p.Name] = secret.New(sampleValue(t, d, p))
	}
	if err := d.Derive(values); err != nil {
		t.Fatal(err)
	}
	return values
}

func sampleValue(t *testing.T, d *Definition, p *Param) string {
	t.Helper()
	var taken []*Param
	for i := range d.Params {
		if d.Params[i].From == p.Name {
			taken = append(taken, &d.Params[i])
		}
	}
	for _, o := range taken {
		if o.Path != "" {
			document := make(map[string]string)
			for _, o := range taken {
				document[o.Path] = strings.ToUpper(o.Name)
			}
			text, err := json.Marshal(document)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
	}
	switch {
	case p.Default != "":
		return p.Default
	case p.Pattern != "" && (!p.Secret || len(taken) > 0):
		return fitting(t, p.Pattern)
	case len(taken) > 0 && taken[0].Match != "":
		return fitting(t, strings.TrimSuffix(taken[0].Match, "$"))
	case p.From == FromToken && slices.Contains(d.Hosts, "{"+p.Name+"}"):
		return p.Name + ".example.com"
	case !p.Secret:
		return "my-" + strings.ReplaceAll(p.Name, "_", "-")
	}
	return strings.ToUpper(strings.ReplaceAll(p.Name, "_", "-"))
}

// fitting is a short text that a pattern accepts.
func fitting(t *testing.T, pattern string) string {
	t.Helper()
	expr, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	text, err := example(expr.Simplify())
	if err != nil || !regexp.MustCompile(pattern).MatchString(text) {
		t.Fatalf("no sample for %s: %q, %v", pattern, text, err)
	}
	return text
}

func example(e *syntax.Regexp) (string, error) {
	switch e.Op {
	case syntax.OpLiteral:
		return string(e.Rune), nil
	case syntax.OpCharClass:
		for _, want := range "ax1-" {
			for i := 0; i < len(e.Rune); i += 2 {
				if e.Rune[i] <= want && want <= e.Rune[i+1] {
					return string(want), nil
				}
			}
		}
		return string(e.Rune[0]), nil
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x", nil
	case syntax.OpCapture, syntax.OpPlus:
		return example(e.Sub[0])
	case syntax.OpStar, syntax.OpQuest, syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText, syntax.OpBeginLine, syntax.OpEndLine:
		return "", nil
	case syntax.OpAlternate:
		return example(e.Sub[0])
	case syntax.OpConcat:
		var b strings.Builder
		for _, sub := range e.Sub {
			text, err := example(sub)
			if err != nil {
				return "", err
			}
			b.WriteString(text)
		}
		return b.String(), nil
	}
	return "", errors.New("unknown operator " + e.Op.String())
}
