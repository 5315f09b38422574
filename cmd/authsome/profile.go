package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/internal/home"
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
		RunE: showHelp,
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
			current, err := a.opener().ProfileName()
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
				v := view{name, name == h.Config.DefaultProfile, name == current}
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
			if a.JSON {
				return a.PrintJSON(struct {
					Profiles []view `json:"profiles"`
				}{views})
			}
			a.Table(rows)
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
				return exit.Usagef("%v", err)
			}
			if _, err := h.CreateProfile(args[0]); err != nil {
				return err
			}
			a.Infof("created profile %s; next: %s", args[0], suggest.Command("login PROVIDER").In(args[0]))
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
			ctx, cancel := opener.Bounded(cmd.Context())
			defer cancel()
			if err := h.UpdateConfig(ctx, func(c *home.Config) { c.DefaultProfile = args[0] }); err != nil {
				return err
			}
			a.Infof("the default profile is now %s", args[0])
			if v := a.Getenv("AUTHSOME_PROFILE"); v != "" && v != args[0] {
				a.Warnf("AUTHSOME_PROFILE=%s overrides it in this shell", v)
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
	if _, err := h.Profile(name); err != nil {
		return err
	}
	if !yes {
		if err := a.Confirm(ctx, fmt.Sprintf("Delete profile %s with all its connections?", name), "--yes"); err != nil {
			return err
		}
	}
	// Its audit lines stay, and the default profile records the deletion.
	byDefault, err := a.opener().Ensure(h.Config.DefaultProfile)
	if err != nil {
		return err
	}
	if name != h.Config.DefaultProfile {
		if err := a.keepAuditKeys(ctx, name, byDefault); err != nil {
			return err
		}
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

func (a *app) acknowledgeProfile(name string) error {
	if !a.JSON {
		return nil
	}
	return a.PrintJSON(struct {
		Profile string `json:"profile"`
		Status  string `json:"status"`
	}{name, "ok"})
}
