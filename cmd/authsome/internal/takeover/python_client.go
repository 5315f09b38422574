package takeover

import (
	"context"
	"slices"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/providers"
)

// pythonClient is the OAuth client of a provider in that home. There it is used for all
// connections of the provider, at whatever instance.
type pythonClient struct {
	record    record
	id        string     // empty if the record cannot be read
	instances []instance // that it is used with
}

// instance is a provider of this home, and an address of the service. An empty address
// is the usual one.
type instance struct{ provider, baseURL string }

// clients returns the clients among the records, by the provider that has them in that
// home.
func (p *pythonImport) clients(found []record) map[string]pythonClient {
	all := make(map[string]pythonClient)
	for _, r := range found {
		if r.Kind != pythonhome.Client {
			continue
		}
		c := pythonClient{record: r}
		if r.Err == nil {
			c.id, _ = auth.ClientID(r.Provider, r.Value) // [pythonImport.missingClients] reports the error
		}
		for _, of := range found {
			if of.Kind != pythonhome.Connection || of.old.provider != r.old.provider {
				continue
			}
			if connection, err := auth.ParseConnection(of.Provider, of.Name, of.Value); err == nil && connection.AuthType != providers.AuthAPIKey {
				c.instances = append(c.instances, instance{of.Provider, connection.BaseURL})
			}
		}
		if own := (instance{r.Provider, r.BaseURL()}); own.baseURL != "" || len(c.instances) == 0 {
			c.instances = append([]instance{own}, c.instances...)
		}
		all[r.old.provider] = c
	}
	return all
}

// clientItems are the items for one client: one for each provider of this home that has
// it. It is stored for the instances of its connections only, since its secret must not be
// sent to others.
func (p *pythonImport) clientItems(ctx context.Context, to *destination, credentials *auth.Auth, c pythonClient) []item {
	var items []item
	var done []string
	for _, at := range c.instances {
		if slices.Contains(done, at.provider) {
			continue
		}
		done = append(done, at.provider)
		i := item{kind: "client credentials", profile: to.name, provider: at.provider}
		if at.provider != c.record.old.provider {
			i.from = c.record.old.provider
		}
		p.offerClient(ctx, &i, c, to, credentials)
		items = append(items, i)
	}
	return items
}

// offerClient sets what an item stores, and its result.
func (p *pythonImport) offerClient(ctx context.Context, i *item, c pythonClient, to *destination, credentials *auth.Auth) {
	missing, err := p.missingClients(ctx, i.provider, c, credentials)
	switch {
	case err != nil:
		i.result, i.reason = resultRefused, err.Error()
	case len(missing) == 0:
		i.result = resultExists
	default:
		i.result = resultNew
		i.store = func(ctx context.Context) error {
			credentials, err := to.open()
			if err != nil {
				return err
			}
			for _, client := range missing {
				if _, err := credentials.ImportClient(ctx, client); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

// missingClients returns what this home does not have of a client for one provider: one
// for each instance.
func (p *pythonImport) missingClients(ctx context.Context, provider string, c pythonClient, credentials *auth.Auth) ([]auth.ImportedClient, error) {
	if err := unreadable(c.record.Record); err != nil {
		return nil, err
	}
	if _, err := auth.ClientID(provider, c.record.Value); err != nil {
		return nil, err
	}
	d, err := p.definition(provider)
	if err != nil {
		return nil, err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	var missing []auth.ImportedClient
	for _, at := range c.instances {
		client := auth.ImportedClient{Definition: d, BaseURL: at.baseURL, Record: c.record.Value}
		if at.provider != provider || slices.ContainsFunc(missing, func(m auth.ImportedClient) bool { return m.BaseURL == at.baseURL }) {
			continue
		}
		exists := false
		if credentials != nil {
			if exists, err = credentials.HasClient(ctx, client); err != nil {
				return nil, err
			}
		}
		if !exists {
			missing = append(missing, client)
		}
	}
	return missing, nil
}
