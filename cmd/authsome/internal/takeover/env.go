package takeover

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/secret"
)

// environment finds API keys in the environment.
func (m *Importer) environment(ctx context.Context) ([]item, error) {
	return m.variables(ctx, func(name string) (string, error) { return m.Console.Getenv(name), nil })
}

// lookup gives the value of a variable, and an error if programs may read another one.
type lookup func(name string) (value string, doubt error)

// variables finds API keys in variables that providers' clients read. Our own
// placeholders are skipped.
func (m *Importer) variables(ctx context.Context, look lookup) ([]item, error) {
	set, err := m.Opener.Providers()
	if err != nil {
		return nil, err
	}
	p, err := m.Opener.Profile()
	if err != nil {
		return nil, err
	}
	credentials, err := p.Auth()
	if err != nil {
		return nil, err
	}
	existing, err := existingConnections(ctx, credentials)
	if err != nil {
		return nil, err
	}
	var items []item
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
			i.result, i.reason = resultRefused, err.Error()
		}
		items = append(items, i)
	}
	return items, nil
}

// environmentValues are the values of a definition's params that are in variables, the
// first variable that is set for each param, as login takes them, and how to show
// them. Without a secret among them there are none. The error is about the first
// invalid value.
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

// masked is enough of a key to recognise it, and not enough to guess it.
func masked(value string) string {
	if n := len(value); n < 20 {
		return fmt.Sprintf("(%s)", show.Plural(n, "character"))
	}
	return fmt.Sprintf("%s… (%d characters)", value[:4], len(value))
}
