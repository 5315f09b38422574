package providers

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Pin records the definition that a connection was made with. A connection is stored
// with it, so that a definition that is changed later, by anyone who can write to the
// home, cannot send the stored credential to a place that no person has approved.
type Pin struct {
	Source string         `json:"source"`              // [Bundled] or [Custom]: where the definition came from
	File   jsontext.Value `json:"definition,omitzero"` // the file of a custom definition, compact
}

// IsZero reports whether the connection has no pin, as those that older versions stored.
func (p Pin) IsZero() bool { return p.Source == "" }

// Pin returns the pin for a connection that is made with the definition. A bundled
// definition is not copied: the program that contains it is trusted, so its later
// versions apply as well.
func (d *Definition) Pin() Pin {
	if d.Source == Bundled {
		return Pin{Source: Bundled}
	}
	return Pin{Source: Custom, File: d.compactText()}
}

func (d *Definition) compactText() jsontext.Value {
	text := jsontext.Value(bytes.Clone(d.text))
	if err := text.Compact(); err != nil { // cannot happen: the text was parsed
		return nil
	}
	return text
}

// Widening is what a definition would add to a connection that was made with another
// one. It has no effect until a person accepts it.
type Widening struct {
	Changes []Change // of the members that add something, those that decide where secrets go first
	Hosts   []string // the hosts that would additionally get the credential or secrets at sign-in, as the definition has them
}

// Empty reports whether nothing would be added.
func (w Widening) Empty() bool { return len(w.Changes) == 0 }

// Pinned returns the definition that a connection with the pin uses, and what the
// definition in force would add to it. If it adds nothing, the connection uses the
// definition in force. Otherwise the connection uses the one of the pin, restricted to
// what the definition in force still covers: exclusions apply immediately, additions do
// not.
//
// A connection without a pin uses the definition in force.
func (s *Set) Pinned(name string, p Pin) (*Definition, Widening, error) {
	current, err := s.Lookup(name)
	if err != nil || p.IsZero() || p.Source == Bundled && current.Source == Bundled {
		return current, Widening{}, err
	}
	if p.Source == Custom && current.Source == Custom && bytes.Equal(p.File, current.compactText()) {
		return current, Widening{}, nil
	}
	before, err := pinned(name, p)
	if err != nil {
		// What the connection was made for is not known any more, so it may be used nowhere.
		before = &Definition{Name: name, SchemaVersion: current.SchemaVersion, Source: p.Source}
	}
	w := widening(before, current)
	if w.Empty() {
		return current, w, nil
	}
	return before.restrictedTo(current), w, nil
}

// pinned reads the definition of a pin.
func pinned(name string, p Pin) (*Definition, error) {
	if p.Source == Bundled {
		return readBundled(name)
	}
	d, err := decodeChecked(p.File, pinnedFile) // it was valid when the connection was made
	if err != nil {
		return nil, err
	}
	d.ownedByUser()
	return d, nil
}

// harmless lists the members that cannot send a credential anywhere. Their changes
// apply immediately.
var harmless = []string{"name", "display_name", "category", "docs", "key_url", "token_provider", "flows", "oauth.app_steps", "metadata", "env", "remove", "verify.id", "verify.label", "scrub_reason"}

// widening returns what after adds to before.
func widening(before, after *Definition) Widening {
	var w Widening
	added := after.hostsBeyond(before)
	for _, c := range Changes(before, after) {
		member, _, _ := strings.Cut(c.Field, "[")
		top, _, _ := strings.Cut(member, ".")
		switch {
		case slices.Contains(harmless, top) || slices.Contains(harmless, member):
		case top == "scrub" && after.Scrub == "": // more is masked
		case top == "hosts" && len(added) == 0:
		case top == "hosts":
			w.Changes = append(w.Changes, Change{Field: "hosts", After: strings.Join(added, " ")})
		case top == "paths" && narrowsPaths(before.Paths, after.Paths):
		case top == "methods" && narrowsMethods(before.Methods, after.Methods):
		case top == "exclude_paths" && keepsExclusions(before.Exclude, after.Exclude):
		case top == "oauth_paths" && keepsExclusions(before.OAuthPaths, after.OAuthPaths):
		default:
			w.Changes = append(w.Changes, c)
		}
	}
	if w.Empty() {
		return w
	}
	w.Hosts = added
	for _, host := range after.endpointHosts() {
		if !slices.Contains(before.endpointHosts(), host) && !slices.Contains(w.Hosts, host) {
			w.Hosts = append(w.Hosts, host)
		}
	}
	return w
}

// hostsBeyond returns the hosts of d that by does not cover.
func (d *Definition) hostsBeyond(by *Definition) []string {
	var beyond []string
	for _, h := range d.hosts {
		if !h.coveredBy(by.hosts) {
			beyond = append(beyond, h.text)
		}
	}
	return beyond
}

// coveredBy reports whether every connection that could have the host could have had
// one of all. Two templates are the same if their texts are: a change of a param that
// is in them counts as a separate widening.
func (h host) coveredBy(all []host) bool {
	return slices.ContainsFunc(all, func(o host) bool {
		if h.text == o.text {
			return true
		}
		fixedEnd := h.names == nil || h.suffix != ""
		return o.names == nil && fixedEnd && o.pattern.covers(h.pattern)
	})
}

