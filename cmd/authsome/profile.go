package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/cmd/authsome/internal/suggest"
	"github.com/authsome/authsome/internal/home"
)

func newProfileCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use: "profile", Short: "List, create, choose and delete profiles",
		Long: `A profile is a separate set of connections with its own vault. In one profile,
nothing of another can be read. Commands use the profile that --profile names,
else AUTHSOME_PROFILE, else the default profile. To take a connection to another
profile, use authsome connection copy and move.`,
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
		Long:    "List shows all profiles, which of them commands use here, and which is the\ndefault.",
		Example: "  authsome profile list --json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return listProfiles(a) },
	}
}

func listProfiles(a *app) error {
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
}

func newProfileCreateCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "create NAME", Short: "Create a profile",
		Long:    "Create adds an empty profile. The default profile stays the same.",
		Example: "  authsome profile create work",
		Args:    exactArgs("NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			h, err := a.home()
			if err != nil {
				return err
			}
			if err := cmp.Or(checkProfileName(args[0]), checkNewName("NAME", args[0])); err != nil {
				return err
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
		Use: "use NAME", Short: "Choose the default profile",
		Long:    "Use sets the default profile in config.json. --profile and AUTHSOME_PROFILE\noverride it.",
		Example: "  authsome profile use work",
		Args:    exactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := a.home()
			if err != nil {
				return err
			}
			if err := checkProfileName(args[0]); err != nil {
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

// checkProfileName checks the name of a profile that an argument gives.
func checkProfileName(name string) error {
	if err := home.ValidateName(name); err != nil {
		return exit.Usagef("profile %v", err)
	}
	return nil
}

// acknowledgeProfile prints the JSON answer of commands that change a profile.
func (a *app) acknowledgeProfile(name string) error {
	if !a.JSON {
		return nil
	}
	return a.PrintJSON(struct {
		Profile string `json:"profile"`
		Status  string `json:"status"`
	}{name, "ok"})
}
