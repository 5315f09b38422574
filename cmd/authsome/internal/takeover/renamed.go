package takeover

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// importedFrom is the member of a connection's metadata with the name that it had in the
// home of the Python authsome. A refresh changes the tokens by which one could know it.
const importedFrom = "imported_from"

// withOrigin returns a connection that keeps the name that it had in the other home.
func withOrigin(c auth.Connection, from string) auth.Connection {
	members := metadata(c)
	members[importedFrom] = from
	if text, err := json.Marshal(members); err == nil {
		c.Metadata = text
	}
	return c
}

func metadata(c auth.Connection) map[string]any {
	members := make(map[string]any)
	if json.Unmarshal(c.Metadata, &members) != nil || members == nil {
		return make(map[string]any)
	}
	return members
}

// renamed returns the connections of this home that none of the records has the name of,
// sorted by name: an earlier import, or the user, may have given them these names.
func renamed(existing map[target]auth.Connection, records []record) []auth.Connection {
	others := maps.Clone(existing)
	for _, r := range records {
		delete(others, target{r.Provider, r.Name})
	}
	return slices.SortedFunc(maps.Values(others), func(a, b auth.Connection) int { return strings.Compare(a.Name, b.Name) })
}

// findRenamed settles the item for a record whose connection is one of others. A record that
// --as names, or that replaces a connection, is stored anyway.
func (i *item) findRenamed(r record, others []auth.Connection) {
	if r.chosen || r.Err != nil || i.replaces || i.result == resultExists {
		return
	}
	found, err := auth.ParseConnection(r.Provider, r.Name, r.Value)
	if err != nil {
		return
	}
	from := cmp.Or(r.from, r.Provider+"/"+r.Name)
	for _, known := range others {
		renewed := known.AuthType == providers.AuthOAuth2 && !found.ObtainedAt.After(known.ObtainedAt) && metadata(known)[importedFrom] == from
		if known.Provider == r.Provider && (renewed || sameCredential(known, found)) {
			i.result, i.storedAs, i.reason, i.as = resultExists, known.Name, "", ""
			return
		}
	}
}

// sameCredential reports whether two connections have the same secrets.
func sameCredential(a, b auth.Connection) bool {
	same := func(a, b secret.String) bool { return !b.IsZero() && a.Equal(b) }
	if b.AuthType == providers.AuthOAuth2 || !b.AccessToken.IsZero() || !b.RefreshToken.IsZero() {
		return same(a.RefreshToken, b.RefreshToken) || b.RefreshToken.IsZero() && same(a.AccessToken, b.AccessToken)
	}
	if b.APIKey.IsZero() && len(b.Fields) == 0 || !a.APIKey.Equal(b.APIKey) {
		return false
	}
	for name, value := range b.Fields {
		if !a.Fields[name].Equal(value) {
			return false
		}
	}
	return true
}
