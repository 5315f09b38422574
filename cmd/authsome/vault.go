package main

import "github.com/spf13/cobra"

func newVaultCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "vault", Short: "Back up, restore and check the vault",
		Long: `A profile's credentials are in its vault. These commands back up the vault to an
encrypted file, restore it from such a file, and check all its files and
records.`,
		Example: `  authsome vault backup vault.age
  authsome vault restore vault.age
  authsome vault check`,
		Args: noArgs,
		RunE: showHelp,
	}
	cmd.AddCommand(newVaultBackupCmd(a), newVaultRestoreCmd(a), newVaultCheckCmd(a))
	return cmd
}
