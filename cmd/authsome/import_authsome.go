package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// pythonImport reads one home of the Python authsome.
type pythonImport struct {
	a     *app
	dir   string
	key   *vault.MasterKey
	set   *providers.Set                   // ours
	added map[string]*providers.Definition // to be registered
	items []importItem
}

// importAuthsome finds what a home of the Python authsome has.
func importAuthsome(ctx context.Context, a *app, dir string) ([]importItem, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("--authsome: %w", err)
	}
	stores, err := pythonhome.Stores(dir)
	if err != nil {
		return nil, err
	}
	if len(stores) == 0 {
		return nil, usageErrorf("%s: %v", dir, pythonhome.ErrNoHome)
	}
	p := &pythonImport{a: a, dir: dir, added: make(map[string]*providers.Definition)}
	if p.set, err = a.providers(); err != nil {
		return nil, err
	}
	if p.key, err = readPythonKey(dir); err != nil {
		return nil, err
	}
	if err := p.definitions(); err != nil {
		return nil, err
	}
	found := false
	for _, store := range stores {
		profile := filepath.Base(filepath.Dir(store))
		if a.profileName != "" && a.profileName != profile {
			continue
		}
		found = true
		if err := p.profile(ctx, profile, store); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, usageErrorf("%s has no profile %s with a vault", dir, a.profileName)
	}
	return p.items, nil
}

// readPythonKey reads the master key as the home's configuration says.
func readPythonKey(dir string) (*vault.MasterKey, error) {
	c, err := home.PeekConfig(dir)
	if err != nil {
		return nil, err
	}
	return vault.ReadKey(dir, vault.Place(c.Encryption.KeyPlace))
}

// definitions finds the providers that were registered. Ours of the same name
// stay.
func (p *pythonImport) definitions() error {
	h, err := p.a.home()
	if err != nil {
		return err
	}
	if filepath.Join(p.dir, "providers") == h.ProvidersDir() {
		return nil // they are in use as they are
	}
	all, err := pythonhome.Definitions(p.dir)
	if err != nil {
		return err
	}
	for _, found := range all {
		i := importItem{kind: "provider", provider: found.Name, result: importNew}
		var d *providers.Definition
		if err := found.Err; err == nil {
			d, err = providers.Parse(found.Data)
			if err == nil && d.Name != found.Name {
				err = fmt.Errorf("its name is %q, and its file's another", d.Name)
			}
			found.Err = err
		}
		mine, _ := p.set.Lookup(found.Name)
		switch {
		case found.Err != nil:
			i.result, i.reason = importRefused, found.Err.Error()
		case mine != nil && mine.Source == providers.Custom:
			i.result = importThere
		default:
			p.added[d.Name] = d
			i.store = func(context.Context) error {
				if _, err := providers.Install(h.ProvidersDir(), found.Data, false); err != nil {
					return err
				}
				set, err := p.a.loadProviders()
				if err == nil {
					p.set = set
				}
				return err
			}
		}
		p.items = append(p.items, i)
	}
	return nil
}

func (p *pythonImport) definition(name string) (*providers.Definition, error) {
	if d := p.added[name]; d != nil {
		return d, nil
	}
	return p.set.Lookup(name)
}

// profile finds what one vault has, for our profile of the same name.
func (p *pythonImport) profile(ctx context.Context, name, store string) error {
	records, err := pythonhome.Records(store, p.key.OpenPython)
	if err != nil {
		return err
	}
	if len(records) > 0 && !slices.ContainsFunc(records, func(r pythonhome.Record) bool { return !errors.Is(r.Err, vault.ErrWrongKey) }) {
		return withHint(fmt.Errorf("%s: %w", store, vault.ErrWrongKey), "put the master.key back into %s that its records were sealed with", p.dir)
	}
	target := &importTarget{p: p, name: name}
	existing := make(map[string]bool)
	credentials, err := target.peek()
	if err != nil {
		return err
	}
	if credentials != nil {
		if existing, err = existingConnections(ctx, credentials); err != nil {
			return err
		}
	}
	incoming := make(map[string]bool)
	for _, r := range records {
		if r.Kind != pythonhome.Connection {
			continue
		}
		i := p.connection(target, r, existing)
		incoming[r.Provider+"\x00"+r.Name] = i.result == importNew
		p.items = append(p.items, i)
	}
	// After the connections: a default is one of them.
	for _, r := range records {
		switch r.Kind {
		case pythonhome.Client:
			p.items = append(p.items, p.client(ctx, target, credentials, r))
		case pythonhome.Metadata:
			if i, ok := p.byDefault(target, r, existing, incoming); ok {
				p.items = append(p.items, i)
			}
		}
	}
	return nil
}

