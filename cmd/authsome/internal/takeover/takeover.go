// Package takeover imports credentials from elsewhere: from variables, from a .env file,
// from the home of a Python authsome.
//
// A source finds items and stores nothing. After a person has confirmed them, they are
// stored one by one. The package does not know formats of vaults; packages pythonhome,
// vault and auth do. Its invariant: what exists in this home is replaced only with
// --force, and a key that is not in the vault stays where it was found.
package takeover

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/providers"
)

// Options say what to import.
type Options struct {
	Env          bool     // API keys from the environment
	Dotenv       string   // API keys from this .env file
	Placeholders bool     // replace the keys in the .env file without asking
	Python       string   // this home of the Python authsome
	As           []string // names for connections; see [newSelection]
	Force        bool     // replace connections that have another credential
	DryRun       bool     // show what would be imported
	Yes          bool     // do not ask
}

// Importer imports into a home.
type Importer struct {
	Console *console.Console
	Opener  *opener.Opener
}

// Results of items, in the table, in --json and in the audit log.
const (
	resultNew      = "new" // not stored yet
	resultImported = "imported"
	resultReplaced = "replaced"
	resultExists   = "already there"
	resultConflict = "conflict" // this home has another credential
	resultRefused  = "refused"
)

// item is one thing that a source has.
type item struct {
	kind       string // connection, client credentials, default or provider
	profile    string // empty for a provider
	provider   string
	connection string // empty for a provider and client credentials
	from       string // the variables that it is from, with keys masked, or its old name; may be empty
	result     string
	reason     string                // why it is refused or a conflict
	storedAs   string                // the other name under which it is already there; may be empty
	as         string                // the --as with which it is not refused; may be empty
	replaces   bool                  // of a new item: this home has another credential, which --force replaces
	found      auth.Connection       // of a connection that can be stored
	definition *providers.Definition // of found
	python     bool                  // it is from a home of the Python authsome

	// store stores a new item. Items are stored in their order: later ones may need
	// earlier ones.
	store func(context.Context) error
}

// source finds items and stores nothing.
type source func(context.Context) ([]item, error)

// sources returns the sources that the options name. file is the .env file, or nil.
func (m *Importer) sources(o Options, s *selection, file *dotenvFile) []source {
	var all []source
	if o.Python != "" {
		all = append(all, func(ctx context.Context) ([]item, error) { return m.python(ctx, o.Python, s) })
	}
	if o.Env {
		all = append(all, func(ctx context.Context) ([]item, error) { return m.environment(ctx, s) })
	}
	if file != nil {
		all = append(all, func(ctx context.Context) ([]item, error) { return m.variables(ctx, file.look, s) })
	}
	return all
}

// Run imports what the options name, and reports the result of each item.
func (m *Importer) Run(ctx context.Context, o Options) error {
	if o.Placeholders && o.Dotenv == "" {
		return exit.WithCommand(exit.Usagef("--placeholders needs a .env file"), "import --dotenv FILE --placeholders")
	}
	var file *dotenvFile // nil without --dotenv
	if o.Dotenv != "" {
		var err error
		if file, err = readDotenv(o.Dotenv); err != nil {
			return err
		}
	}
	items, err := m.find(ctx, o, file)
	if err != nil {
		return err
	}
	recorder, err := m.recorder(items)
	if err != nil {
		return err
	}
	if !o.DryRun {
		again := func() ([]item, error) { return m.find(ctx, o, file) }
		if items, err = m.storeAll(ctx, items, o, recorder, again); err != nil {
			return err
		}
	}
	other := holder(o, items)
	if file != nil {
		if err := m.offerPlaceholders(ctx, file, o, items); err != nil {
			if m.Console.JSON { // one document
				return err
			}
			return cmp.Or(m.report(items, nil, other), err)
		}
	}
	if err := m.report(items, file, other); err != nil || o.DryRun {
		return err
	}
	return m.incomplete(items)
}

