package providers

import (
	"maps"
	"slices"
	"strings"

	"github.com/authsome/authsome/internal/near"
)

// near returns the name of the definition that is most similar to name, or "".
func (s *Set) near(name string) string {
	return nearest(strings.ToLower(name), slices.Collect(maps.Keys(s.byName)))
}

// nearest returns the candidate that is most similar to name. It returns "" if more than
// a third of name is different in all of them.
func nearest(name string, candidates []string) string {
	return near.Nearest(name, candidates, max(1, len(name)/3))
}
