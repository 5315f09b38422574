package routing

import (
	"cmp"
	"slices"
	"strings"

	"github.com/authsome/authsome/providers"
)

// Shared are requests that several connections match equally well.
type Shared struct {
	Host       string   // the host; *.suffix for the hosts of a wildcard; or an expression, as the definition has it
	Port       int      // of the host
	Path       string   // prefix of the paths; if empty, all of them
	Among      []Choice // the connections, sorted; at least two
	Server     Choice   // the connection that serves the requests; zero if they are refused as ambiguous
	Default    bool     // Server is the default connection of its provider
	Choices    []string // ambiguous: as [Decision.Choices]
	HasDefault bool     // ambiguous: as [Decision.HasDefault]

	key     string // the host of the pattern
	pattern providers.Pattern
}

// MatchHost reports whether the requests are on a host, or on the hosts of a wildcard,
// written as in s.Host. Part of the hosts of a wildcard is not an entry: only the hosts
// of a wildcard as a whole, or one of them, can be preferred.
func (s Shared) MatchHost(host string) bool {
	return host == s.Host || !strings.HasPrefix(host, "*") && s.pattern.MatchHost(host)
}

// Has reports whether a connection is among those that match.
func (s Shared) Has(c Choice) bool { return slices.Contains(s.Among, c) }

// Shared lists the requests that several connections match equally well, sorted by host
// and path.
func (t *Table) Shared() []Shared { return t.shared }

// claim is what a route claims: a path on the hosts of a pattern. Routes with the same
// claim match its requests equally well.
type claim struct {
	key  string
	port int
	path string
}

// Server returns the connection that serves the requests of s in this table, which may
// be another than the one that s is from. It is zero if there is none, or more than one.
func (t *Table) Server(s Shared) Choice {
	c := claim{s.key, s.Port, s.Path}
	return serverOf(t.serving(t.matching(t.named(t.claims()[c]), c, s.Host), s.Host))
}

func serverOf(left []*route) Choice {
	if len(left) == 0 || !sameConnection(left) {
		return Choice{}
	}
	return left[0].choice()
}

// connections lists the connections of routes, sorted.
func connections(routes []*route) []Choice {
	var all []Choice
	for _, r := range routes {
		all = append(all, r.choice())
	}
	slices.SortFunc(all, func(a, b Choice) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Connection, b.Connection))
	})
	return slices.Compact(all)
}

func (r *route) choice() Choice { return Choice{r.definition.Name, r.connection} }

func (t *Table) claims() map[claim][]*route {
	all := make(map[claim][]*route)
	for _, r := range t.all {
		paths := r.pattern.Paths()
		if len(paths) == 0 {
			paths = []string{""}
		}
		for _, p := range paths {
			c := claim{r.key, r.pattern.Port(), p}
			all[c] = append(all[c], r)
		}
	}
	return all
}

// findShared fills t.shared, and finds out which routes serve requests.
func (t *Table) findShared() {
	for c, routes := range t.claims() {
		contested := slices.DeleteFunc(t.named(slices.Clone(routes)), func(r *route) bool {
			alone := !slices.ContainsFunc(routes, func(o *route) bool { return o.choice() != r.choice() && o.sharesMethods(r) })
			r.serves = r.serves || alone
			return alone
		})
		if len(contested) == 0 {
			continue
		}
		pattern := contested[0].pattern
		places := []string{c.key}
		for host := range t.prefer { // of a wildcard, single hosts can be preferred
			if pattern.Kind() != providers.Exact && !strings.HasPrefix(host, "*") && pattern.MatchHost(host) {
				places = append(places, host)
			}
		}
		for _, host := range places {
			matching := t.matching(slices.Clone(contested), c, host)
			if len(matching) == 0 {
				continue
			}
			s := Shared{Host: host, Port: c.port, Path: c.path, Among: connections(matching), key: c.key, pattern: pattern}
			left := t.serving(matching, host)
			if s.Server = serverOf(left); s.Server == (Choice{}) {
				s.Choices, s.HasDefault = t.choices(left)
			} else {
				s.Default = left[0].isDefault
				for _, r := range left {
					r.serves = true
				}
			}
			if len(s.Among) > 1 {
				t.shared = append(t.shared, s)
			}
		}
	}
	slices.SortFunc(t.shared, func(a, b Shared) int {
		return cmp.Or(strings.Compare(a.Host, b.Host), strings.Compare(a.Path, b.Path), cmp.Compare(a.Port, b.Port))
	})
}

// matching leaves out the routes with a claim that requests to host do not get: they match
// another route better, such as one for this host alone.
func (t *Table) matching(routes []*route, c claim, host string) []*route {
	if host == c.key {
		return routes
	}
	return slices.DeleteFunc(routes, func(r *route) bool { return t.hasBetter(r, c, host) })
}

// hasBetter reports whether all requests to host that r matches with a claim match another
// route better.
func (t *Table) hasBetter(r *route, c claim, host string) bool {
	return slices.ContainsFunc(t.named(t.onHost(nil, host)), func(o *route) bool {
		length, ok := o.pattern.MatchPath(c.path)
		return ok && length == len(c.path) && o.pattern.Port() == c.port && o.pattern.Compare(r.pattern) > 0 &&
			o.allowsAllOf(r)
	})
}

// allowsAllOf reports whether o's definition allows all methods and paths that r's allows.
func (o *route) allowsAllOf(r *route) bool {
	a, b := o.definition, r.definition
	methods := len(a.Methods) == 0 ||
		len(b.Methods) > 0 && !slices.ContainsFunc(b.Methods, func(m string) bool { return !a.Allows(m) })
	return methods && !slices.ContainsFunc(a.Exclude, func(p string) bool { return !slices.Contains(b.Exclude, p) })
}

// sharesMethods reports whether requests with some method match both definitions.
func (r *route) sharesMethods(o *route) bool {
	a, b := r.definition.Methods, o.definition.Methods
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, func(m string) bool { return slices.Contains(b, m) })
}
