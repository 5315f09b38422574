package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/takeover"
)

func newImportCmd(a *app) *cobra.Command {
	o := takeover.Options{}
	cmd := &cobra.Command{
		Use: "import", Short: "Import credentials from elsewhere",
		Long: `Import shows what it found, asks, and stores it. Connections that already exist
stay as they are. Sources:

  --authsome DIR  the home of a Python authsome 0.2: connections, client
                  credentials, defaults and registered providers, of all
                  profiles, or of the one that --profile names. Nothing in
                  DIR is changed
  --env           API keys in variables that providers' clients read
  --dotenv FILE   API keys in a .env file, in the same variables. Afterwards
                  it asks whether to replace them by placeholders, as
                  authsome run sets them; --placeholders does so without
                  asking, --yes alone leaves FILE as it is. A backup next to
                  FILE keeps the old content`,
		Example: `  authsome import --authsome ~/.authsome --dry-run
  authsome import --env --yes
  authsome import --dotenv .env --placeholders`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.importer().Run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Python, "authsome", "", "import the Python authsome's home `DIR`")
	f.BoolVar(&o.Env, "env", false, "import API keys from the environment")
	f.StringVar(&o.Dotenv, "dotenv", "", "import API keys from the .env file `FILE`")
	f.BoolVar(&o.Placeholders, "placeholders", false, "replace the keys in the .env file by placeholders, and keep a backup")
	f.BoolVar(&o.DryRun, "dry-run", false, "show what would be imported, and store nothing")
	f.BoolVarP(&o.Yes, "yes", "y", false, "do not ask")
	return cmd
}

// importer imports into the home that this command line uses.
func (a *app) importer() *takeover.Importer {
	return &takeover.Importer{Console: a.Console, Opener: a.opener()}
}

// suggestImport says that connections of a Python authsome can be imported, as long as
// there are no connections yet.
func (a *app) suggestImport(ctx context.Context) { a.importer().SuggestPython(ctx) }
