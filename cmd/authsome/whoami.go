package main

import (
	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/show"
)

func newWhoamiCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Show the home, the profile and how many connections it has",
		Long: `Whoami shows the home directory and the profile that commands use, the number of
connections in the profile, and the mode of the master key. Inside authsome run
it says so.`,
		Example: "  authsome whoami --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := opener.Bounded(cmd.Context())
			defer cancel()
			h, err := a.home()
			if err != nil {
				return err
			}
			credentials, err := a.auth()
			if err != nil {
				return err
			}
			connections, err := credentials.Connections(ctx)
			if err != nil {
				return err
			}
			places, err := a.opener().KeyPlaces()
			if err != nil {
				return err
			}
			v, _ := buildVersion()
			behind, usable := a.Behind(), usableProviders(connections)
			if a.JSON {
				return a.PrintJSON(struct {
					Version     string `json:"version"`
					Home        string `json:"home"`
					Profile     string `json:"profile"`
					Connections int    `json:"connections"`
					Encryption  string `json:"encryption"`
					BehindProxy bool   `json:"behind_proxy"`
					originalContext
				}{v, h.Dir, credentials.Profile, len(connections), places.Mode, behind,
					originalContext{h.Dir, credentials.Profile, v, places.Mode, len(usable), usable}})
			}
			rows := [][]string{{"home", h.Dir}, {"profile", credentials.Profile}, {"connections", show.Text(len(connections))}, {"master key", places.Mode}}
			switch {
			case a.serving == "proxy":
				rows = append(rows, []string{"proxy", "this process is a client of authsome proxy"})
			case behind:
				rows = append(rows, []string{"proxy", "this process runs inside authsome run"})
			}
			a.Facts(rows)
			a.suggestImport(cmd.Context())
			return nil
		},
	}
}
