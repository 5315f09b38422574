package providers

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/authsome/authsome/secret"
)

// ReadVariable returns the values that the text of a variable contains: the reverse of
// [Definition.Environment]. The values are not checked; see [Definition.CheckValue]. If
// the text does not have the form of the variable's template, the error shows the
// template and not the text.
func (d *Definition) ReadVariable(v Variable, text string) (Values, error) {
	text = strings.TrimSpace(text)
	if p := d.Param(v.Field); p != nil && p.From == nameBaseURL {
		for _, base := range []string{text, "https://" + text} {
			if _, err := p.derive(base); err == nil && isURL(base) {
				return Values{nameBaseURL: secret.New(base)}, nil
			}
		}
		return nil, fmt.Errorf("%s is not an address", v.Name)
	}
	switch v.Field {
	case "":
		if names(v.Value) == nil {
			return nil, nil
		}
	case nameBaseURL:
		return Values{nameBaseURL: secret.New(strings.TrimSuffix(withScheme(text), "/"))}, nil
	default:
		return Values{v.Field: secret.New(text)}, nil
	}
	if isURL(v.Value) && !strings.HasPrefix(v.Value, "{") {
		authority, rest := cutAuthority(v.Value)
		if names(rest) == nil && !strings.Contains(authority, "@") {
			values := d.readHost(withScheme(text), append([]string{authority}, d.hostTemplates()...))
			if values == nil {
				return nil, fmt.Errorf("%s is not %s", v.Name, v.Value)
			}
			return values, nil
		}
	}
	for _, candidate := range []string{text, strings.TrimSuffix(text, "/"), strings.TrimSuffix(strings.TrimPrefix(text, "https://"), "/")} {
		if values := d.unfill(v.Value, candidate, false); values != nil {
			return values, nil
		}
	}
	return nil, fmt.Errorf("%s is not %s", v.Name, v.Value)
}

// ReadAddress returns the values that the host of an address contains, by the templates
// in hosts, or nil if the address is not one of the service.
func (d *Definition) ReadAddress(address string) Values {
	return d.readHost(withScheme(address), d.hostTemplates())
}

// hostTemplates returns the hosts that contain values and end in a fixed domain.
func (d *Definition) hostTemplates() []string {
	var all []string
	for _, h := range d.hosts {
		if h.names != nil && h.suffix != "" {
			all = append(all, h.text)
		}
	}
	return all
}

// readHost returns the values that the host of a URL contains, by the first template that
// fits.
func (d *Definition) readHost(address string, templates []string) Values {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return nil
	}
	for _, template := range templates {
		template, _, _ = strings.Cut(template, ":")
		if values := d.unfill(template, u.Hostname(), true); values != nil {
			return values
		}
	}
	return nil
}

// unfill returns the values with which a template becomes text, or nil. In a host, a
// value has a dot only if the param's pattern allows it, as in [Definition.Patterns].
func (d *Definition) unfill(template, text string, host bool) Values {
	in := names(template)
	part := `(.+?)`
	if strings.ContainsAny(template, "/.") { // an address
		part = `([^/\s]+?)`
	}
	var expr strings.Builder
	for rest := template; ; {
		before, name, after, ok := cutName(rest)
		expr.WriteString(regexp.QuoteMeta(before))
		if !ok {
			break
		}
		if p := d.Param(name); host && (p == nil || p.Pattern == "") {
			expr.WriteString(`([^./]+)`)
		} else {
			expr.WriteString(part)
		}
		rest = after
	}
	shape, err := regexp.Compile(`^(?i:` + expr.String() + `)$`)
	if err != nil {
		return nil
	}
	m := shape.FindStringSubmatch(text)
	if m == nil {
		return nil
	}
	values := make(Values, len(in))
	for i, name := range in {
		value := secret.New(m[i+1])
		if known, twice := values[name]; twice && !known.Equal(value) || d.Param(name) != nil && d.CheckValue(name, m[i+1]) != nil {
			return nil
		}
		values[name] = value
	}
	return values
}

// VariablesOf returns the names of the variables that contain a value, in the order of
// the definition.
func (d *Definition) VariablesOf(name string) []string {
	var all []string
	for _, v := range d.Variables() {
		for _, in := range names(v.Value) {
			p := d.Param(in)
			if (in == name || p != nil && p.From == name && name == nameBaseURL) && !slices.Contains(all, v.Name) {
				all = append(all, v.Name)
			}
		}
	}
	return all
}

// withScheme adds https:// to an address without a scheme, as many clients do.
func withScheme(address string) string {
	if strings.Contains(address, "://") {
		return address
	}
	return "https://" + address
}

// cutAuthority cuts the template of a URL at the end of its host.
func cutAuthority(template string) (authority, rest string) {
	_, after, _ := strings.Cut(template, "://")
	if end := strings.IndexAny(after, "/?"); end >= 0 {
		return after[:end], after[end:]
	}
	return after, ""
}
