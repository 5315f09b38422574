package providers

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/net/http/httpguts"
)

var (
	validName     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	validParam    = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)
	validVariable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// ValidateName reports why name cannot be the name of a provider, as a
// [*FieldError], or nil.
func ValidateName(name string) error {
	if !validName.MatchString(name) {
		return &FieldError{"name", "not a name", "use lower-case letters, digits, dots, hyphens"}
	}
	return nil
}

// validate refuses what could not work, or would not be safe. Of schema 1 only
// what its fields can say is looked at.
func (d *Definition) validate() error {
	if err := ValidateName(d.Name); err != nil {
		return err
	}
	if d.SchemaVersion == 1 {
		return d.validate1()
	}
	for _, check := range []func() error{
		d.checkFlows, d.checkParams, d.checkHosts, d.checkPaths, d.checkInject, d.checkRemove, d.checkOAuth, d.checkEnv, d.checkVerify, d.checkAbout,
	} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *Definition) checkFlows() error {
	if len(d.Flows) == 0 {
		return &FieldError{"flows", "missing", "say how a credential is obtained: " + strings.Join(closedSet("flows"), ", ")}
	}
	for i, flow := range d.Flows {
		field := fmt.Sprintf("flows[%d]", i)
		if err := oneOf(field, flow); err != nil {
			return err
		}
		if slices.Index(d.Flows, flow) < i {
			return &FieldError{field, "it is there twice", ""}
		}
		if flow != FlowAPIKey && d.OAuth == nil {
			return &FieldError{"oauth", "missing", flow + " needs to know at least the token endpoint"}
		}
	}
	return nil
}

// required holds members to being there.
func required(at string, members map[string]string) error {
	for _, name := range sortedKeys(members) {
		if members[name] == "" {
			return &FieldError{at + name, "missing", ""}
		}
	}
	return nil
}

// checkNames holds a template to names that something fills.
func (d *Definition) checkNames(field, template string, more ...string) error {
	for _, name := range names(template) {
		oauth := slices.ContainsFunc(d.Flows, func(f string) bool { return f != FlowAPIKey })
		switch {
		case d.Param(name) != nil, name == nameBaseURL, slices.Contains(more, name):
		case oauth && (name == nameAccessToken || name == nameClientID):
		default:
			known := append([]string{nameBaseURL}, more...)
			for _, p := range d.Params {
				known = append(known, p.Name)
			}
			remedy := "add a param of that name"
			if near := nearest(name, known); near != "" {
				remedy = "is {" + near + "} meant?"
			}
			return &FieldError{field, "nothing fills {" + name + "}", remedy}
		}
	}
	return nil
}

func (d *Definition) checkHosts() error {
	if len(d.Hosts) == 0 {
		return &FieldError{"hosts", "missing", "name the hosts that the credential may go to"}
	}
	for i, h := range d.hosts {
		switch {
		case strings.Contains(h.text, "://"):
			return &FieldError{h.field, "a host has no scheme", "write the host alone, and what follows it into paths"}
		case strings.HasPrefix(h.text, "regex:"):
			return &FieldError{h.field, "expressions are of schema 1", "write *.example.com, or a param in the host's name"}
		case slices.Index(d.Hosts, h.text) < i:
			return &FieldError{h.field, "it is there twice", ""}
		case slices.ContainsFunc(h.names, d.secret), slices.Contains(h.names, nameClientID):
			return &FieldError{h.field, "a secret is no part of a host's name, which is never encrypted on its way", ""}
		}
		if err := d.checkNames(h.field, h.text); err != nil {
			return err
		}
	}
	if d.BaseURL != "" {
		if p, err := parsePattern(d.BaseURL); err != nil || p.kind != Exact {
			return &FieldError{"base_url", "not the https address of a host", "as https://example.com"}
		}
	}
	return nil
}

func (d *Definition) checkPaths() error {
	for _, list := range []struct {
		name  string
		paths []string
	}{{"paths", d.Paths}, {"exclude_paths", d.Exclude}} {
		for i, p := range list.paths {
			field := fmt.Sprintf("%s[%d]", list.name, i)
			switch {
			case !strings.HasPrefix(p, "/"):
				return &FieldError{field, "a path begins with /", ""}
			case p == "/":
				return &FieldError{field, "/ is every path", "leave it out"}
			case strings.ContainsAny(p, "?#%\\*{} ") || cleanPath(p) != strings.TrimSuffix(p, "/"):
				return &FieldError{field, "the path has dot segments, doubled slashes, escapes, wildcards or a query", "write the prefix as it is decoded"}
			}
		}
	}
	for i, m := range d.Methods {
		if !httpguts.ValidHeaderFieldName(m) || m != strings.ToUpper(m) || m == "CONNECT" || m == "TRACE" {
			return &FieldError{fmt.Sprintf("methods[%d]", i), fmt.Sprintf("%q is no method that can carry a credential", m), "as GET, in capitals"}
		}
	}
	return nil
}

func (d *Definition) checkVerify() error {
	v := d.Verify
	if v == nil {
		return nil
	}
	if err := absentOr("verify.method", v.Method); err != nil {
		return err
	}
	if v.Body != "" && !jsontext.Value(v.Body).IsValid() {
		return &FieldError{"verify.body", "not JSON", ""}
	}
	if err := d.checkNames("verify.url", v.URL); err != nil {
		return err
	}
	if !isURL(v.URL) {
		return &FieldError{"verify.url", "not a URL", "write it with https://"}
	}
	if strings.HasPrefix(v.URL, "{base_url}") {
		if !d.namesBaseURL() {
			return &FieldError{"verify.url", "{base_url} is not one of the hosts", ""}
		}
		return nil
	}
	authority, path, _ := strings.Cut(strings.TrimPrefix(v.URL, "https://"), "/")
	path, _, _ = strings.Cut("/"+path, "?")
	for _, h := range d.hosts {
		own, ok := strings.CutPrefix(h.text, "*.")
		if h.text != authority && !(ok && strings.HasSuffix(authority, "."+own)) {
			continue
		}
		if p := d.narrowed(h.pattern); names(path) == nil {
			if _, under := p.MatchPath(path); !under || d.Excludes(path) {
				return &FieldError{"verify.url", "its path is not one that gets the credential", "add it to paths, or verify elsewhere"}
			}
		}
		return nil
	}
	return &FieldError{"verify.url", "its host is not one of the hosts", "write the host as it is there"}
}

func (d *Definition) checkAbout() error {
	if err := absentOr("category", d.Category); err != nil {
		return err
	}
	if m := d.Metadata; m != nil && m.Checked != "" {
		if _, err := time.Parse(time.DateOnly, m.Checked); err != nil {
			return &FieldError{"metadata.checked", "not a date", "as 2026-11-24"}
		}
	}
	return d.checkLinks()
}

func (d *Definition) checkLinks() error {
	for _, link := range []struct{ field, url string }{{"docs", d.Docs}, {"key_url", d.KeyURL}} {
		text := link.url
		if text == "" {
			continue
		}
		if err := d.checkNames(link.field, text); err != nil {
			return err
		}
		if rest, ok := strings.CutPrefix(text, "{base_url}"); ok {
			text = "https://example.com" + rest
		}
		if u, err := url.Parse(fillLiterally(text)); err != nil || u.Scheme != "https" || u.Host == "" {
			return &FieldError{link.field, "not an https link", ""}
		}
	}
	return nil
}
