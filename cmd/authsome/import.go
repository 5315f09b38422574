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
		Long: `Import shows what it found, asks, and stores it. A connection that has
another credential here is a conflict, which --force replaces. If something is
refused, the exit code is 1. The sources are:

  --authsome DIR  the home of a Python authsome 0.2: connections, client
                  credentials, defaults and registered providers, of all
                  profiles, or of the one that --profile names. Nothing in
                  DIR is changed
  --env           API keys in the variables that providers' clients read
  --dotenv FILE   API keys in a .env file, in the same variables. Afterwards
                  it asks whether to replace them by the placeholders that
                  authsome run sets; --placeholders replaces them without
                  asking, and --yes alone does not change FILE. The old file
                  is kept in the home of authsome`,
		Example: `  authsome import --authsome ~/.authsome --dry-run
  authsome import --env --yes
  authsome import --dotenv .env --placeholders`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.importer().Run(cmd.Context(), o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.Python, "authsome", "", "import from `DIR`, the home of a Python authsome")
	f.BoolVar(&o.Env, "env", false, "import API keys from the environment")
	f.StringVar(&o.Dotenv, "dotenv", "", "import API keys from `FILE`, a .env file")
	f.BoolVar(&o.Placeholders, "placeholders", false, "replace the keys in the .env file by placeholders")
	f.StringArrayVar(&o.As, "as", nil, "give the one connection that is imported this `NAME`; for several, repeat PROVIDER/OLD=NAME")
	f.BoolVar(&o.Force, "force", false, "replace connections that have another credential here")
	f.BoolVar(&o.DryRun, "dry-run", false, "show what would be imported; store nothing")
	f.BoolVarP(&o.Yes, "yes", "y", false, "import without asking")
	return cmd
}

// importer imports into the home of this command line.
func (a *app) importer() *takeover.Importer {
	return &takeover.Importer{Console: a.Console, Opener: a.opener()}
}

// suggestImport tells the user about connections of a Python authsome in the same home,
// until this home has a connection.
func (a *app) suggestImport(ctx context.Context) { a.importer().SuggestPython(ctx) }
