package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// importEnvironment finds API keys in the environment.
func importEnvironment(ctx context.Context, a *app) ([]importItem, error) {
	return importVariables(ctx, a, func(name string) (string, error) { return a.getenv(name), nil })
}

// lookup gives the value of a variable, and why it cannot be relied on.
type lookup func(name string) (value string, doubt error)

// importVariables finds API keys in variables that providers' clients read.
// Placeholders of authsome's are none.
func importVariables(ctx context.Context, a *app, look lookup) ([]importItem, error) {
	set, err := a.providers()
	if err != nil {
		return nil, err
	}
	credentials, err := a.auth()
	if err != nil {
		return nil, err
	}
	existing, err := existingConnections(ctx, credentials)
	if err != nil {
		return nil, err
	}
	var items []importItem
	for _, d := range set.All() {
		if !d.HasFlow(providers.FlowAPIKey) {
			continue
		}
		values, shown, err := environmentValues(d, look)
		if shown == nil {
			continue
		}
		c := auth.Connection{Provider: d.Name, Name: auth.DefaultName}
		if err == nil {
			c, err = auth.KeyConnection(d, auth.DefaultName, values)
		}
		i := connectionItem(credentials, c, existing)
		if i.shown = strings.Join(shown, ", "); err != nil {
			i.result, i.reason = importRefused, err.Error()
		}
		items = append(items, i)
	}
	return items, nil
}

// environmentValues are the values of a definition's params that are in
// variables, the first one that is set for each, as login takes them; and how they
// are shown, if a secret is among them. The error is about the first value that
// cannot be meant.
func environmentValues(d *providers.Definition, look lookup) (values providers.Values, shown []string, err error) {
	values = make(providers.Values)
	found := false
	for _, v := range d.Variables() {
		value, doubt := look(v.Name)
		if v.Field == "" || value == "" || !values[v.Field].IsZero() || providers.HasPlaceholder(value) {
			continue
		}
		values[v.Field] = secret.New(value)
		err = cmp.Or(err, doubt, d.CheckValue(v.Field, value))
		if found = found || v.Secret; v.Secret {
			value = masked(value)
		}
		shown = append(shown, v.Name+" "+value)
	}
	if !found {
		return nil, nil, nil
	}
	return values, shown, err
}

// masked is enough of a key to recognise it by, and not enough to guess it.
func masked(value string) string {
	if n := len(value); n < 20 {
		return fmt.Sprintf("(%s)", plural(n, "character"))
	}
	return fmt.Sprintf("%s… (%d characters)", value[:4], len(value))
}
