package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
)

func newProfileDeleteCmd(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a profile with all its connections",
		Long: `Delete removes a profile and its vault, after a confirmation. It contacts no
provider, so the services still accept the credentials. To end them there too,
first run authsome --profile NAME revoke PROVIDER.`,
		Example: "  authsome profile delete work --yes",
		Args:    exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deleteProfile(cmd.Context(), a, args[0], yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask for confirmation")
	return cmd
}

func deleteProfile(ctx context.Context, a *app, name string, yes bool) error {
	h, err := a.home()
	if err != nil {
		return err
	}
	if err := checkProfileName(name); err != nil {
		return err
	}
	if _, err := h.Profile(name); err != nil {
		return err
	}
	if name == h.Config.DefaultProfile {
		return fmt.Errorf("profile %s: %w", name, home.ErrDefaultProfile)
	}
	if !yes {
		if err := a.Confirm(ctx, fmt.Sprintf("Delete profile %s with all its connections?", name), "--yes"); err != nil {
			return err
		}
	}
	// The profile's lines stay in the audit log, and the default profile records the
	// deletion.
	byDefault, err := a.opener().Named(h.Config.DefaultProfile)
	if err != nil {
		return err
	}
	if err := a.keepAuditKeys(ctx, name, byDefault); err != nil {
		return err
	}
	if err := h.DeleteProfile(name); err != nil {
		return err
	}
	a.Infof("deleted profile %s", name)
	if err := byDefault.Record(audit.Event{Event: audit.Remove, Profile: name, Outcome: "ok: the profile"}); err != nil {
		return err
	}
	return a.acknowledgeProfile(name)
}

// keepAuditKeys copies the audit keys of a profile that is about to be deleted into
// another one.
func (a *app) keepAuditKeys(ctx context.Context, name string, into *opener.Profile) error {
	ctx, cancel := opener.Bounded(ctx)
	defer cancel()
	keys, err := a.opener().ProfileAuditKeys(ctx, name)
	if err != nil {
		a.Warnf("the lines of profile %s in the audit log can no longer be verified: %v", name, err)
		return nil
	}
	if len(keys) == 0 {
		return nil
	}
	return into.KeepAuditKeys(ctx, keys)
}
