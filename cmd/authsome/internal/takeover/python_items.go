package takeover

import (
	"context"
	"errors"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// connection is the item for one connection, which clientID obtained.
func (p *pythonImport) connection(to *destination, r pythonhome.Record, clientID string, existing map[target]bool) item {
	i := item{kind: "connection", profile: to.name, provider: r.Provider, connection: r.Name, result: resultNew}
	var c auth.Connection
	err := unreadable(r)
	if err == nil {
		c, err = auth.ParseConnection(r.Provider, r.Name, r.Value)
	}
	if err == nil {
		err = home.ValidateName(r.Name)
	}
	var d *providers.Definition
	if err == nil {
		d, err = p.definition(r.Provider)
	}
	if err == nil {
		if c.AuthType == "" {
			c.AuthType = d.AuthType()
		}
		if c.AuthType == providers.AuthOAuth2 && c.ClientID == "" {
			c.ClientID = clientID // that home has one client for each provider
		}
		err = auth.Check(d, c)
	}
	switch {
	case existing[target{r.Provider, r.Name}]:
		i.result = resultExists
	case err != nil:
		i.result, i.reason = resultRefused, err.Error()
	default:
		i.store = func(ctx context.Context) error {
			credentials, err := to.open()
			if err != nil {
				return err
			}
			_, err = credentials.Store(ctx, c, false)
			return err
		}
	}
	return i
}

// unreadable says why one record cannot be read, although the vault can.
func unreadable(r pythonhome.Record) error {
	if errors.Is(r.Err, vault.ErrWrongKey) {
		return errors.New("modified, or encrypted with another key")
	}
	return r.Err
}

// client is the item for the client credentials of one provider.
func (p *pythonImport) client(ctx context.Context, to *destination, credentials *auth.Auth, r pythonhome.Record) item {
	i := item{kind: "client credentials", profile: to.name, provider: r.Provider, result: resultNew}
	err := unreadable(r)
	var id string
	if err == nil {
		id, err = auth.ClientID(r.Provider, r.Value)
	}
	if err == nil {
		_, err = p.definition(r.Provider)
	}
	exists := false
	if err == nil && credentials != nil {
		ctx, cancel := opener.Bounded(ctx)
		defer cancel()
		exists, err = credentials.HasClient(ctx, r.Provider, id)
	}
	switch {
	case err != nil:
		i.result, i.reason = resultRefused, err.Error()
	case exists:
		i.result = resultExists
	default:
		i.store = func(ctx context.Context) error {
			credentials, err := to.open()
			if err != nil {
				return err
			}
			stored, err := credentials.ImportClient(ctx, r.Provider, r.Value)
			if err == nil && !stored {
				err = errors.New("other client credentials were stored at the same time")
			}
			return err
		}
	}
	return i
}

// defaultConnection is the item for a provider's default connection. ok is false if this
// home already has connections of the provider: then the default is not changed.
func (p *pythonImport) defaultConnection(to *destination, r pythonhome.Record, existing, incoming map[target]bool) (i item, ok bool) {
	name := r.DefaultConnection()
	if !incoming[target{r.Provider, name}] {
		return item{}, false
	}
	for key := range existing {
		if key.provider == r.Provider {
			return item{}, false
		}
	}
	return item{
		kind: "default", profile: to.name, provider: r.Provider, connection: name, result: resultNew,
		store: func(ctx context.Context) error {
			credentials, err := to.open()
			if err != nil {
				return err
			}
			return credentials.SetDefault(ctx, r.Provider, name)
		},
	}, true
}
