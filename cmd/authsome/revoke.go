package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/audit"
)

func newRevokeCmd(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "revoke PROVIDER", Short: "Revoke and delete all connections of a provider",
		Long: `Revoke asks the provider to revoke the tokens of all its connections, and to
delete the OAuth client if a login registered one. Then it deletes the
connections and the client, whatever the provider answers. The definition is
kept. API keys stay valid until you delete them at the service. On a terminal,
revoke asks first.`,
		Example: "  authsome revoke github",
		Args:    exactArgs("PROVIDER"),
		RunE:    func(cmd *cobra.Command, args []string) error { return revoke(cmd.Context(), a, args[0], yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func revoke(ctx context.Context, a *app, provider string, yes bool) error {
	has, err := a.leaving(ctx, provider)
	if err != nil {
		return err
	}
	if !has.stored {
		a.Infof("nothing to do: %s is not connected", provider)
		return a.acknowledge(provider, "", "revoked")
	}
	has.registered = false
	if err := a.confirmLeaving(ctx, provider, "Revoke and delete", has, yes); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*opener.VaultWait) // once for the vault, once for the provider
	defer cancel()
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	all, err := credentials.Revoke(ctx, provider)
	if err != nil {
		return err
	}
	for _, left := range all {
		if err := a.record(audit.Event{Event: audit.Revoke, Provider: provider, Connection: left.Connection, Outcome: leftOutcome(left)}); err != nil {
			return err
		}
		a.reportLeft(provider, left)
	}
	a.Infof("removed all %s connections from this vault%s", provider, a.stillValid(provider, notRevoked(all)))
	return a.acknowledge(provider, "", "revoked")
}
