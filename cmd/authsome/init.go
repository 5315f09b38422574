package main

import "github.com/spf13/cobra"

func newInitCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Make the home directory, the master key and the vault",
		Long: `Init makes the home directory (AUTHSOME_HOME, or ~/.authsome), its master key and
the profile's vault. It is never needed: every command does so on first use.`,
		Example: "  authsome init",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			h, err := a.home()
			if err != nil {
				return err
			}
			p, err := a.profile()
			if err != nil {
				return err
			}
			if _, err := p.Vault(); err != nil {
				return err
			}
			places, err := a.opener().KeyPlaces()
			if err != nil {
				return err
			}
			if a.JSON {
				return a.PrintJSON(struct {
					Home       string `json:"home"`
					Profile    string `json:"profile"`
					Encryption string `json:"encryption"`
				}{h.Dir, p.Name, places.Mode})
			}
			a.Infof("the home %s is ready, with profile %s; the master key is kept as %s", h.Dir, p.Name, places.Mode)
			return nil
		},
	}
}
