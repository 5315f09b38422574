package takeover

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/internal/pythonhome"
	"github.com/authsome/authsome/providers"
	"github.com/authsome/authsome/vault"
)

// pythonImport finds what one home of the Python authsome has.
type pythonImport struct {
	*Importer
	dir       string
	key       *vault.MasterKey                 // of that home
	set       *providers.Set                   // of this home
	added     map[string]*providers.Definition // that the import registers
	refused   map[string]bool                  // definitions of either home that cannot be used
	selection *selection
	items     []item
}

// python finds what a home of the Python authsome has.
func (m *Importer) python(ctx context.Context, dir string, s *selection) ([]item, error) {
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
	p := &pythonImport{Importer: m, dir: dir, added: make(map[string]*providers.Definition), refused: make(map[string]bool), selection: s}
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

// readPythonKey reads the master key from where the home's configuration says it is.
func readPythonKey(dir string) (*vault.MasterKey, error) {
	c, err := home.PeekConfig(dir)
	if err != nil {
		return nil, err
	}
	return vault.ReadKey(dir, vault.Place(c.Encryption.KeyPlace))
}

// definitions finds the providers that the user registered. One that is registered in
// this home too is not replaced.
func (p *pythonImport) definitions() error {
	h, err := p.Opener.Home()
	if err != nil {
		return err
	}
	for _, problem := range p.set.Problems {
		p.refused[strings.TrimSuffix(filepath.Base(problem.Path), ".json")] = true
	}
	if filepath.Join(p.dir, "providers") == h.ProvidersDir() {
		return nil // the same directory
	}
	all, err := pythonhome.Definitions(p.dir)
	if err != nil {
		return err
	}
	for _, found := range all {
		i := item{kind: "provider", provider: found.Name, result: resultNew}
		d, err := parseDefinition(found)
		own, _ := p.set.Lookup(found.Name)
		switch {
		case err != nil:
			i.result, i.reason = resultRefused, err.Error()
			p.refused[found.Name] = true
		case own != nil && own.Source == providers.Custom:
			i.result = resultExists
		default:
			p.added[d.Name] = d
			for _, part := range d.Dropped() {
				i.reason = strings.TrimPrefix(i.reason+"; "+part.Error(), "; ")
			}
			i.store = func(context.Context) error {
				if err := d.Install(h.ProvidersDir(), false); err != nil {
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

func parseDefinition(found pythonhome.Definition) (*providers.Definition, error) {
	if found.Err != nil {
		return nil, found.Err
	}
	d, err := providers.ParseInstalled(found.Data)
	if err == nil && len(d.Hosts) == 0 {
		_, err = providers.Parse(found.Data) // unless it never had a host
	}
	if err == nil && d.Name != found.Name {
		err = fmt.Errorf("its name %q differs from the name of its file", d.Name)
	}
	return d, err
}

// definition returns a provider as it is after the import.
func (p *pythonImport) definition(name string) (*providers.Definition, error) {
	if d := p.added[name]; d != nil {
		return d, nil
	}
	d, err := p.set.Lookup(name)
	if _, missing := errors.AsType[*providers.NotFoundError](err); missing && p.refused[name] {
		return nil, errors.New("the definition of its provider is refused")
	}
	return d, err
}

// record is a record with the provider and the name that it has in this home.
type record struct {
	pythonhome.Record
	old    target // what it is in that home
	from   string // the same for people, if it differs
	chosen bool   // --as names it
}

// record returns the record as it is in this home: renamed by --as, and for an instance
// that another provider of this home covers, of that provider.
func (p *pythonImport) record(r pythonhome.Record) record {
	old := r
	if d, err := p.definition(r.Provider); err == nil && r.Kind != pythonhome.Metadata {
		r.Provider = d.ProviderFor(r.BaseURL())
	}
	to := record{Record: r, old: target{old.Provider, old.Name}}
	if r.Kind == pythonhome.Connection {
		to.chosen = p.selection.chooses(old.Provider, r.Name) || p.selection.chooses(r.Provider, r.Name)
		if to.Name = p.selection.name(old.Provider, r.Name); to.Name == r.Name {
			to.Name = p.selection.name(r.Provider, r.Name)
		}
	}
	if to.Provider != old.Provider || to.Name != old.Name {
		to.from = strings.TrimSuffix(old.Provider+"/"+old.Name, "/")
	}
	return to
}

// profile finds what the vault of one profile has. It is imported into the profile with
// the same name.
func (p *pythonImport) profile(ctx context.Context, name, store string) error {
	records, err := pythonhome.Records(store, p.key.OpenPython)
	if err != nil {
		return err
	}
	if len(records) > 0 && !slices.ContainsFunc(records, func(r pythonhome.Record) bool { return !errors.Is(r.Err, vault.ErrWrongKey) }) {
		return exit.WithAdvice(fmt.Errorf("%s: %w", store, vault.ErrWrongKey), "restore the master.key in %s that its records were encrypted with", p.dir)
	}
	to := &destination{p: p, name: name}
	existing := make(map[target]auth.Connection)
	credentials, err := to.existing()
	if err != nil {
		return err
	}
	if credentials != nil {
		if existing, err = existingConnections(ctx, credentials); err != nil {
			return err
		}
	}
	var found []record
	for _, r := range records {
		found = append(found, p.record(r))
	}
	clients := p.clients(found)
	others := renamed(existing, found)
	incoming := make(map[target]item) // connections, by what they are in that home
	for _, r := range found {
		if r.Kind != pythonhome.Connection {
			continue
		}
		i := p.connection(to, r, clients[r.old.provider].id, existing)
		i.findRenamed(r, others)
		incoming[r.old] = i
		p.items = append(p.items, i)
	}
	// A default connection must be stored before it is made the default.
	for _, r := range found {
		switch r.Kind {
		case pythonhome.Client:
			p.items = append(p.items, p.clientItems(ctx, to, credentials, clients[r.old.provider])...)
		case pythonhome.Metadata:
			if i, ok := p.defaultConnection(to, r, existing, incoming); ok {
				p.items = append(p.items, i)
			}
		}
	}
	return nil
}
