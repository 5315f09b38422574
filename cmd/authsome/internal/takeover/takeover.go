// Package takeover imports credentials from elsewhere: variables, a .env file, the
// home of a Python authsome.
//
// A source finds items and stores nothing; what a person confirmed is then stored item
// by item. Its invariant: what exists is never replaced, and a key that was not stored
// stays where it was found.
package takeover

import (
	"cmp"
	"context"
	"errors"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/console"
	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
	"github.com/authsome/authsome/internal/audit"
)

// Options say what to import.
type Options struct {
	Env          bool   // API keys from the environment
	Dotenv       string // API keys from this .env file
	Placeholders bool   // replace the keys in the .env file without asking
	Python       string // this home of the Python authsome
	DryRun       bool   // show what would be imported
	Yes          bool   // do not ask
}

// Importer imports into a home.
type Importer struct {
	Console *console.Console
	Opener  *opener.Opener
}

// Results of items, as people and programs see them.
const (
	resultNew      = "new" // can be stored
	resultImported = "imported"
	resultExists   = "already there"
	resultRefused  = "refused"
)

// item is one thing that a source has. A new one has a store function; these run in
// the order of the items.
type item struct {
	kind       string // connection, client, default, provider
	profile    string
	provider   string
	connection string
	shown      string // masked, or where it comes from
	result     string
	reason     string          // why it is refused
	connects   auth.Connection // what a key that was found makes

	store func(context.Context) error
}

// source finds items and stores nothing.
type source func(context.Context) ([]item, error)

func (m *Importer) sources(o Options, file *dotenvFile) []source {
	var all []source
	if o.Python != "" {
		all = append(all, func(ctx context.Context) ([]item, error) { return m.python(ctx, o.Python) })
	}
	if o.Env {
		all = append(all, func(ctx context.Context) ([]item, error) { return m.environment(ctx) })
	}
	if file != nil {
		all = append(all, func(ctx context.Context) ([]item, error) { return m.variables(ctx, file.look) })
	}
	return all
}

// Run imports what the options name.
func (m *Importer) Run(ctx context.Context, o Options) error {
	if o.Placeholders && o.Dotenv == "" {
		return exit.WithCommand(exit.Usagef("--placeholders needs a .env file"), "import --dotenv FILE --placeholders")
	}
	var file *dotenvFile
	if o.Dotenv != "" {
		var err error
		if file, err = readDotenv(o.Dotenv); err != nil {
			return err
		}
	}
	sources := m.sources(o, file)
	if len(sources) == 0 {
		return exit.WithCommand(exit.Usagef("name a source: --env, --dotenv FILE or --authsome DIR"), "import --env")
	}
	var items []item
	for _, find := range sources {
		found, err := find(ctx)
		if err != nil {
			return err
		}
		items = append(items, found...)
	}
	count := 0
	for _, i := range items {
		if i.result == resultNew {
			count++
		}
	}
	if count > 0 && !o.DryRun {
		if !o.Yes {
			if err := m.confirm(ctx, items, count); err != nil {
				return err
			}
		}
		for n := range items {
			if err := m.store(ctx, &items[n]); err != nil {
				return err
			}
		}
	}
	if file == nil {
		return m.report(items, nil)
	}
	failed := m.offerPlaceholders(ctx, file, o, items)
	if failed != nil && m.Console.JSON {
		return failed
	}
	return cmp.Or(m.report(items, file), failed)
}

// confirm shows what would be stored and asks.
func (m *Importer) confirm(ctx context.Context, items []item, count int) error {
	question := "Import " + show.Plural(count, "item") + "?"
	if m.Console.Terminal() != nil {
		show.Table(m.Console.Err, rows(items))
	}
	return m.Console.Confirm(ctx, question, "--yes")
}

// store stores one item and records it. An item that cannot be stored is refused, and
// the others continue; a vault that fails ends the import.
func (m *Importer) store(ctx context.Context, i *item) error {
	if i.result != resultNew {
		return nil
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	err := i.store(ctx)
	switch {
	case err == nil:
		i.result = resultImported
	case errors.Is(err, auth.ErrConnected):
		i.result = resultExists // stored by another source, or another process
	case exit.Judge(err).Code == exit.Store:
		return err
	default:
		i.result, i.reason = resultRefused, err.Error()
	}
	p, err := m.Opener.Profile()
	if err != nil {
		return err
	}
	return p.Record(audit.Event{Event: audit.Import, Profile: i.profile, Provider: i.provider, Connection: i.connection, Outcome: outcomeOf(i)})
}

func outcomeOf(i *item) string {
	if i.result == resultImported {
		return "ok"
	}
	return i.result
}

func rows(items []item) [][]string {
	all := [][]string{{"PROFILE", "PROVIDER", "WHAT", "FROM", "RESULT"}}
	for _, i := range items {
		what, result := i.kind, i.result
		if i.connection != "" {
			what += " " + i.connection
		}
		if i.reason != "" {
			result += ": " + i.reason
		}
		all = append(all, []string{dash(i.profile), i.provider, what, dash(i.shown), result})
	}
	return all
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// report says how each item ended.
func (m *Importer) report(items []item, file *dotenvFile) error {
	if m.Console.JSON {
		type view struct {
			Kind       string `json:"kind"`
			Profile    string `json:"profile,omitempty"`
			Provider   string `json:"provider"`
			Connection string `json:"connection,omitempty"`
			Result     string `json:"result"`
			Reason     string `json:"reason,omitempty"`
		}
		views := []view{}
		for _, i := range items {
			views = append(views, view{i.kind, i.profile, i.provider, i.connection, i.result, i.reason})
		}
		return m.Console.PrintJSON(struct {
			Items  []view      `json:"items"`
			Dotenv *dotenvView `json:"dotenv,omitempty"`
		}{views, file.view()})
	}
	if len(items) == 0 {
		m.Console.Infof("found nothing to import")
	} else {
		m.Console.Table(rows(items))
	}
	file.report(m.Console)
	return nil
}
