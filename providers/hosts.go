package providers

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/authsome/authsome/internal/hosts"
)

// host is one entry of hosts, compiled as far as possible without the values of a
// connection.
type host struct {
	field, text string
	names       []string // names in the template; nil if the host is fixed
	pattern     Pattern  // the host if it is fixed, otherwise every host that the template can become
	suffix      string   // fixed end of a template, with its dot; empty if a name is the whole host
}

// compileHosts compiles the hosts. A definition of schema 1 can be without a host: its
// credential is stored, and goes nowhere.
func (d *Definition) compileHosts(f *faults) {
	d.hosts = make([]host, 0, len(d.Hosts))
	var kept []string
	for i, text := range d.Hosts {
		field := d.hostField(i)
		h, err := d.compileHost(field, text)
		if d.lenient && (isRefusedHost(err) || err != nil && d.SchemaVersion == 1) {
			d.drop(field, "%q: %v", text, err)
			continue
		}
		if err != nil {
			hint := ""
			if _, shared := errors.AsType[*sharedError](err); shared {
				hint = "list the service's own hosts, or use {name}.example.com"
			}
			f.add(field, fmt.Sprintf("%q: %v", text, err), hint)
			continue
		}
		d.hosts, kept = append(d.hosts, h), append(kept, text)
	}
	if len(kept) == 0 && len(d.dropped) > 0 && d.SchemaVersion != 1 {
		f.addError(d.dropped[0]) // nothing that is left can be used
	}
	if len(kept) < len(d.Hosts) && !f.about("hosts") {
		d.Hosts = kept
	}
}

// refused reports whether the host of a URL is one of hosts that has a fault.
func (d *Definition) refused(f *faults, url string) bool {
	_, rest, _ := strings.Cut(url, "://")
	authority, _, _ := strings.Cut(rest, "/")
	return f.about("hosts") && slices.ContainsFunc(d.Hosts, func(host string) bool {
		end, wildcard := strings.CutPrefix(host, "*")
		return host == authority || wildcard && strings.HasSuffix(authority, end)
	})
}

// isRefusedHost reports whether an error is about a host that is well-formed, but that
// never gets a credential.
func isRefusedHost(err error) bool {
	_, shared := errors.AsType[*sharedError](err)
	_, reserved := errors.AsType[*reservedError](err)
	return shared || reserved
}

// drop records that a part of the definition is left out.
func (d *Definition) drop(field, format string, args ...any) {
	d.dropped = append(d.dropped, &FieldError{Field: field, Reason: "not used: " + fmt.Sprintf(format, args...)})
}

// compileHost compiles one entry of hosts. In schema 1 it may be a URL or a regular
// expression.
func (d *Definition) compileHost(field, text string) (host, error) {
	h := host{field: field, text: text}
	if h.names = names(text); h.names == nil || d.SchemaVersion == 1 && strings.HasPrefix(text, "regex:") {
		h.names = nil
		var err error
		if h.pattern, err = parsePattern(text); err == nil && h.pattern.kind != Exact && !d.signs() {
			err = checkTenants(h.pattern.host[1:])
		}
		return h, err
	}
	last := text[strings.LastIndexByte(text, '}')+1:]
	last, port, _ := strings.Cut(last, ":")
	if text == "{"+h.names[0]+"}" || text == "{"+h.names[0]+"}:"+port {
		return h, d.checkWholeHost(h)
	}
	if slices.Contains(h.names, nameBaseURL) {
		return h, errors.New("{base_url} is a complete URL and cannot be part of a host")
	}
	dot := strings.IndexByte(last, '.')
	if dot < 0 {
		return h, errors.New("a host must end in a fixed domain, as in {name}.example.com")
	}
	h.suffix = last[dot:]
	name, err := hosts.Normalize(h.suffix[1:])
	if err != nil {
		return h, err
	}
	if suffix, icann := publicsuffix.PublicSuffix(name); icann && suffix == name {
		return h, &sharedError{name}
	}
	h.pattern = Pattern{kind: Wildcard, host: h.suffix, port: 443, text: text}
	if port != "" {
		h.pattern.port, err = parsePort(port)
	}
	return h, err
}

// checkWholeHost refuses a param as the whole host, unless the value comes from the
// user, as {base_url}, or from the token response of the service.
func (d *Definition) checkWholeHost(h host) error {
	if h.names[0] == nameBaseURL {
		return nil
	}
	if p := d.Param(h.names[0]); p != nil && p.From == FromToken {
		return nil
	}
	return errors.New("only {base_url} or a param from the token response can be the whole host")
}

// Patterns returns the hosts of a connection with the values: those of the
// definition with the templates filled. The connection's base_url replaces that of
// the definition. A definition of schema 1 without a base URL gets it as an
// additional host; if only its OAuth endpoints contain {base_url}, the hosts stay.
func (d *Definition) Patterns(values Values) ([]Pattern, error) {
	own := values[nameBaseURL].Reveal()
	if strings.Contains(own, "*") { // a pattern, which would give the credential to many hosts
		return nil, &FieldError{nameBaseURL, "expected the address of one host, without *", ""}
	}
	patterns := make([]Pattern, 0, len(d.hosts))
	for _, h := range d.hosts {
		if h.text == "{base_url}" && d.value(values, nameBaseURL) == "" && len(d.hosts) > 1 {
			continue // the connection has no base URL, and the service has other hosts
		}
		p, err := d.fillHost(h, values)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, d.withPaths(p))
	}
	switch {
	case own == "" || own == d.BaseURL || d.namesBaseURL():
	case !d.AcceptsBaseURL():
		return nil, &FieldError{nameBaseURL, d.Name + " does not accept a base URL", ""}
	case d.ownBase:
		p, err := parsePattern(own)
		if err != nil {
			return nil, &FieldError{nameBaseURL, err.Error(), ""}
		}
		patterns = append(patterns, p)
	default:
		if err := checkEndpointBase(own); err != nil {
			return nil, err
		}
	}
	return patterns, nil
}

