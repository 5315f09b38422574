package main

import "github.com/spf13/cobra"

func newWhoamiCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "whoami", Short: "Show the home, the profile and how many connections it has",
		Long:    "Whoami shows which home directory and profile commands use here.",
		Example: "  authsome whoami --json",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := bounded(cmd.Context())
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
			mode, err := a.keyMode()
			if err != nil {
				return err
			}
			v, _ := buildVersion()
			behind := a.getenv("AUTHSOME_PROXY_MODE") != ""
			if a.json {
				return a.printJSON(struct {
					Version     string `json:"version"`
					Home        string `json:"home"`
					Profile     string `json:"profile"`
					Connections int    `json:"connections"`
					Encryption  string `json:"encryption"`
					BehindProxy bool   `json:"behind_proxy"`
				}{v, h.Dir, credentials.Profile, len(connections), mode, behind})
			}
			rows := [][]string{{"home", h.Dir}, {"profile", credentials.Profile}, {"connections", text(len(connections))}, {"master key", mode}}
			if behind {
				rows = append(rows, []string{"proxy", "this runs behind authsome"})
			}
			facts(a.stdout, rows)
			return nil
		},
	}
}
