package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/pythonhome"
)

type importOptions struct {
	env          bool
	dotenv       string
	placeholders bool
	authsome     string
	dryRun       bool
	yes          bool
}

func newImportCmd(a *app) *cobra.Command {
	o := &importOptions{}
	cmd := &cobra.Command{
		Use: "import", Short: "Take over credentials from elsewhere",
		Long: `Import shows what it found, asks, and stores it; what is there already stays as
it is. Sources:

  --authsome DIR  the home of a Python authsome 0.2: connections, client
                  credentials, defaults and registered providers, of all
                  profiles, or of the one that --profile names. Nothing in
                  DIR is changed
  --env           API keys in variables that providers' clients read
  --dotenv FILE   API keys in a .env file, in the same variables. Afterwards
                  it asks whether to put placeholders in their place, as
                  authsome run sets them; --placeholders does without asking,
                  --yes alone leaves FILE as it is. A backup beside FILE keeps
                  what was there`,
		Example: `  authsome import --authsome ~/.authsome --dry-run
  authsome import --env --yes
  authsome import --dotenv .env --placeholders`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runImport(cmd.Context(), a, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.authsome, "authsome", "", "import the Python authsome's home `DIR`")
	f.BoolVar(&o.env, "env", false, "import API keys from the environment")
	f.StringVar(&o.dotenv, "dotenv", "", "import API keys from the .env file `FILE`")
	f.BoolVar(&o.placeholders, "placeholders", false, "put placeholders into the .env file, and keep a backup of it")
	f.BoolVar(&o.dryRun, "dry-run", false, "show what would be imported, and store nothing")
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	return cmd
}

// What becomes of an item.
const (
	importNew     = "new" // to be stored; shown before it is
	importDone    = "imported"
	importThere   = "already there"
	importRefused = "refused"
)

// importItem is one thing that a source has. Those that are new have a store,
// which runs in the order of the items.
type importItem struct {
	kind       string // connection, client, default, provider
	profile    string
	provider   string
	connection string
	shown      string // masked, or where it is from
	result     string
	reason     string          // of importRefused
	made       auth.Connection // of a key that was found

	store func(context.Context) error
}

// importSource finds items, and stores nothing by itself.
type importSource func(context.Context) ([]importItem, error)

func (o *importOptions) sources(a *app, file *dotenvFile) []importSource {
	var all []importSource
	if o.authsome != "" {
		all = append(all, func(ctx context.Context) ([]importItem, error) { return importAuthsome(ctx, a, o.authsome) })
	}
	if o.env {
		all = append(all, func(ctx context.Context) ([]importItem, error) { return importEnvironment(ctx, a) })
	}
	if file != nil {
		all = append(all, func(ctx context.Context) ([]importItem, error) { return importVariables(ctx, a, file.look) })
	}
	return all
}

func runImport(ctx context.Context, a *app, o *importOptions) error {
	if o.placeholders && o.dotenv == "" {
		return withHint(usageErrorf("--placeholders needs a .env file"), "authsome import --dotenv FILE --placeholders")
	}
	var file *dotenvFile
	if o.dotenv != "" {
		var err error
		if file, err = readDotenv(o.dotenv); err != nil {
			return err
		}
	}
	sources := o.sources(a, file)
	if len(sources) == 0 {
		return withHint(usageErrorf("import needs a source: --env, --dotenv FILE or --authsome DIR"), "authsome import --env")
	}
	var items []importItem
	for _, find := range sources {
		found, err := find(ctx)
		if err != nil {
			return err
		}
		items = append(items, found...)
	}
	count := 0
	for _, i := range items {
		if i.result == importNew {
			count++
		}
	}
	if count > 0 && !o.dryRun {
		if !o.yes {
			if err := a.confirmImport(ctx, items, count); err != nil {
				return err
			}
		}
		for n := range items {
			if err := storeItem(ctx, a, &items[n]); err != nil {
				return err
			}
		}
	}
	if file == nil {
		return a.reportImport(items, nil)
	}
	failed := file.offerPlaceholders(ctx, a, o, items)
	if failed != nil && a.json {
		return failed
	}
	return cmp.Or(a.reportImport(items, file), failed)
}

// confirmImport shows what would be stored and asks.
func (a *app) confirmImport(ctx context.Context, items []importItem, count int) error {
	if _, ok := a.terminal(); !ok {
		return withFlag(usageErrorf("%s would be imported, and this is no terminal to ask at", plural(count, "item")), "--yes")
	}
	table(a.stderr, importRows(items))
	err := a.confirm(ctx, "Import "+plural(count, "item")+"?", "--yes")
	if errors.Is(err, errDeclined) {
		return errors.New("nothing was imported")
	}
	return err
}

// storeItem stores one item and records that. What cannot be stored is refused,
// and the others go on; a vault that fails ends it all.
func storeItem(ctx context.Context, a *app, i *importItem) error {
	if i.result != importNew {
		return nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	err := i.store(ctx)
	switch {
	case err == nil:
		i.result = importDone
	case errors.Is(err, auth.ErrConnected):
		i.result = importThere // by another source, or another process
	case judge(err).exit == exitStore:
		return err
	default:
		i.result, i.reason = importRefused, err.Error()
	}
	l, err := a.audit()
	if err != nil {
		return err
	}
	l.Record(audit.Event{Event: audit.Import, Profile: i.profile, Provider: i.provider, Connection: i.connection, Outcome: outcomeOf(i)})
	return nil
}

func outcomeOf(i *importItem) string {
	if i.result == importDone {
		return "ok"
	}
	return i.result
}

func importRows(items []importItem) [][]string {
	rows := [][]string{{"PROFILE", "PROVIDER", "WHAT", "FROM", "RESULT"}}
	for _, i := range items {
		what, result := i.kind, i.result
		if i.connection != "" {
			what += " " + i.connection
		}
		if i.reason != "" {
			result += ": " + i.reason
		}
		rows = append(rows, []string{dash(i.profile), i.provider, what, dash(i.shown), result})
	}
	return rows
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// reportImport says what became of each item.
func (a *app) reportImport(items []importItem, file *dotenvFile) error {
	if a.json {
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
		return a.printJSON(struct {
			Items  []view      `json:"items"`
			Dotenv *dotenvView `json:"dotenv,omitempty"`
		}{views, file.view()})
	}
	if len(items) == 0 {
		a.infof("nothing was found to import")
	} else {
		table(a.stdout, importRows(items))
	}
	file.tell(a)
	return nil
}

// connectionItem is a connection that a source has, judged.
func connectionItem(credentials *auth.Auth, c auth.Connection, existing map[string]bool) importItem {
	i := importItem{kind: "connection", profile: credentials.Profile, provider: c.Provider, connection: c.Name, result: importNew, made: c}
	if existing[c.Provider+"\x00"+c.Name] {
		i.result = importThere
	}
	i.store = func(ctx context.Context) error {
		_, err := credentials.Store(ctx, c, false)
		return err
	}
	return i
}

// existingConnections are those of a profile, by provider and name.
func existingConnections(ctx context.Context, credentials *auth.Auth) (map[string]bool, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	all, err := credentials.Connections(ctx)
	if err != nil {
		return nil, err
	}
	existing := make(map[string]bool)
	for _, c := range all {
		existing[c.Provider+"\x00"+c.Name] = true
	}
	return existing, nil
}

// proposeImport says that a Python authsome was here, while nothing has been
// connected yet.
func (a *app) proposeImport(ctx context.Context) {
	h, err := a.home()
	if err != nil {
		return
	}
	stores, err := pythonhome.Stores(h.Dir)
	if err != nil || len(stores) == 0 {
		return
	}
	credentials, err := a.auth()
	if err != nil {
		return
	}
	if existing, err := existingConnections(ctx, credentials); err == nil && len(existing) == 0 {
		a.infof("there are connections of the Python authsome here: authsome import --authsome %s", h.Dir)
	}
}
