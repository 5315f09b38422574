package takeover

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/providers"
)

// environment finds API keys in the environment.
func (m *Importer) environment(ctx context.Context, s *selection) ([]item, error) {
	return m.variables(ctx, func(name string) (string, error) { return m.Console.Getenv(name), nil }, s)
}

// lookup returns the value of a variable. The error doubt says why some programs read
// another value.
type lookup func(name string) (value string, doubt error)

// variables finds API keys in the variables that providers' clients read. It skips the
// placeholders of authsome.
func (m *Importer) variables(ctx context.Context, look lookup, s *selection) ([]item, error) {
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
		name := s.name(d.Name, auth.DefaultName)
		i := item{kind: "connection", profile: credentials.Profile, provider: d.Name, connection: name, from: strings.Join(from, ", "), definition: d}
		var c auth.Connection
		if err == nil {
			c, err = auth.KeyConnection(d, name, values)
		}
		if err == nil {
			i.offer(c, existing, s.force, p.Auth)
		} else {
			i.result, i.reason = resultRefused, err.Error()
		}
		items = append(items, i)
	}
	return items, nil
}

// environmentValues returns the values of a connection that variables contain, also in
// parts, such as the name of a resource in the address of its endpoint. from lists the
// variables with their values, of which secrets are masked. As in a login, the first
// variable that is set counts for each value. Without a secret, both are nil. The error
// is about the first invalid value, or about the values that are missing.
func environmentValues(d *providers.Definition, look lookup) (values providers.Values, from []string, err error) {
	values = make(providers.Values)
	hasSecret := false
	var odd error // about a variable that does not have the form of its template
	for _, v := range d.Variables() {
		text, doubt := look(v.Name)
		if text == "" || providers.HasPlaceholder(text) {
			continue
		}
		read, unread := d.ReadVariable(v, text)
		odd = cmp.Or(odd, unread)
		used := false
		for name, value := range read {
			if values[name].IsZero() {
				values[name], used = value, true
				err = cmp.Or(err, doubt)
				if d.Param(name) != nil {
					err = cmp.Or(err, d.CheckValue(name, value.Reveal()))
				}
			}
		}
		if !used {
			continue
		}
		hasSecret = hasSecret || v.Secret
		if v.Secret || strings.Contains(text, "://") && strings.Contains(text, "@") { // or a password in an address
			text = masked(text)
		}
		from = append(from, v.Name+" "+text)
	}
	if !hasSecret {
		return nil, nil, nil
	}
	return values, from, cmp.Or(err, missingValues(d, values, odd))
}

// missingValues says which values a key needs in addition, and which variables have them.
func missingValues(d *providers.Definition, values providers.Values, odd error) error {
	for _, p := range d.Params {
		if p.From != "" || p.Optional || p.Default != "" || !values[p.Name].IsZero() {
			continue
		}
		variables := d.VariablesOf(p.Name)
		switch {
		case odd != nil:
			return odd
		case len(variables) == 0:
			return fmt.Errorf("it also needs the %s, which no variable has; use authsome login %s", cmp.Or(show.LowerFirst(p.Label), p.Name), d.Name)
		}
		return fmt.Errorf("it also needs the %s: set %s", cmp.Or(show.LowerFirst(p.Label), p.Name), strings.Join(variables, " or "))
	}
	return nil
}

// masked is enough of a key to recognise it, and not enough to guess it.
func masked(value string) string {
	characters := []rune(value)
	if n := len(characters); n < 20 {
		return fmt.Sprintf("(%s)", show.Plural(n, "character"))
	}
	return fmt.Sprintf("%s… (%d characters)", string(characters[:4]), len(characters))
}
