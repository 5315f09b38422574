package providers

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/authsome/authsome/internal/hosts"
)

// endpoint is a compiled OAuth endpoint of a service.
type endpoint struct {
	field, url string
	path       string // template of the path
	host       host   // unused if anyBase is set
	anyBase    bool   // the URL begins with {base_url}
}

// compileEndpoints prepares the endpoints for OAuthEndpoints.
func (d *Definition) compileEndpoints(f *faults) {
	for _, m := range d.oauths() {
		for _, e := range m.oauth.endpoints() {
			if e.text == "" {
				continue
			}
			compiled, err := d.compileEndpoint(m.field+"."+e.member, e.text)
			if err != nil {
				f.addError(err)
				continue
			}
			d.endpoints = append(d.endpoints, compiled)
		}
	}
}

// endpoints returns the templates of the endpoints, some of which may be empty.
func (o *OAuth) endpoints() []memberText {
	revocation := ""
	if o.Revocation != nil {
		revocation = o.Revocation.URL
	}
	return []memberText{
		{"authorization_url", o.AuthorizationURL}, {"token_url", o.TokenURL}, {"refresh_url", o.RefreshURL},
		{"device_authorization_url", o.DeviceURL}, {"registration_url", o.RegistrationURL}, {"revocation.url", revocation},
	}
}

func (d *Definition) compileEndpoint(field, text string) (endpoint, error) {
	e := endpoint{field: field, url: text}
	rest, own := strings.CutPrefix(text, "{base_url}")
	if own {
		if rest != "" && !strings.HasPrefix(rest, "/") {
			return e, &FieldError{field, "only a path can follow {base_url}", ""}
		}
		e.anyBase = true
		e.path, _, _ = strings.Cut(rest, "?")
		if d.BaseURL != "" {
			_, err := checkEndpoint("base_url", d.BaseURL)
			return e, err
		}
		return e, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return e, &FieldError{field, "not a URL", "begin it with https://"}
	}
	authority, rest, _ := strings.Cut(rest, "/")
	authority, _, _ = strings.Cut(authority, "?")
	if names(authority) == nil {
		host, err := checkEndpoint(field, fillWithLetter(text))
		if err != nil {
			return e, err
		}
		e.host.pattern = Pattern{kind: Exact, host: host}
	} else {
		if scheme != "https" {
			return e, &FieldError{field, "secrets are sent over https only", "begin it with https://"}
		}
		var err error
		if e.host, err = d.compileHost(field, authority); err != nil {
			return e, &FieldError{field, err.Error(), ""}
		}
	}
	e.path, _, _ = strings.Cut(rest, "?")
	return e, nil
}

// fillWithLetter replaces each name in a template with a letter, to check the text
// around the names.
func fillWithLetter(template string) string {
	text, _ := fill(template, func(string) (string, error) { return "x", nil })
	return text
}

// OAuthEndpoints returns the paths that are OAuth endpoints for a connection with
// the values. The paths of a {base_url} begin with its path.
//
// An endpoint on a host that the service does not have is excluded alone: there,
// the paths under it are the API's own. For example, Atlassian issues tokens at
// auth.atlassian.com/oauth/token, and api.atlassian.com/oauth/token/accessible-resources
// is an ordinary request.
func (d *Definition) OAuthEndpoints(values Values) Endpoints {
	own := d.withoutQuery(d.value(values, nameBaseURL))
	base := ""
	if u, err := url.Parse(own); err == nil {
		base = strings.Trim(u.Path, "/")
	}
	var all Endpoints
	all.add(d, d, own, base)
	if d.known != nil {
		for _, o := range d.known() {
			all.add(o, d, own, base)
		}
	}
	return all
}

// add adds the OAuth endpoints of a definition for connections of d, whose base URL
// has the path base.
func (all *Endpoints) add(of, d *Definition, baseURL, base string) {
	for _, e := range of.endpoints {
		if e.anyBase {
			all.paths = append(all.paths, excludePath("/"+base+"/"+e.path, false))
		} else {
			all.paths = append(all.paths, excludePath(e.path, !d.hasHost(e.host, baseURL)))
		}
	}
	for _, p := range of.OAuthPaths {
		all.paths = append(all.paths, excludePath(p, false))
		if base != "" {
			all.paths = append(all.paths, excludePath("/"+base+p, false))
		}
	}
}