// find returns the items of all sources, in their order.
func (m *Importer) find(ctx context.Context, o Options, file *dotenvFile) ([]item, error) {
	s, err := newSelection(o)
	if err != nil {
		return nil, err
	}
	sources := m.sources(o, s, file)
	if len(sources) == 0 {
		return nil, exit.WithCommand(exit.Usagef("name a source: --env, --dotenv FILE or --authsome DIR"), "import --env")
	}
	items, err := findAll(ctx, sources)
	if err != nil {
		return nil, err
	}
	if s.only != "" { // the name is for the one connection that there is, which is known only now
		if err := s.settle(items); err != nil {
			return nil, err
		}
		if items, err = findAll(ctx, sources); err != nil {
			return nil, err
		}
	}
	if err := s.checkUsed(); err != nil {
		return nil, err
	}
	markRepeated(items)
	return items, nil
}

// findAll returns the items of all sources, in their order.
func findAll(ctx context.Context, sources []source) ([]item, error) {
	var items []item
	for _, find := range sources {
		found, err := find(ctx)
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}

// storeAll stores the new items and returns all with their results. It asks first, unless
// o.Yes is set. If it stopped a program that may have changed what was found, it finds the
// items again. The results are recorded in the profile named recorder.
func (m *Importer) storeAll(ctx context.Context, items []item, o Options, recorder string, find func() ([]item, error)) ([]item, error) {
	count := 0
	for _, i := range items {
		if i.result == resultNew {
			count++
		}
	}
	if count == 0 {
		return items, nil
	}
	if !o.Yes {
		if err := m.confirm(ctx, items, count); err != nil {
			return nil, err
		}
		stopped, err := m.offerStop(ctx, o, items)
		if err == nil && stopped {
			items, err = find()
		}
		if err != nil {
			return nil, err
		}
	}
	p, err := m.Opener.Ensure(recorder)
	if err != nil {
		return nil, err
	}
	if _, err := p.Audit(); err != nil { // before something is stored that could not be recorded
		return nil, err
	}
	for n := range items {
		if err := m.store(ctx, p, &items[n]); err != nil {
			return nil, err
		}
	}
	return items, nil
}

// recorder returns the name of the profile in use, whose audit log gets the results. It
// exists, or the import creates it.
func (m *Importer) recorder(items []item) (string, error) {
	p, err := m.Opener.Profile()
	if err == nil {
		return p.Name, nil
	}
	name, unnamed := m.Opener.ProfileName()
	imported := func(i item) bool { return i.profile == name }
	if unnamed == nil && errors.Is(err, home.ErrNoProfile) && (name == m.Console.Profile || slices.ContainsFunc(items, imported)) {
		return name, nil
	}
	return "", err
}

// confirm shows what would be stored and asks.
func (m *Importer) confirm(ctx context.Context, items []item, count int) error {
	if t := m.Console.Terminal(); t != nil {
		show.TableWithNotes(t.Out, rows(items, true), rows(items, false), reasons(items))
	}
	return m.Console.Confirm(ctx, "Import "+show.Plural(count, "item")+"?", "--yes")
}

// store stores an item, if it is new, and records the result. An item that cannot be
// stored is refused, and the import continues. If the vault fails, it ends.
func (m *Importer) store(ctx context.Context, p *opener.Profile, i *item) error {
	if i.result != resultNew {
		return nil
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	err := i.store(ctx)
	switch {
	case err == nil && i.replaces:
		i.result, i.reason = resultReplaced, ""
	case err == nil:
		i.result = resultImported
	case errors.Is(err, auth.ErrConnected):
		i.result = resultExists // stored by another source, or another process
	case exit.Judge(err).Code == exit.Store:
		return err
	default:
		i.result, i.reason = resultRefused, err.Error()
	}
	return p.Record(audit.Event{Event: audit.Import, Profile: i.profile, Provider: i.provider, Connection: i.connection, Outcome: outcomeOf(i)})
}

// outcomeOf is the outcome of an item in the audit log.
func outcomeOf(i *item) string {
	if i.result == resultImported || i.result == resultReplaced {
		return "ok"
	}
	return i.result
}
