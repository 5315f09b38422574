package providers

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/hosts"
)

// endpoint is a place of the service's own sign-in.
type endpoint struct {
	field, url string
	host       host     // without names: compare with its pattern; a base_url alone: any host
	segments   []string // of the path, each a template
	anywhere   bool     // the path may have something before it: the address is the user's own
}

// compileEndpoints prepares what OAuthEndpoint compares with.
func (d *Definition) compileEndpoints() error {
	o := d.OAuth
	if o == nil {
		return nil
	}
	revocation := ""
	if o.Revocation != nil {
		revocation = o.Revocation.URL
	}
	for _, e := range []struct{ field, url string }{
		{"oauth.authorization_url", o.AuthorizationURL}, {"oauth.token_url", o.TokenURL}, {"oauth.refresh_url", o.RefreshURL},
		{"oauth.device_authorization_url", o.DeviceURL}, {"oauth.registration_url", o.RegistrationURL}, {"oauth.revocation.url", revocation},
	} {
		if e.url == "" {
			continue
		}
		compiled, err := d.compileEndpoint(e.field, e.url)
		if err != nil {
			return err
		}
		d.endpoints = append(d.endpoints, compiled)
	}
	return nil
}

func (d *Definition) compileEndpoint(field, text string) (endpoint, error) {
	e := endpoint{field: field, url: text}
	rest, own := strings.CutPrefix(text, "{base_url}")
	if own {
		if rest != "" && !strings.HasPrefix(rest, "/") {
			return e, &FieldError{field, "a path follows {base_url}", ""}
		}
		e.anywhere = true
		e.segments = segments(rest)
		if d.BaseURL != "" {
			_, err := checkEndpoint("base_url", d.BaseURL)
			return e, err
		}
		return e, nil
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return e, &FieldError{field, "not a URL", "write it with https://"}
	}
	authority, rest, _ := strings.Cut(rest, "/")
	authority, _, _ = strings.Cut(authority, "?")
	if names(authority) == nil {
		host, err := checkEndpoint(field, fillLiterally(text))
		if err != nil {
			return e, err
		}
		e.host.pattern = Pattern{kind: Exact, host: host}
	} else {
		if scheme != "https" {
			return e, &FieldError{field, "secrets travel over https only", ""}
		}
		var err error
		if e.host, err = d.compileHost(field, authority); err != nil {
			return e, &FieldError{field, err.Error(), ""}
		}
	}
	e.segments = segments(rest)
	return e, nil
}

// fillLiterally puts a letter in place of each name, for checks of what is
// around them.
func fillLiterally(template string) string {
	text, _ := fill(template, func(string) (string, error) { return "x", nil })
	return text
}

// segments are those of a path template, cleaned, without query, in lower case:
// to some servers /OAuth/Token is the same.
func segments(template string) []string {
	template, _, _ = strings.Cut(strings.ToLower(template), "?")
	return strings.Split(strings.Trim(path.Clean("/"+template), "/"), "/")
}

// OAuthEndpoint reports whether a decoded path on host is one of the service's
// own sign-in endpoints, which never get a stored credential: their answers are
// new secrets. Doubled slashes, dot segments, a final slash and capitals make no
// difference. Where an address depends on the connection, any that it could be
// counts.
func (d *Definition) OAuthEndpoint(host, decoded string) bool {
	if len(d.endpoints) == 0 {
		return false
	}
	cleaned := strings.ToLower(strings.Trim(cleanPath(decoded), "/"))
	if cleaned == "" {
		return false
	}
	for i := range d.endpoints {
		if d.endpoints[i].is(host, cleaned) {
			return true
		}
	}
	return false
}

func (e *endpoint) is(host, cleaned string) bool {
	if len(e.segments) == 1 && e.segments[0] == "" {
		return false // a host's root is not kept from everything else there
	}
	whole := e.anywhere || e.host.names != nil && e.host.suffix == ""
	if !whole && !e.host.pattern.MatchHost(host) {
		return false
	}
	// From the end, because a base address may have a path of its own.
	for i := len(e.segments) - 1; i >= 0; i-- {
		segment := cleaned
		slash := strings.LastIndexByte(cleaned, '/')
		if slash >= 0 {
			segment, cleaned = cleaned[slash+1:], cleaned[:slash]
		} else {
			cleaned = ""
		}
		if !matchSegment(e.segments[i], segment) {
			return false
		}
		if slash < 0 {
			return i == 0
		}
	}
	return e.anywhere || cleaned == ""
}

// matchSegment compares with a template in which names stand for any text.
func matchSegment(template, segment string) bool {
	before, _, after, ok := cutName(template)
	if !ok {
		return template == segment
	}
	rest, ok := strings.CutPrefix(segment, before)
	return ok && len(rest) > 0 && (names(after) != nil || strings.HasSuffix(rest, after))
}

func cleanPath(p string) string {
	p = strings.ReplaceAll(p, `\`, "/")
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return path.Clean(p) // which is p itself where nothing changes
}

// Endpoints are the URLs that will be sent secrets of the service, as templates.
// Of a service that is asked for its endpoints, the address where that begins.
func (d *Definition) Endpoints() []string {
	var urls []string
	for _, e := range d.endpoints {
		urls = append(urls, e.url)
	}
	if o := d.OAuth; o != nil && o.Discovery == "issuer" {
		urls = append(urls, o.Issuer)
	} else if o != nil && o.Discovery == "resource" {
		urls = append(urls, o.Resource)
	}
	return urls
}

// Issuer is the text that client credentials and refresh tokens belong to: the
// issuer, and every endpoint that they would be sent to. They are used with no
// other, so that a definition with another token endpoint cannot be given what
// was obtained for this one. It is empty for a service without sign-in.
func (d *Definition) Issuer(values Values) (string, error) {
	var parts []string
	for _, t := range d.signIn() {
		text, err := d.Expand(t.member, t.text, values)
		if err != nil {
			return "", err
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " "), nil
}

// signIn are the templates that Issuer is made of.
func (d *Definition) signIn() []memberText {
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

// checkEndpoint checks the URL of an OAuth endpoint and returns its host. It must
// be https on a public host. Loopback is allowed for development, over http too.
func checkEndpoint(field, s string) (host string, err error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "", &FieldError{field, "not a URL", "write it with https://"}
	}
	loopback := hosts.IsLoopback(u.Hostname())
	kind, isAddress := hosts.KindOfHost(u.Hostname())
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback):
		return "", &FieldError{field, "secrets travel over https only", "write it with https://"}
	case u.User != nil || u.Fragment != "":
		return "", &FieldError{field, "a user name or a fragment does not belong here", ""}
	case isAddress && !loopback && kind != hosts.Public:
		return "", &FieldError{field, "a private address", "use {base_url}, and let the user say where the service is"}
	}
	if host, err = hosts.Normalize(u.Hostname()); err != nil {
		return "", &FieldError{field, err.Error(), ""}
	}
	return host, nil
}
