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

// lookup returns the value of a variable. The error doubt says why some programs read
// another value.
type lookup func(name string) (value string, doubt error)

// variables finds API keys in the variables that providers' clients read. It skips the
// placeholders of authsome.
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
		values, from, err := environmentValues(d, look)
		if from == nil {
			continue
		}
		c := auth.Connection{Provider: d.Name, Name: auth.DefaultName}
		if err == nil {
			c, err = auth.KeyConnection(d, auth.DefaultName, values)
		}
		i := connectionItem(credentials, c, existing)
		if i.from = strings.Join(from, ", "); err != nil {
			i.result, i.reason = resultRefused, err.Error()
		}
		items = append(items, i)
	}
	return items, nil
}

// environmentValues returns the values of a definition's params that variables have, and
// the variables with their masked values. As in a login, the first variable that is set
// counts for each param. Without a secret, both are nil. The error is about the first
// invalid value.
func environmentValues(d *providers.Definition, look lookup) (values providers.Values, from []string, err error) {
	values = make(providers.Values)
	hasSecret := false
	for _, v := range d.Variables() {
		value, doubt := look(v.Name)
		if v.Field == "" || value == "" || !values[v.Field].IsZero() || providers.HasPlaceholder(value) {
			continue
		}
		values[v.Field] = secret.New(value)
		err = cmp.Or(err, doubt, d.CheckValue(v.Field, value))
		if v.Secret {
			hasSecret = true
			value = masked(value)
		}
		from = append(from, v.Name+" "+value)
	}
	if !hasSecret {
		return nil, nil, nil
	}
	return values, from, err
}

// masked is enough of a key to recognise it, and not enough to guess it.
func masked(value string) string {
	characters := []rune(value)
	if n := len(characters); n < 20 {
		return fmt.Sprintf("(%s)", show.Plural(n, "character"))
	}
	return fmt.Sprintf("%s… (%d characters)", string(characters[:4]), len(characters))
}