// covers reports whether p matches everything that o matches.
func (p Pattern) covers(o Pattern) bool {
	if p.port != o.port || !narrowsPaths(p.paths, o.paths) {
		return false
	}
	switch {
	case o.kind == Exact:
		return p.MatchHost(o.host)
	case p.kind == Wildcard && o.kind == Wildcard: // both hosts begin with a dot
		return strings.HasSuffix(o.host, p.host)
	case p.kind == Wildcard: // the expression can also match its domain itself
		return p.MatchHost(o.host[1:])
	}
	return p.kind == o.kind && p.text == o.text
}

// narrowsPaths reports whether every path under one of after is under one of before. No
// prefixes mean all paths.
func narrowsPaths(before, after []string) bool {
	if len(before) == 0 {
		return true
	}
	return len(after) > 0 && !slices.ContainsFunc(after, func(path string) bool { return !underAny(path, before) })
}

func underAny(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return under(path, prefix) })
}

// keepsExclusions reports whether every path that before excludes, after excludes too.
func keepsExclusions(before, after []string) bool {
	return !slices.ContainsFunc(before, func(prefix string) bool {
		return !slices.ContainsFunc(after, func(other string) bool { return under(strings.ToLower(prefix), strings.ToLower(other)) })
	})
}

func narrowsMethods(before, after []string) bool {
	if len(before) == 0 {
		return true
	}
	return len(after) > 0 && !slices.ContainsFunc(after, func(method string) bool { return !slices.Contains(before, method) })
}

// endpointHosts returns the hosts of the OAuth endpoints, as the definition has them.
func (d *Definition) endpointHosts() []string {
	var all []string
	for _, endpoint := range d.Endpoints() {
		host := endpoint
		if u, err := url.Parse(fillWithLetter(endpoint)); err == nil && names(endpoint) == nil {
			host = u.Host
		}
		if !slices.Contains(all, host) {
			all = append(all, host)
		}
	}
	return all
}

// restrictedTo returns the definition without what current does not cover.
func (d *Definition) restrictedTo(current *Definition) *Definition {
	r := *d
	r.hosts, r.Hosts = nil, nil
	keep := func(h host) {
		if !slices.Contains(r.Hosts, h.text) {
			r.hosts, r.Hosts = append(r.hosts, h), append(r.Hosts, h.text)
		}
	}
	for _, h := range d.hosts {
		if h.coveredBy(current.hosts) {
			keep(h)
		}
	}
	for _, h := range current.hosts {
		if h.names == nil && h.coveredBy(d.hosts) {
			keep(h)
		}
	}
	var paths, methods bool
	r.Paths, paths = common(d.Paths, current.Paths, under)
	r.Methods, methods = common(d.Methods, current.Methods, func(a, b string) bool { return a == b })
	if !paths || !methods {
		r.hosts, r.Hosts = nil, nil
	}
	r.Exclude, r.excluded = union(d.Exclude, current.Exclude), slices.Concat(d.excluded, current.excluded)
	r.Remove, r.OAuthPaths = union(d.Remove, current.Remove), union(d.OAuthPaths, current.OAuthPaths)
	if current.Scrub == "" {
		r.Scrub, r.ScrubReason = "", ""
	}
	r.endpoints = slices.Concat(d.endpoints, current.endpoints)
	if slices.Equal(d.Params, current.Params) {
		r.Env = current.Env
	}
	return &r
}

// common returns the elements of each list that the other one covers, and whether it
// found any. An empty list covers everything.
func common(a, b []string, within func(element, cover string) bool) ([]string, bool) {
	if len(a) == 0 || len(b) == 0 {
		return slices.Concat(a, b), true
	}
	var both []string
	for _, pair := range [][2][]string{{a, b}, {b, a}} {
		for _, element := range pair[0] {
			if slices.ContainsFunc(pair[1], func(cover string) bool { return within(element, cover) }) {
				both = append(both, element)
			}
		}
	}
	return union(both, nil), len(both) > 0
}

// union returns the elements of both lists, each once.
func union(a, b []string) []string {
	seen := make(map[string]bool)
	for _, s := range slices.Concat(a, b) {
		seen[s] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// String describes the change for a person.
func (c Change) String() string {
	switch {
	case c.Before == "":
		return fmt.Sprintf("%s: %s is added", c.Field, c.After)
	case c.After == "":
		return fmt.Sprintf("%s: %s is removed", c.Field, c.Before)
	}
	return fmt.Sprintf("%s: %s becomes %s", c.Field, c.Before, c.After)
}

// String summarises the widening for a person, in a few words.
func (w Widening) String() string {
	if len(w.Hosts) > 0 {
		return "adds " + strings.Join(w.Hosts, ", ")
	}
	var fields []string
	for _, c := range w.Changes {
		if top, _, _ := strings.Cut(c.Field, "["); !slices.Contains(fields, top) {
			fields = append(fields, top)
		}
	}
	return "changes " + strings.Join(fields, ", ")
}
