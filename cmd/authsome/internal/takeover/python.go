package takeover

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// pythonImport reads one home of the Python authsome.
type pythonImport struct {
	*Importer
	dir   string
	key   *vault.MasterKey
	set   *providers.Set                   // ours
	added map[string]*providers.Definition // to be registered
	items []item
}

// python finds what a home of the Python authsome has.
func (m *Importer) python(ctx context.Context, dir string) ([]item, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("--authsome: %w", err)
	}
	stores, err := pythonhome.Stores(dir)
	if err != nil {
		return nil, err
	}
	if len(stores) == 0 {
		return nil, exit.Usagef("%s: %v", dir, pythonhome.ErrNoHome)
	}
	p := &pythonImport{Importer: m, dir: dir, added: make(map[string]*providers.Definition)}
	if p.set, err = m.Opener.Providers(); err != nil {
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
		if m.Console.Profile != "" && m.Console.Profile != profile {
			continue
		}
		found = true
		if err := p.profile(ctx, profile, store); err != nil {
			return nil, err
		}
	}
	if !found {
		return nil, exit.Usagef("%s has no profile %s with a vault", dir, m.Console.Profile)
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
	h, err := p.Opener.Home()
	if err != nil {
		return err
	}
	if filepath.Join(p.dir, "providers") == h.ProvidersDir() {
		return nil // this home already uses them
	}
	all, err := pythonhome.Definitions(p.dir)
	if err != nil {
		return err
	}
	for _, found := range all {
		i := item{kind: "provider", provider: found.Name, result: resultNew}
		var d *providers.Definition
		if err := found.Err; err == nil {
			d, err = providers.Parse(found.Data)
			if err == nil && d.Name != found.Name {
				err = fmt.Errorf("its name %q differs from its file's name", d.Name)
			}
			found.Err = err
		}
		mine, _ := p.set.Lookup(found.Name)
		switch {
		case found.Err != nil:
			i.result, i.reason = resultRefused, found.Err.Error()
		case mine != nil && mine.Source == providers.Custom:
			i.result = resultExists
		default:
			p.added[d.Name] = d
			i.store = func(context.Context) error {
				if _, err := providers.Install(h.ProvidersDir(), found.Data, false); err != nil {
					return err
				}
				set, err := p.Opener.LoadProviders()
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
		return exit.WithAdvice(fmt.Errorf("%s: %w", store, vault.ErrWrongKey), "restore the master.key in %s that its records were sealed with", p.dir)
	}
	to := &destination{p: p, name: name}
	existing := make(map[target]bool)
	credentials, err := to.existing()
	if err != nil {
		return err
	}
	if credentials != nil {
		if existing, err = existingConnections(ctx, credentials); err != nil {
			return err
		}
	}
	incoming := make(map[target]bool)
	for _, r := range records {
		if r.Kind != pythonhome.Connection {
			continue
		}
		i := p.connection(to, r, existing)
		incoming[target{r.Provider, r.Name}] = i.result == resultNew
		p.items = append(p.items, i)
	}
	// After the connections: a default is one of them.
	for _, r := range records {
		switch r.Kind {
		case pythonhome.Client:
			p.items = append(p.items, p.client(ctx, to, credentials, r))
		case pythonhome.Metadata:
			if i, ok := p.byDefault(to, r, existing, incoming); ok {
				p.items = append(p.items, i)
			}
		}
	}
	return nil
}

func (p *pythonImport) connection(to *destination, r pythonhome.Record, existing map[target]bool) item {
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

// unreadable says why one record of a readable vault cannot be read.
func unreadable(r pythonhome.Record) error {
	if errors.Is(r.Err, vault.ErrWrongKey) {
		return errors.New("modified, or sealed with another key")
	}
	return r.Err
}

func (p *pythonImport) client(ctx context.Context, to *destination, credentials *auth.Auth, r pythonhome.Record) item {
	i := item{kind: "client credentials", profile: to.name, provider: r.Provider, result: resultNew}
	err := unreadable(r)
	if err == nil {
		err = auth.CheckClient(r.Provider, r.Value)
	}
	if err == nil {
		_, err = p.definition(r.Provider)
	}
	there := false
	if err == nil && credentials != nil {
		ctx, cancel := opener.Bounded(ctx)
		defer cancel()
		there, err = credentials.HasClient(ctx, r.Provider)
	}
	switch {
	case err != nil:
		i.result, i.reason = resultRefused, err.Error()
	case there:
		i.result = resultExists
	default:
		i.store = func(ctx context.Context) error {
			credentials, err := to.open()
			if err != nil {
				return err
			}
			stored, err := credentials.ImportClient(ctx, r.Provider, r.Value)
			if err == nil && !stored {
				err = errors.New("others were stored at the same time")
			}
			return err
		}
	}
	return i
}

// byDefault is the choice of a default, if all connections of the provider are
// imported. A choice made in this home stays.
func (p *pythonImport) byDefault(to *destination, r pythonhome.Record, existing, incoming map[target]bool) (item, bool) {
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

// destination is the profile of this home to import into. It is created when there is
// something to store.
type destination struct {
	p    *pythonImport
	name string
}

// existing are the profile's connections, or nil if it has no vault.
func (t *destination) existing() (*auth.Auth, error) {
	profile, err := t.p.Opener.Named(t.name)
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

func (t *destination) open() (*auth.Auth, error) {
	profile, err := t.p.Opener.Ensure(t.name)
	if err != nil {
		return nil, err
	}
	credentials, err := profile.Auth()
	if err != nil {
		return nil, err
	}
	credentials.UseProviders(t.p.set)
	return credentials, nil
}
