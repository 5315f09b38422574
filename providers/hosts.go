package providers

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/authsome/authsome/internal/hosts"
)

// host is one entry of hosts, as far as it can be compiled without values.
type host struct {
	field, text string
	names       []string
	pattern     Pattern // without names: the host; else where it can be, for whoever looks for its provider
	suffix      string  // of a template: the fixed end, with its dot; empty where a name is the whole host
}

// compileHost reads one entry. Schema 1 has URLs and expressions there.
func (d *Definition) compileHost(field, text string) (host, error) {
	h := host{field: field, text: text}
	if d.SchemaVersion == 1 && strings.HasPrefix(text, "regex:") {
		var err error
		h.pattern, err = parsePattern(text)
		return h, err
	}
	if h.names = names(text); h.names == nil {
		var err error
		h.pattern, err = parsePattern(text)
		return h, err
	}
	last := text[strings.LastIndexByte(text, '}')+1:]
	last, port, _ := strings.Cut(last, ":")
	if text == "{"+h.names[0]+"}" || text == "{"+h.names[0]+"}:"+port {
		return h, d.checkWhole(h)
	}
	for _, name := range h.names {
		if name == nameBaseURL {
			return h, errors.New("{base_url} is a whole address; it stands alone")
		}
	}
	dot := strings.IndexByte(last, '.')
	if dot < 0 {
		return h, errors.New("the end of a host is fixed, as in {name}.example.com")
	}
	h.suffix = last[dot:]
	name, err := hosts.Normalize(h.suffix[1:])
	if err != nil {
		return h, err
	}
	if suffix, icann := publicsuffix.PublicSuffix(name); icann && suffix == name {
		return h, fmt.Errorf("anybody can register names under %s", name)
	}
	h.pattern = Pattern{kind: Wildcard, host: h.suffix, port: 443, text: text}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return h, errors.New("not a port number")
		}
		h.pattern.port = int(n)
	}
	return h, nil
}

// checkWhole refuses a name as the whole host, unless it is the user who names
// an address or the service itself that answers with one.
func (d *Definition) checkWhole(h host) error {
	if h.names[0] == nameBaseURL {
		return nil
	}
	if p := d.Param(h.names[0]); p != nil && p.From == FromToken {
		return nil
	}
	return errors.New("only an address that the token endpoint answers with, or {base_url}, can be the whole host")
}

// Patterns are the hosts of a connection: the definition's, with its values in
// them. An address of one's own, base_url, takes the place of the definition's.
func (d *Definition) Patterns(values Values) ([]Pattern, error) {
	patterns := make([]Pattern, 0, len(d.hosts))
	for _, h := range d.hosts {
		if h.text == "{base_url}" && d.value(values, nameBaseURL) == "" && len(d.hosts) > 1 {
			continue // there is none, and the service has hosts besides
		}
		p, err := d.fillHost(h, values)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, d.narrowed(p))
	}
	own := values[nameBaseURL].Reveal()
	switch {
	case own == "" || own == d.BaseURL || d.namesBaseURL():
	case !d.ownBase:
		return nil, &FieldError{nameBaseURL, d.Name + " has no place for an address of one's own", ""}
	default:
		p, err := parsePattern(own)
		if err != nil {
			return nil, &FieldError{nameBaseURL, err.Error(), ""}
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

func (d *Definition) namesBaseURL() bool {
	for _, h := range d.hosts {
		if h.text == "{base_url}" {
			return true
		}
	}
	return false
}

// narrowed adds the definition's paths to a host.
func (d *Definition) narrowed(p Pattern) Pattern {
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

// fillHost is one entry for a connection. What is filled in cannot lead out of
// the fixed end of the host, nor out of its label unless the param's pattern has
// dots; errors do not repeat it.
func (d *Definition) fillHost(h host, values Values) (Pattern, error) {
	if h.names == nil {
		return h.pattern, nil
	}
	wrong := func(reason string) (Pattern, error) { return Pattern{}, &FieldError{h.field, reason, ""} }
	text, err := fill(h.text, func(name string) (string, error) {
		v := d.value(values, name)
		if v == "" {
			return "", &UnfilledError{h.field, name}
		}
		if name == nameBaseURL {
			return v, nil
		}
		p := d.Param(name)
		dots := h.suffix == "" || p != nil && p.Pattern != ""
		if !hostText(v) || !dots && strings.Contains(v, ".") || p != nil && d.CheckValue(name, v) != nil {
			return "", &FieldError{h.field, "the value of " + name + " is no part of a host name", ""}
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
		return wrong(err.Error())
	case h.text == "{base_url}":
		return p, nil
	case h.suffix == "" && !public(p.host):
		return wrong("what the service answered with is no public host name")
	case h.suffix != "" && !strings.HasSuffix(p.host, h.suffix):
		return wrong("what is filled in changes the fixed end")
	}
	return p, nil
}

// public reports whether a name lies in a domain that somebody has registered
// with a public registry.
func public(name string) bool {
	suffix, icann := publicsuffix.PublicSuffix(name)
	_, err := publicsuffix.EffectiveTLDPlusOne(name)
	return err == nil && (icann || strings.Contains(suffix, "."))
}

// Claims reports whether a host may be the service's, of some connection.
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

// Allows reports whether a request of that method may carry the credential.
func (d *Definition) Allows(method string) bool {
	if len(d.Methods) == 0 {
		return true
	}
	for _, m := range d.Methods {
		if m == method {
			return true
		}
	}
	return false
}

// Excludes reports whether a path, though under one of the paths, gets no
// credential. Capitals make no difference: they make none to some servers.
func (d *Definition) Excludes(path string) bool {
	if len(d.Exclude) == 0 {
		return false
	}
	path = strings.ToLower(path)
	for _, prefix := range d.Exclude {
		if under(path, strings.ToLower(prefix)) {
			return true
		}
	}
	return false
}

// under reports whether a path lies under a prefix, on a segment boundary.
func under(path, prefix string) bool {
	if prefix == "" || prefix == "/" {
		return true
	}
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(prefix, "/"))
	return ok && (rest == "" && !strings.HasSuffix(prefix, "/") || strings.HasPrefix(rest, "/"))
}
