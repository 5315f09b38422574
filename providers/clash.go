package providers

import (
	"slices"
	"strconv"
	"strings"
)

// Clash says that several definitions claim a host equally: a request to it gets
// no credential while more than one of them is connected, unless the run names
// one.
type Clash struct {
	Host      string // as one of them has it
	Providers []string
}

// Clashes compares definitions with each other. Hosts with values in them clash
// if they can be the same host.
func Clashes(definitions []*Definition) []Clash {
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
	var clashes []Clash
	for _, key := range keys {
		group := claims[key]
		c := Clash{Host: group[0].text}
		for i, a := range group {
			if slices.ContainsFunc(group, func(b claim) bool { return b.d != a.d && overlap(a.d, b.d) }) {
				c.Providers = append(c.Providers, group[i].d.Name)
			}
		}
		if len(c.Providers) > 1 {
			slices.Sort(c.Providers)
			clashes = append(clashes, c)
		}
	}
	return clashes
}

// claim is the same text for hosts that are equally specific and can be one.
func (h host) claim(d *Definition) string {
	p, kind := h.pattern, strconv.Itoa(int(h.pattern.kind))
	if h.text == "{base_url}" {
		if d.BaseURL == "" {
			return ""
		}
		var err error
		if p, err = ParsePattern(d.BaseURL); err != nil {
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

// overlap reports whether a request can be meant by both, with none of them more
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
