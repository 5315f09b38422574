package providers

import (
	"bytes"
	"strings"
)

// bundledOn returns the bundled definitions that have a host of d, which is a user's
// own. Their OAuth endpoints are excluded for d too, because the author of
// a definition for one part of an API does not know them all.
func bundledOn(d *Definition) []*Definition {
	entries, err := bundled.ReadDir("bundled")
	if err != nil {
		return nil
	}
	var found []*Definition
	for _, e := range entries {
		text, err := bundled.ReadFile("bundled/" + e.Name())
		if err != nil || !mentionsDomain(text, d) {
			continue
		}
		if other, err := readBundled(strings.TrimSuffix(e.Name(), ".json")); err == nil && other.overlaps(d) {
			found = append(found, other)
		}
	}
	return found
}

// mentionsDomain reports whether a file contains the last two labels of a host of d, so
// that only a few files are decoded.
func mentionsDomain(text []byte, d *Definition) bool {
	for _, h := range d.hosts {
		labels := strings.Split(h.pattern.host, ".")
		domain := strings.Join(labels[max(0, len(labels)-2):], ".")
		if domain != "" && bytes.Contains(text, []byte(domain)) {
			return true
		}
	}
	return false
}

// overlaps reports whether a host can belong to connections of both definitions. A
// host that the user or the service chooses does not count.
func (d *Definition) overlaps(o *Definition) bool {
	for _, a := range d.hosts {
		for _, b := range o.hosts {
			if a.pattern.overlaps(b.pattern) {
				return true
			}
		}
	}
	return false
}

// overlaps reports whether a host can match both patterns. The zero pattern matches no
// host.
func (p Pattern) overlaps(q Pattern) bool {
	switch {
	case p.host == "" || q.host == "":
		return false
	case p.kind == Exact:
		return q.MatchHost(p.host)
	case q.kind == Exact:
		return p.MatchHost(q.host)
	default:
		return strings.HasSuffix(p.host, q.host) || strings.HasSuffix(q.host, p.host)
	}
}
