package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/sidecar"
)

func newCARotateCmd(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "rotate", Short: "Replace the profile's authority",
		Long: `Rotate creates a new private key and certificate, after a confirmation. From the
proxy's next start, clients that trust only the old certificate refuse the
proxy.`,
		Example: "  authsome ca rotate --yes",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return rotateAuthority(cmd.Context(), a, yes) },
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func rotateAuthority(ctx context.Context, a *app, yes bool) error {
	p, err := a.profile()
	if err != nil {
		return err
	}
	if !yes {
		question := fmt.Sprintf("Replace the authority of profile %s, so that clients need the new certificate?", p.Name)
		if err := a.Confirm(ctx, question, "--yes"); err != nil {
			return err
		}
	}
	v, err := p.Vault()
	if err != nil {
		return err
	}
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	created, err := sidecar.NewStoredAuthority(ctx, v, p.AuthorityPath(), authorityOptions(p))
	if err != nil {
		return err
	}
	if err := p.Record(audit.Event{Event: audit.KeyRotation, Outcome: "ok: the authority"}); err != nil {
		return err
	}
	if a.JSON {
		return a.PrintJSON(viewAuthority(p, created))
	}
	a.Infof("replaced the authority of profile %s; restart authsome proxy, and let its clients trust %s", p.Name, p.AuthorityPath())
	return nil
}
