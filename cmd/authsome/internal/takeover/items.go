package takeover

import (
	"context"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/pythonhome"
)

// connectionItem is the item for a connection that was found.
func connectionItem(credentials *auth.Auth, c auth.Connection, existing map[target]bool) item {
	i := item{kind: "connection", profile: credentials.Profile, provider: c.Provider, connection: c.Name, result: resultNew, found: c}
	if existing[target{c.Provider, c.Name}] {
		i.result = resultExists
	}
	i.store = func(ctx context.Context) error {
		_, err := credentials.Store(ctx, c, false)
		return err
	}
	return i
}

// target identifies a connection in a profile.
type target struct{ provider, name string }

// existingConnections returns the connections of a profile.
func existingConnections(ctx context.Context, credentials *auth.Auth) (map[target]bool, error) {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	all, err := credentials.Connections(ctx)
	if err != nil {
		return nil, err
	}
	existing := make(map[target]bool)
	for _, c := range all {
		existing[target{c.Provider, c.Name}] = true
	}
	return existing, nil
}

// SuggestPython tells the user that this home is also one of a Python authsome, whose
// connections can be imported. It prints nothing if this home has connections already.
func (m *Importer) SuggestPython(ctx context.Context) {
	h, err := m.Opener.Home()
	if err != nil {
		return
	}
	stores, err := pythonhome.Stores(h.Dir)
	if err != nil || len(stores) == 0 {
		return
	}
	p, err := m.Opener.Profile()
	if err != nil {
		return
	}
	if existing, err := p.Connections(ctx); err == nil && len(existing) == 0 {
		m.Console.Infof("this home has connections of the Python authsome: %s", m.Console.Suggest(suggest.Command("import --authsome %s", suggest.Words(h.Dir))))
	}
}