// checkEndpointBase checks a base URL on which a connection has only OAuth endpoints. It
// can be on loopback, as those can.
func checkEndpointBase(base string) error {
	if u, err := url.Parse(base); err == nil && hosts.IsLoopback(u.Hostname()) {
		_, err := checkEndpoint(nameBaseURL, base)
		return err
	}
	if _, err := parsePattern(base); err != nil {
		return &FieldError{nameBaseURL, err.Error(), ""}
	}
	return nil
}

// namesBaseURL reports whether {base_url} is one of the hosts.
func (d *Definition) namesBaseURL() bool {
	return slices.ContainsFunc(d.hosts, func(h host) bool { return h.text == "{base_url}" })
}

// withPaths adds the definition's paths to a host.
func (d *Definition) withPaths(p Pattern) Pattern {
	if len(d.Paths) == 0 {
		return p
	}
	base := ""
	if len(p.paths) == 1 {
		base = strings.TrimSuffix(p.paths[0], "/")
	}
	p.paths = make([]string, len(d.Paths))
	for i, prefix := range d.Paths {
		p.paths[i] = base + prefix
	}
	return p
}

// fillHost fills one entry of hosts for a connection. The values cannot change the
// fixed end of the host. They cannot contain a dot either, unless the param has a
// pattern that allows it. Errors do not contain the values.
func (d *Definition) fillHost(h host, values Values) (Pattern, error) {
	if h.names == nil {
		return h.pattern, nil
	}
	invalid := func(reason string) (Pattern, error) { return Pattern{}, &FieldError{h.field, reason, ""} }
	text, err := fill(h.text, func(name string) (string, error) {
		v := d.value(values, name)
		if v == "" {
			return "", &UnfilledError{h.field, name}
		}
		if name == nameBaseURL {
			return d.withoutQuery(v), nil
		}
		p := d.Param(name)
		dots := h.suffix == "" || p != nil && p.Pattern != ""
		if !hasHostChars(v) || !dots && strings.Contains(v, ".") || p != nil && d.CheckValue(name, v) != nil {
			return "", &FieldError{h.field, "the value of " + name + " is not valid in a host name", ""}
		}
		return strings.ToLower(v), nil
	})
	if err != nil {
		return Pattern{}, err
	}
	p, err := parsePattern(text)
	switch {
	case err != nil && h.text == "{base_url}":
		return Pattern{}, &FieldError{nameBaseURL, err.Error(), ""}
	case err != nil:
		return invalid(err.Error())
	case h.text == "{base_url}":
		return p, nil
	case h.suffix == "" && !publicName(p.host):
		return invalid("the service returned a host that is not public")
	case h.suffix != "" && !strings.HasSuffix(p.host, h.suffix):
		return invalid("the values change the fixed end of the host")
	}
	return p, nil
}

// withoutQuery returns the part of a base URL that says where the credential is sent. Only
// the identifier of a resource can have a query; in another base URL it is an error, which
// the caller finds.
func (d *Definition) withoutQuery(base string) string {
	if d.baseIsResource() {
		base, _, _ = strings.Cut(base, "?")
	}
	return base
}

// publicName reports whether name is in a domain that is registered in a public
// registry.
func publicName(name string) bool {
	suffix, icann := publicsuffix.PublicSuffix(name)
	_, err := publicsuffix.EffectiveTLDPlusOne(name)
	return err == nil && (icann || strings.Contains(suffix, "."))
}

// Claims reports whether any connection of the service could have the host.
func (d *Definition) Claims(host string, port int) bool {
	for _, h := range d.hosts {
		if h.names != nil && h.suffix == "" {
			if h.text == "{base_url}" && d.BaseURL != "" {
				if p, err := parsePattern(d.BaseURL); err == nil && p.MatchHost(host) && p.port == port {
					return true
				}
			}
			continue
		}
		if h.pattern.MatchHost(host) && h.pattern.port == port {
			return true
		}
	}
	return false
}

// Allows reports whether requests with the method get the credential.
func (d *Definition) Allows(method string) bool {
	return len(d.Methods) == 0 || slices.Contains(d.Methods, method)
}

// Excludes reports whether exclude_paths keeps the credential from a path, in any
// spelling that a server may accept.
func (d *Definition) Excludes(path string) bool {
	return matchAny(d.excluded, path)
}

// under reports whether path begins with prefix and the prefix ends at a segment
// boundary.
func under(path, prefix string) bool {
	if prefix == "" || prefix == "/" {
		return true
	}
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" && !strings.HasSuffix(prefix, "/") || strings.HasPrefix(rest, "/"))
}
