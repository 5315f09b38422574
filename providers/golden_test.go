package providers

import (
	"cmp"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files and the published schema")

// TestGolden compares what each definition does to a request with a file that a person
// has reviewed.
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
			t.Errorf("%s belongs to no definition", f)
		}
	}
}

// render describes the effect of a definition with sample values. The requests in it
// had placeholders from the client.
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
	if len(d.OAuthPaths) > 0 {
		line("not at", "%s", strings.Join(d.OAuthPaths, " "))
	}
	if len(d.Methods) > 0 {
		line("methods", "%s", strings.Join(d.Methods, " "))
	}
	for _, kind := range []string{nameAPIKey, nameAccessToken} {
		if kind == nameAPIKey && !d.HasFlow(FlowAPIKey) || kind == nameAccessToken && d.AuthType() == AuthAPIKey && len(d.Flows) == 1 {
			continue
		}
		some := make(Values)
		for name, v := range values {
			if name != nameAPIKey && name != nameAccessToken || name == kind || d.Param(name) != nil && kind == nameAPIKey {
				some[name] = v
			}
		}
		b.WriteString(renderRequest(t, d, patterns, some))
	}
	for _, u := range d.Endpoints() {
		line("sign-in", "%s", u)
	}
	env := d.Environment(values)
	for _, v := range d.Variables() {
		if v.Unset {
			line("child", "not %s", v.Name)
			continue
		}
		line("child", "%s=%s", v.Name, env[v.Name])
	}
	if v := d.Verify; v != nil {
		line("verify", "%s %s", cmp.Or(v.Method, "GET"), expandURL(t, d, "verify.url", v.URL, values))
	}
	return b.String()
}

// changing matches the parts of a signature that depend on the time.
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