// checkOAuthPaths checks the paths in oauth_paths.
func (d *Definition) checkOAuthPaths(f *faults) {
	for i, p := range d.OAuthPaths {
		field := fmt.Sprintf("oauth_paths[%d]", i)
		fixed := false
		for text := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
			if strings.Count(text, "*") > 1 {
				f.add(field, "a segment can have only one *", "")
			}
			fixed = fixed || text != "" && !strings.Contains(text, "*")
		}
		switch {
		case !strings.HasPrefix(p, "/"):
			f.add(field, "a path must begin with /", "")
		case !fixed:
			f.add(field, "no segment is fixed, so too many paths match", "write at least one segment without *")
		case strings.ContainsAny(p, "?#%\\{} ") || cleanPath(p) != strings.TrimSuffix(p, "/"):
			f.add(field, "the path has dot segments, doubled slashes, escapes, braces, spaces or a query", "write the decoded path, for example /oauth/*/token")
		}
	}
	if m := d.Metadata; m != nil && m.OAuthPathsChecked != "" {
		if _, err := time.Parse(time.DateOnly, m.OAuthPathsChecked); err != nil {
			f.add("metadata.oauth_paths_checked", "not a date", "for example 2026-11-29")
		}
	}
}

// hasHost reports whether the host of an endpoint can be a host of a connection with
// the base URL.
func (d *Definition) hasHost(endpoint host, baseURL string) bool {
	if endpoint.names != nil && endpoint.suffix == "" {
		return true // an unknown host counts
	}
	for _, h := range d.hosts {
		p := h.pattern
		if h.names != nil && h.suffix == "" {
			var err error
			if p, err = parsePattern(baseURL); err != nil {
				return true
			}
		}
		if p.overlaps(endpoint.pattern) {
			return true
		}
	}
	return false
}

// cleanPath removes doubled slashes, dot segments and a final slash. A backslash
// counts as a slash.
func cleanPath(p string) string {
	p = strings.ReplaceAll(p, `\`, "/")
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return path.Clean(p) // does not allocate if nothing changes
}

// Endpoints returns the templates of the URLs that secrets of the service are sent
// to, and the URL at which discovery starts, if the definition uses it.
func (d *Definition) Endpoints() []string {
	var urls []string
	for _, e := range d.endpoints {
		urls = append(urls, e.url)
	}
	for _, m := range d.oauths() {
		switch m.oauth.Discovery {
		case "issuer":
			urls = append(urls, m.oauth.Issuer)
		case "resource":
			urls = append(urls, m.oauth.Resource)
		}
	}
	return urls
}

// Issuer returns a text that identifies where client credentials and refresh tokens
// may be sent: the issuer and each endpoint that receives them. They must be used
// only if the text is the same as when they were obtained, so that a changed
// definition cannot send them to another endpoint. The text is empty for a service
// without OAuth.
func (d *Definition) Issuer(values Values) (string, error) {
	var parts []string
	for _, t := range d.issuerTemplates() {
		text, err := d.Expand(t.member, t.text, values)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " "), nil
}

// ResourceURL returns the identifier of the resource that tokens are for (RFC 8707), or ""
// if the definition has none. If it is {base_url}, it is the address as it was given: unlike
// in other URLs, a slash at the end and a query are parts of the identifier (RFC 9728
// section 3.1).
func (d *Definition) ResourceURL(values Values) (string, error) {
	o := d.OAuth
	if o == nil || o.Resource == "" {
		return "", nil
	}
	if d.baseIsResource() {
		if base := d.value(values, nameBaseURL); base != "" {
			return base, nil
		}
	}
	return d.Expand("oauth.resource", o.Resource, values)
}

// baseIsResource reports whether the base URL of a connection is the identifier of its
// resource. Then it can have a query.
func (d *Definition) baseIsResource() bool { return d.OAuth != nil && d.OAuth.Resource == "{base_url}" }

// issuerTemplates returns the templates of the text that Issuer returns.
func (d *Definition) issuerTemplates() []memberText {
	o := d.OAuth
	if o == nil {
		return nil
	}
	all := []memberText{{"oauth.issuer", o.Issuer}, {"oauth.token_url", o.TokenURL}, {"oauth.refresh_url", o.RefreshURL}}
	all = slices.DeleteFunc(all, func(t memberText) bool { return t.text == "" })
	if len(all) == 0 && o.Resource != "" {
		all = []memberText{{"oauth.resource", o.Resource}}
	}
	return all
}

// checkEndpoint checks the URL of an OAuth endpoint and returns its host. The URL
// must be https, and an IP address in it must be public. Loopback is allowed for
// development, with http too.
func checkEndpoint(field, s string) (host string, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "", &FieldError{field, "not a URL", "begin it with https://"}
	}
	loopback := hosts.IsLoopback(u.Hostname())
	kind, isAddress := hosts.KindOfHost(u.Hostname())
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback):
		return "", &FieldError{field, "secrets are sent over https only", "begin it with https://"}
	case u.User != nil || u.Fragment != "":
		return "", &FieldError{field, "the URL cannot have a user name or a fragment", ""}
	case isAddress && !loopback && kind != hosts.Public:
		return "", &FieldError{field, u.Hostname() + " is not a public address", "use {base_url}, so that each user gives the address"}
	}
	if host, err = hosts.Normalize(u.Hostname()); err != nil {
		return "", &FieldError{field, err.Error(), ""}
	}
	return host, nil
}
