package takeover

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/home"
)

// selection is what --as and --force say about connections.
type selection struct {
	names map[target]string // the new name of a connection, by its old one
	used  map[target]bool
	only  string // the new name of the only connection
	force bool
}

// newSelection reads --as: NAME for the only connection, or PROVIDER/OLD=NAME.
func newSelection(o Options) (*selection, error) {
	s := &selection{names: make(map[target]string), used: make(map[target]bool), force: o.Force}
	for _, as := range o.As {
		old, name, several := cutLast(as, "=")
		if !several {
			name = as
		}
		if err := home.ValidateName(name); err != nil {
			return nil, exit.Usagef("--as: %v", err)
		}
		provider, connection, ok := strings.Cut(old, "/")
		switch {
		case !several && len(o.As) == 1:
			s.only = name
		case !several || !ok || provider == "" || connection == "":
			return nil, exit.Usagef("--as %s: expected PROVIDER/OLD=NAME", as)
		default:
			s.names[target{provider, connection}] = name
		}
	}
	return s, nil
}

// cutLast is [strings.Cut] at the last separator.
func cutLast(s, separator string) (before, after string, found bool) {
	at := strings.LastIndex(s, separator)
	if at < 0 {
		return s, "", false
	}
	return s[:at], s[at+len(separator):], true
}

// name returns the name under which a connection is imported.
func (s *selection) name(provider, old string) string {
	key := target{provider, old}
	if name := s.names[key]; name != "" {
		s.used[key] = true
		return name
	}
	return old
}

// chooses reports whether --as names a connection.
func (s *selection) chooses(provider, old string) bool { return s.names[target{provider, old}] != "" }

// settle gives the only name to the only connection that is not already there.
func (s *selection) settle(items []item) error {
	var found []target
	for _, i := range items {
		key := target{i.provider, i.connection}
		if i.kind == "connection" && i.result != resultExists && !slices.Contains(found, key) {
			found = append(found, key)
		}
	}
	if len(found) != 1 {
		return exit.Usagef("--as %s is for one connection, and %d were found; use --as PROVIDER/OLD=%s", s.only, len(found), s.only)
	}
	s.names[found[0]] = s.only
	return nil
}

// checkUsed reports the first connection that was to be renamed and does not exist.
func (s *selection) checkUsed() error {
	var unused []string
	for key, name := range s.names {
		if !s.used[key] {
			unused = append(unused, key.provider+"/"+key.name+"="+name)
		}
	}
	if len(unused) == 0 {
		return nil
	}
	return exit.Usagef("--as %s: no such connection was found", slices.Min(unused))
}

var outsideNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// checkName returns an error for a name that a connection cannot have, and the --as that
// gives it another one.
func checkName(provider, name string) (as string, err error) {
	if home.ValidateName(name) == nil {
		return "", nil
	}
	valid := strings.Trim(outsideNames.ReplaceAllString(name, "-"), "._-")
	if valid = valid[:min(len(valid), 60)]; valid == "" {
		valid = "renamed"
	}
	as = suggest.Words("--as", provider+"/"+name+"="+valid)
	return as, fmt.Errorf("%.80q cannot be a name here; rename it, for example with %s", name, as)
}