func (p *pythonImport) connection(target *importTarget, r pythonhome.Record, existing map[string]bool) importItem {
	i := importItem{kind: "connection", profile: target.name, provider: r.Provider, connection: r.Name, result: importNew}
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
		err = auth.Check(d, c)
	}
	switch {
	case existing[r.Provider+"\x00"+r.Name]:
		i.result = importThere
	case err != nil:
		i.result, i.reason = importRefused, err.Error()
	default:
		i.store = func(ctx context.Context) error {
			credentials, err := target.open()
			if err != nil {
				return err
			}
			_, err = credentials.Store(ctx, c, false)
			return err
		}
	}
	return i
}

// unreadable is why a record cannot be read, where others of its vault can.
func unreadable(r pythonhome.Record) error {
	if errors.Is(r.Err, vault.ErrWrongKey) {
		return errors.New("it was changed, or sealed with another key")
	}
	return r.Err
}

func (p *pythonImport) client(ctx context.Context, target *importTarget, credentials *auth.Auth, r pythonhome.Record) importItem {
	i := importItem{kind: "client credentials", profile: target.name, provider: r.Provider, result: importNew}
	err := unreadable(r)
	if err == nil {
		err = auth.CheckClient(r.Provider, r.Value)
	}
	if err == nil {
		_, err = p.definition(r.Provider)
	}
	there := false
	if err == nil && credentials != nil {
		ctx, cancel := bounded(ctx)
		defer cancel()
		there, err = credentials.HasClient(ctx, r.Provider)
	}
	switch {
	case err != nil:
		i.result, i.reason = importRefused, err.Error()
	case there:
		i.result = importThere
	default:
		i.store = func(ctx context.Context) error {
			credentials, err := target.open()
			if err != nil {
				return err
			}
			stored, err := credentials.ImportClient(ctx, r.Provider, r.Value)
			if err == nil && !stored {
				err = errors.New("others were stored in the meantime")
			}
			return err
		}
	}
	return i
}

// byDefault is the choice of a default, where the provider's connections all
// come from there: one that was chosen here stays.
func (p *pythonImport) byDefault(target *importTarget, r pythonhome.Record, existing, incoming map[string]bool) (importItem, bool) {
	name := r.DefaultConnection()
	if !incoming[r.Provider+"\x00"+name] {
		return importItem{}, false
	}
	for key := range existing {
		if len(key) > len(r.Provider) && key[:len(r.Provider)+1] == r.Provider+"\x00" {
			return importItem{}, false
		}
	}
	return importItem{
		kind: "default", profile: target.name, provider: r.Provider, connection: name, result: importNew,
		store: func(ctx context.Context) error {
			credentials, err := target.open()
			if err != nil {
				return err
			}
			return credentials.SetDefault(ctx, r.Provider, name)
		},
	}, true
}

// importTarget is our profile, which is made once there is something to store.
type importTarget struct {
	p           *pythonImport
	name        string
	credentials *auth.Auth
}

// peek opens the profile if it has a vault, and is nil if not.
func (t *importTarget) peek() (*auth.Auth, error) {
	h, err := t.p.a.home()
	if err != nil {
		return nil, err
	}
	profile, err := h.Profile(t.name)
	if errors.Is(err, home.ErrNoProfile) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if _, _, err := vault.Describe(profile.Dir); err != nil {
		return nil, nil
	}
	return t.open()
}

func (t *importTarget) open() (*auth.Auth, error) {
	if t.credentials == nil {
		h, err := t.p.a.home()
		if err != nil {
			return nil, err
		}
		profile, err := h.EnsureProfile(t.name)
		if err != nil {
			return nil, err
		}
		v, err := t.p.a.openProfileVault(profile)
		if err != nil {
			return nil, err
		}
		t.credentials = &auth.Auth{Vault: v, Profile: t.name}
	}
	t.credentials.UseProviders(t.p.set)
	return t.credentials, nil
}
