package providers

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Change is one member in which two definitions differ, as text; what is empty
// is absent.
type Change struct{ Field, Before, After string }

// Changes compare a definition with the one that it would take the place of, of
// either schema. What decides where secrets go is first.
func Changes(before, after *Definition) []Change {
	a, b := flat(before), flat(after)
	fields := slices.Compact(slices.Sorted(func(yield func(string) bool) {
		for field := range a {
			if !yield(field) {
				return
			}
		}
		for field := range b {
			if !yield(field) {
				return
			}
		}
	}))
	var changes []Change
	for _, field := range fields {
		if a[field] != b[field] {
			changes = append(changes, Change{field, a[field], b[field]})
		}
	}
	slices.SortStableFunc(changes, func(x, y Change) int { return rank(x.Field) - rank(y.Field) })
	return changes
}

func rank(field string) int {
	for i, prefix := range []string{"hosts", "base_url", "paths", "exclude_paths", "methods", "inject", "oauth", "params", "env"} {
		if strings.HasPrefix(field, prefix) {
			return i
		}
	}
	return 100
}

// flat is a definition as text by member; a list of texts is one text.
func flat(d *Definition) map[string]string {
	all := make(map[string]string)
	data, err := json.Marshal(d)
	if err != nil {
		return all
	}
	var document any
	if err := json.Unmarshal(data, &document); err != nil {
		return all
	}
	flatten(all, "", document)
	delete(all, "schema_version")
	delete(all, "$schema")
	return all
}

func flatten(all map[string]string, at string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(all, strings.TrimPrefix(at+"."+name, "."), member)
		}
	case []any:
		if !slices.ContainsFunc(v, func(e any) bool { _, ok := e.(string); return !ok }) {
			all[at] = strings.Trim(fmt.Sprint(v), "[]")
			return
		}
		for i, e := range v {
			flatten(all, fmt.Sprintf("%s[%d]", at, i), e)
		}
	default:
		all[at] = fmt.Sprint(v)
	}
}

// MovesSecrets reports whether what was obtained for one definition is not used
// with the other, because it would be sent elsewhere; see [Definition.Issuer].
func MovesSecrets(before, after *Definition) bool {
	return len(before.signIn()) > 0 && !slices.Equal(before.signInTexts(), after.signInTexts())
}

func (d *Definition) signInTexts() []string {
	var all []string
	for _, t := range d.signIn() {
		all = append(all, strings.ReplaceAll(t.text, "{base_url}", "{base_url "+d.BaseURL+"}"))
	}
	return all
}
