package main

import "github.com/spf13/cobra"

func newInitCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "init", Short: "Create the home directory, the master key and the vault",
		Long: `Init creates the home directory (AUTHSOME_HOME, or ~/.authsome), its master key
and the profile's vault, if they do not exist yet. You never need it: every
command does so on first use.`,
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
					Status     string `json:"status"`
				}{h.Dir, p.Name, places.Mode, "initialized"})
			}
			a.Infof("the home %s is ready: profile %s, master key mode %s", h.Dir, p.Name, places.Mode)
			return nil
		},
	}
}
