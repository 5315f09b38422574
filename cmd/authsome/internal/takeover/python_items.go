package takeover

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// connection is the item for one connection, which clientID obtained.
func (p *pythonImport) connection(to *destination, r record, clientID string, existing map[target]auth.Connection) item {
	i := item{kind: "connection", profile: to.name, provider: r.Provider, connection: r.Name, from: r.from, python: true}
	c, err := p.parse(&i, r, clientID)
	if err == nil {
		if r.chosen {
			c = withOrigin(c, cmp.Or(r.from, r.Provider+"/"+r.Name))
		}
		i.offer(c, existing, p.selection.force, to.open)
		return i
	}
	i.result, i.reason = resultRefused, err.Error()
	if _, exists := existing[target{r.Provider, r.Name}]; exists {
		i.result, i.reason = resultExists, ""
	}
	return i
}

// parse returns the connection of a record as it is in this home. It sets i.definition,
// and i.as if the record needs another name.
func (p *pythonImport) parse(i *item, r record, clientID string) (c auth.Connection, err error) {
	if err := unreadable(r.Record); err != nil {
		return c, err
	}
	if c, err = auth.ParseConnection(r.Provider, r.Name, r.Value); err != nil {
		return c, err
	}
	if i.as, err = checkName(r.Provider, r.Name); err != nil {
		return c, err
	}
	d, err := p.definition(r.Provider)
	if err != nil {
		return c, err
	}
	i.definition = d
	if c.AuthType == "" {
		c.AuthType = d.AuthType()
	}
	if c.AuthType == providers.AuthOAuth2 && c.ClientID == "" {
		c.ClientID = clientID // that home has one client for each provider
	}
	if c.AccessToken.IsZero() && c.RefreshToken.IsZero() && c.APIKey.IsZero() && len(c.Fields) == 0 {
		return c, fmt.Errorf("it has no credential; its status is %s", cmp.Or(string(c.Status), "unknown"))
	}
	if c, err = auth.Adapt(d, c); err != nil {
		return c, err
	}
	err = auth.Check(d, c)
	switch {
	case err == nil:
		return c, nil
	case c.AuthType == providers.AuthOAuth2 && d.OAuth == nil:
		return c, fmt.Errorf("it was made by signing in, and %s takes a key here", r.Provider)
	case c.AuthType == providers.AuthAPIKey && !d.HasFlow(providers.FlowAPIKey):
		return c, fmt.Errorf("it is a key, and %s needs a sign-in here", r.Provider)
	}
	return c, err
}

// unreadable says why one record cannot be read, although the vault can.
func unreadable(r pythonhome.Record) error {
	if errors.Is(r.Err, vault.ErrWrongKey) {
		return errors.New("modified, or encrypted with another key")
	}
	return r.Err
}

// defaultConnection is the item for a provider's default connection. ok is false if this
// home already has connections of the provider: then the default is not changed.
func (p *pythonImport) defaultConnection(to *destination, r record, existing map[target]auth.Connection, incoming map[target]item) (i item, ok bool) {
	c := incoming[target{r.old.provider, r.DefaultConnection()}]
	if c.result != resultNew {
		return item{}, false
	}
	for key := range existing {
		if key.provider == c.provider {
			return item{}, false
		}
	}
	return item{
		kind: "default", profile: to.name, provider: c.provider, connection: c.connection, result: resultNew,
		store: func(ctx context.Context) error {
			credentials, err := to.open()
			if err != nil {
				return err
			}
			return credentials.SetDefault(ctx, c.provider, c.connection)
		},
	}, true
}
