package providers

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sharedHosts lists the groups of definitions that have the same hosts, because a
// service has several ways to authenticate and each has its own definition. A user who
// connects two of a group chooses which one serves the hosts: authsome connection prefer.
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
	for _, c := range clashes(bundledSet(t).All()) {
		group := func(names string) bool {
			allowed := strings.Fields(names)
			return !slices.ContainsFunc(c.Providers, func(p string) bool { return !slices.Contains(allowed, p) })
		}
		if !slices.ContainsFunc(sharedHosts, group) {
			t.Errorf("the definitions %v all have the host %s", c.Providers, c.Host)
		}
	}
}

func TestClashes(t *testing.T) {
	named := func(name, more string) *Definition {
		return parse(t, fmt.Sprintf(`{"schema_version":2,"name":%q,"flows":["api_key"],"params":[{"name":"api_key","secret":true},{"name":"x"}]%s}`, name, more))
	}
	for _, tt := range []struct{ a, b, want string }{
		{`,"hosts":["a.com"]`, `,"hosts":["b.com","a.com"]`, "[{a.com [a b]}]"},
		{`,"hosts":["a.com"]`, `,"hosts":["A.com."]`, "[{a.com [a b]}]"},
		{`,"hosts":["a.com"]`, `,"hosts":["a.com:8443"]`, "[]"},
		{`,"hosts":["a.com"]`, `,"hosts":["*.a.com"]`, "[]"},
		{`,"hosts":["api.a.com"]`, `,"hosts":["*.a.com"]`, "[]"},
		{`,"hosts":["a.com"],"paths":["/x"]`, `,"hosts":["a.com"],"paths":["/y","/x"]`, "[{a.com [a b]}]"},
		{`,"hosts":["a.com"],"paths":["/x"]`, `,"hosts":["a.com"],"paths":["/x/y"]`, "[]"},
		{`,"hosts":["a.com"],"paths":["/x"]`, `,"hosts":["a.com"]`, "[]"},
		{`,"hosts":["a.com"],"methods":["GET"]`, `,"hosts":["a.com"],"methods":["POST"]`, "[]"},
		{`,"hosts":["a.com"],"methods":["GET"]`, `,"hosts":["a.com"]`, "[{a.com [a b]}]"},
		{`,"hosts":["{x}.a.com"]`, `,"hosts":["{x}.a.com"]`, "[{{x}.a.com [a b]}]"},
		{`,"hosts":["{x}.a.com"]`, `,"hosts":["*.a.com"]`, "[]"},
		{`,"hosts":["{base_url}"],"base_url":"https://a.com"`, `,"hosts":["a.com"]`, "[{{base_url} [a b]}]"},
	} {
		if got := fmt.Sprint(clashes([]*Definition{named("a", tt.a), named("b", tt.b)})); got != tt.want {
			t.Errorf("%s and %s: %s, want %s", tt.a, tt.b, got, tt.want)
		}
	}
}

// clash is a host that several definitions match equally well. If more than one of them
// is connected, a preference decides which one serves it.
type clash struct {
	Host      string // as written in one of the definitions
	Providers []string
}

// clashes compares definitions with each other. Templates of hosts clash if they can
// become the same host.
func clashes(definitions []*Definition) []clash {
	type claim struct {
		d    *Definition
		text string
	}
	claims := make(map[string][]claim)
	var keys []string
	for _, d := range definitions {
		for _, h := range d.hosts {
			key := h.claim(d)
			if key == "" {
				continue
			}
			if claims[key] == nil {
				keys = append(keys, key)
			}
			claims[key] = append(claims[key], claim{d, h.text})
		}
	}
	var found []clash
	for _, key := range keys {
		group := claims[key]
		c := clash{Host: group[0].text}
		for _, a := range group {
			if slices.ContainsFunc(group, func(b claim) bool { return b.d != a.d && overlap(a.d, b.d) }) {
				c.Providers = append(c.Providers, a.d.Name)
			}
		}
		if len(c.Providers) > 1 {
			slices.Sort(c.Providers)
			found = append(found, c)
		}
	}
	return found
}

// claim returns a key that is equal for hosts that are equally specific and can be the
// same host.
func (h host) claim(d *Definition) string {
	p, kind := h.pattern, strconv.Itoa(int(h.pattern.kind))
	if h.text == "{base_url}" {
		if d.BaseURL == "" {
			return ""
		}
		var err error
		if p, err = parsePattern(d.BaseURL); err != nil {
			return ""
		}
		kind = strconv.Itoa(int(p.kind))
	} else if h.names != nil {
		if h.suffix == "" {
			return ""
		}
		kind = "template"
	}
	return strings.Join([]string{kind, p.host, strconv.Itoa(p.port)}, " ")
}

// overlap reports whether a request can match both definitions, and neither is more
// specific.
func overlap(a, b *Definition) bool {
	if len(a.Methods) > 0 && len(b.Methods) > 0 && !slices.ContainsFunc(a.Methods, func(m string) bool { return slices.Contains(b.Methods, m) }) {
		return false
	}
	if len(a.Paths) == 0 || len(b.Paths) == 0 {
		return len(a.Paths) == len(b.Paths)
	}
	return slices.ContainsFunc(a.Paths, func(p string) bool { return slices.Contains(b.Paths, p) })
}
