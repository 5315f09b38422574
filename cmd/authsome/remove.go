package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/providers"
)

func newRemoveCmd(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "remove PROVIDER", Short: "Delete a provider's connections, clients and custom definition",
		Long: `Remove deletes everything that is stored of a provider in the profile, without
contacting the provider. It also uninstalls a definition that you registered. A
bundled definition stays. On a terminal, remove asks first.`,
		Example: "  authsome remove acme",
		Args:    exactArgs("PROVIDER"),
		RunE:    func(cmd *cobra.Command, args []string) error { return remove(cmd.Context(), a, args[0], yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func remove(ctx context.Context, a *app, provider string, yes bool) error {
	has, err := a.leaving(ctx, provider)
	if err != nil {
		return err
	}
	if !has.stored && !has.registered {
		a.Infof("nothing to do: %s is not connected", provider)
		return a.acknowledge(provider, "", "removed")
	}
	if err := a.confirmLeaving(ctx, provider, "Delete", has, yes); err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	before, err := connectionsOf(ctx, a, provider)
	if exit.IsStore(err) {
		return err // a record that cannot be read is another error, and can be deleted
	}
	var authTypes []string
	for _, c := range before {
		authTypes = append(authTypes, c.AuthType)
	}
	valid := a.stillValid(provider, authTypes) // needs the definition
	h, err := a.home()
	if err != nil {
		return err
	}
	// The definition is deleted first: credentials.Remove increments the vault's
	// generation, and a running proxy that reloads must then find neither.
	if err := providers.Uninstall(h.ProvidersDir(), provider); err != nil {
		return err
	}
	if err := credentials.Remove(ctx, provider); err != nil {
		return err
	}
	if err := a.record(audit.Event{Event: audit.Remove, Provider: provider, Outcome: "ok"}); err != nil {
		return err
	}
	switch {
	case !has.stored:
		a.Infof("removed the registered definition of %s", provider)
	case has.registered:
		a.Infof("removed %s from this vault, and its registered definition%s", provider, valid)
	default:
		a.Infof("removed %s from this vault%s", provider, valid)
	}
	return a.acknowledge(provider, "", "removed")
}
