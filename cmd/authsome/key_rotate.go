package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/vault"
)

func newKeyRotateCmd(a *app) *cobra.Command {
	var reseal bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Replace the master key of all vaults",
		Long: `Rotate creates a new master key, encrypts the keys of all profiles' vaults with
it, and deletes the old one. With --reseal it also replaces the vaults' keys and
encrypts every record again. Use that if somebody may have copied a vault
together with the master key.

If the command is interrupted, the next command that opens a vault finishes the
change. Running proxies notice the new key and continue to serve.`,
		Example: `  authsome key rotate
  authsome key rotate --reseal`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return rotateKey(cmd.Context(), a, reseal) },
	}
	cmd.Flags().BoolVar(&reseal, "reseal", false, "also replace the vaults' keys, and encrypt every record again")
	return cmd
}

func rotateKey(ctx context.Context, a *app, reseal bool) error {
	if err := a.refuseKeyChange(); err != nil {
		return err
	}
	k, err := a.opener().Keeper()
	if err != nil {
		return err
	}
	// A key mode that was interrupted is finished first, because the key must then be
	// replaced in its new place.
	resuming, cancel := opener.Bounded(ctx)
	defer cancel()
	if _, err := k.Resume(resuming); err != nil {
		return fmt.Errorf("finish an interrupted change of the master key: %w", err)
	}
	p, err := k.Places()
	if err != nil {
		return err
	}
	return changeKey(ctx, a, a.opener(), vault.Change{To: p.Place, Reseal: reseal})
}
