package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
	"github.com/authsome/authsome/vault"
)

func newProfileCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "profile", Short: "List, make, choose and delete profiles",
		Long: `A profile is a namespace of connections with a vault of its own: nothing of one can
be read through another. Commands use the profile that --profile names, else
AUTHSOME_PROFILE, else the default. authsome connection copy and move take
connections from one to another.`,
		Example: `  authsome profile create work
  authsome login github --profile work
  authsome profile use work`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newProfileListCmd(a), newProfileCreateCmd(a), newProfileUseCmd(a), newProfileDeleteCmd(a))
	return cmd
}

func newProfileListCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the profiles",
		Long:    "List shows the profiles, and which of them is used here and which by default.",
		Example: "  authsome profile list --json",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			h, err := a.home()
			if err != nil {
				return err
			}
			names, err := h.Profiles()
			if err != nil {
				return err
			}
			type view struct {
				Name    string `json:"name"`
				Default bool   `json:"default"`
				Current bool   `json:"current"`
			}
			views, rows := []view{}, [][]string{}
			for _, name := range names {
				v := view{name, name == h.Config.DefaultProfile, name == a.profileInUse(h)}
				note := ""
				switch {
				case v.Default && v.Current:
					note = "default, in use"
				case v.Default:
					note = "default"
				case v.Current:
					note = "in use"
				}
				views, rows = append(views, v), append(rows, []string{name, note})
			}
			if a.json {
				return a.printJSON(struct {
					Profiles []view `json:"profiles"`
				}{views})
			}
			table(a.stdout, rows)
			return nil
		},
	}
}

func newProfileCreateCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "create NAME", Short: "Make a profile",
		Long:    "Create makes an empty profile. The default is not changed.",
		Example: "  authsome profile create work",
		Args:    exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := a.home()
			if err != nil {
				return err
			}
			if err := home.ValidateName(args[0]); err != nil {
				return usageErrorf("%v", err)
			}
			if _, err := h.CreateProfile(args[0]); err != nil {
				return err
			}
			a.infof("profile %s is made; authsome --profile %s login PROVIDER connects a provider in it", args[0], args[0])
			return a.acknowledgeProfile(args[0])
		},
	}
}

func newProfileUseCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "use NAME", Short: "Choose the profile that is used where none is named",
		Long:    "Use sets the default profile in config.json. --profile and AUTHSOME_PROFILE go before it.",
		Example: "  authsome profile use work",
		Args:    exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := a.home()
			if err != nil {
				return err
			}
			if _, err := h.Profile(args[0]); err != nil {
				return err
			}
			ctx, cancel := bounded(cmd.Context())
			defer cancel()
			if err := h.UpdateConfig(ctx, func(c *home.Config) { c.DefaultProfile = args[0] }); err != nil {
				return err
			}
			a.infof("profile %s is the default", args[0])
			if v := a.getenv("AUTHSOME_PROFILE"); v != "" && v != args[0] {
				a.warnf("AUTHSOME_PROFILE=%s goes before it in this shell", v)
			}
			return a.acknowledgeProfile(args[0])
		},
	}
}

func newProfileDeleteCmd(a *app) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use: "delete NAME", Short: "Delete a profile with all its connections",
		Long: `Delete removes a profile and its vault. No provider is contacted: revoke
connections first (authsome --profile NAME revoke PROVIDER) if they should end
there as well. It asks, unless --yes is given.`,
		Example: "  authsome profile delete work --yes",
		Args:    exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return deleteProfile(cmd.Context(), a, args[0], yes)
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func deleteProfile(ctx context.Context, a *app, name string, yes bool) error {
	h, err := a.home()
	if err != nil {
		return err
	}
	p, err := h.Profile(name)
	if err != nil {
		return err
	}
	if !yes {
		if err := a.confirm(ctx, fmt.Sprintf("delete profile %s with all its connections?", name), "--yes"); err != nil {
			return err
		}
	}
	if name != h.Config.DefaultProfile {
		if err := a.keepAuditKeys(ctx, h, p); err != nil {
			return err
		}
	}
	if err := h.DeleteProfile(name); err != nil {
		return err
	}
	a.infof("profile %s is deleted", name)
	l, err := a.audit()
	if err != nil {
		return err
	}
	l.Record(audit.Event{Event: audit.Remove, Profile: name, Outcome: "ok: the profile"})
	return a.acknowledgeProfile(name)
}

// keepAuditKeys gives the default profile what checks the audit lines of a profile
// that is to be deleted. It becomes the profile in use.
func (a *app) keepAuditKeys(ctx context.Context, h *home.Home, p home.Profile) error {
	a.profileName = h.Config.DefaultProfile
	if _, _, err := vault.Describe(p.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil // it has written none
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	keys, err := a.auditKeysOf(ctx, p)
	if err != nil {
		a.warnf("lines of profile %s in the audit log cannot be checked from now on: %v", p.Name, err)
		return nil
	}
	v, err := a.vault()
	if err != nil {
		return err
	}
	return v.Update(ctx, func(tx *vault.Tx) error {
		for _, key := range keys {
			if err := tx.Retire("audit", key); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *app) acknowledgeProfile(name string) error {
	if !a.json {
		return nil
	}
	return a.printJSON(struct {
		Profile string `json:"profile"`
		Status  string `json:"status"`
	}{name, "ok"})
}
