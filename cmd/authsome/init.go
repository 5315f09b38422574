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
			if _, err := a.vault(); err != nil {
				return err
			}
			p, err := a.profile()
			if err != nil {
				return err
			}
			mode, err := a.keyMode()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(struct {
					Home       string `json:"home"`
					Profile    string `json:"profile"`
					Encryption string `json:"encryption"`
				}{h.Dir, p.Name, mode})
			}
			a.infof("%s is ready, with profile %s; master key: %s", h.Dir, p.Name, mode)
			return nil
		},
	}
}
