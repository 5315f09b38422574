package providers

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
)

// Change is a member that differs between two definitions. Before and After are its
// values as text, empty if the member is absent.
type Change struct{ Field, Before, After string }

// Changes compares a definition with the one that would replace it. Either may be of
// any schema. Members that decide where secrets go are first.
func Changes(before, after *Definition) []Change {
	a, b := flattened(before), flattened(after)
	fields := maps.Clone(a)
	maps.Copy(fields, b)
	var changes []Change
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if a[field] != b[field] {
			changes = append(changes, Change{field, a[field], b[field]})
		}
	}
	slices.SortStableFunc(changes, func(x, y Change) int { return rank(x.Field) - rank(y.Field) })
	return changes
}

// rank orders members by what they decide about secrets.
func rank(field string) int {
	for i, prefix := range []string{"hosts", "base_url", "paths", "exclude_paths", "methods", "inject", "scrub", "oauth", "params", "env"} {
		if strings.HasPrefix(field, prefix) {
			return i
		}
	}
	return 100
}

// flattened returns the members of a definition as text, by path. A list of strings
// is one text.
func flattened(d *Definition) map[string]string {
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

// MovesSecrets reports whether secrets obtained with one definition must not be used
// with the other, because they would be sent elsewhere; see [Definition.Issuer].
func MovesSecrets(before, after *Definition) bool {
	return slices.ContainsFunc(before.Flows, func(flow string) bool {
		b, a := before.ForFlow(flow), after.ForFlow(flow)
		return len(b.issuerTemplates()) > 0 && !slices.Equal(b.issuerTexts(), a.issuerTexts())
	})
}

// issuerTexts returns the templates of Issuer with the default base URL in them.
func (d *Definition) issuerTexts() []string {
	var all []string
	for _, t := range d.issuerTemplates() {
		all = append(all, strings.ReplaceAll(t.text, "{base_url}", "{base_url "+d.BaseURL+"}"))
	}
	return all
}
