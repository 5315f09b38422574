package takeover

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/providers"
)

// offer makes i the item for a connection that can be stored in what open returns.
func (i *item) offer(c auth.Connection, existing map[target]auth.Connection, force bool, open func() (*auth.Auth, error)) {
	i.found, i.result = c, resultNew
	if known, exists := existing[target{c.Provider, c.Name}]; exists && i.renews(known) {
		i.replaces = true
	} else if exists {
		switch i.reason = i.difference(known); {
		case i.reason == "":
			i.result = resultExists
			return
		case !force:
			i.result = resultConflict
			return
		}
		i.replaces = true
	}
	i.store = func(ctx context.Context) error {
		credentials, err := open()
		if err != nil {
			return err
		}
		_, err = credentials.Store(ctx, c, i.replaces)
		return err
	}
}

// renews reports whether the connection that was found may work, unlike the known one,
// which needs a login.
func (i *item) renews(known auth.Connection) bool {
	found, now := i.found, time.Now()
	same := known.AccessToken.Equal(found.AccessToken) && known.RefreshToken.Equal(found.RefreshToken) && known.APIKey.Equal(found.APIKey)
	return !same && known.AuthType == found.AuthType && known.Err(now) != nil && found.Err(now) == nil
}

// difference says how the connection that was found differs from one that is known, or
// "". A token that is older than the known one does not count: that one was renewed.
func (i *item) difference(known auth.Connection) string {
	found := i.found
	switch {
	case known.AuthType != found.AuthType:
		return "this home has a credential of another kind"
	case found.AuthType == providers.AuthOAuth2 && found.ObtainedAt.After(known.ObtainedAt):
		return "this home has an older token"
	case found.AuthType == providers.AuthOAuth2:
		return ""
	case !known.APIKey.Equal(found.APIKey):
		return "this home has another key"
	}
	for name, value := range found.Fields {
		if !known.Fields[name].Equal(value) {
			return "this home has another " + name
		}
	}
	for name, value := range found.Params {
		if known.Params[name] != value {
			return "this home has another " + name
		}
	}
	address := func(c auth.Connection) string {
		return strings.TrimSuffix(cmp.Or(c.BaseURL, i.definition.BaseURL), "/")
	}
	if address(known) != address(found) {
		return "this home has another address"
	}
	return ""
}

// markRepeated settles items for one connection that several sources have: the first one
// counts.
func markRepeated(items []item) {
	type place struct{ profile, provider, name string }
	first := make(map[place]*item)
	for n := range items {
		i := &items[n]
		if i.kind != "connection" || i.result != resultNew {
			continue
		}
		at := place{i.profile, i.provider, i.connection}
		one := first[at]
		if one == nil {
			first[at] = i
			continue
		}
		if i.result = resultExists; i.difference(one.found) != "" {
			i.result, i.reason = resultConflict, "the one above has another credential"
		}
	}
}

// target identifies a connection in a profile.
type target struct{ provider, name string }

// existingConnections returns the connections of a profile.
func existingConnections(ctx context.Context, credentials *auth.Auth) (map[target]auth.Connection, error) {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	all, err := credentials.Connections(ctx)
	if err != nil {
		return nil, err
	}
	existing := make(map[target]auth.Connection)
	for _, c := range all {
		existing[target{c.Provider, c.Name}] = c
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
