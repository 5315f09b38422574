package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/flows"
	"github.com/authsome/authsome/internal/audit"
	"github.com/authsome/authsome/providers"
)

func newLogoutCmd(a *app) *cobra.Command {
	var connection string
	cmd := &cobra.Command{
		Use: "logout PROVIDER", Short: "Forget one connection",
		Long: `Logout deletes a connection: the one named, else the default, else the only one.
Its tokens are revoked at the provider first, where that has a way; whatever the
provider says, the connection is forgotten here. Running proxies stop using it
within a second. An API key stays valid at the service until it is deleted there.`,
		Example: `  authsome logout openai
  authsome logout github --connection work`,
		Args: exactArgs("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := opener.Bounded(cmd.Context())
			defer cancel()
			return logout(ctx, a, args[0], connection)
		},
	}
	cmd.Flags().StringVar(&connection, "connection", "", "the connection `NAME`")
	return cmd
}

func logout(ctx context.Context, a *app, provider, connection string) error {
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	if err := checkKnown(ctx, a, provider); err != nil {
		return err
	}
	left, err := credentials.Logout(ctx, provider, connection)
	if err != nil {
		return err
	}
	name := left.Connection
	if err := a.record(audit.Event{Event: audit.Logout, Provider: provider, Connection: name, Outcome: leftOutcome(left)}); err != nil {
		return err
	}
	a.reportLeft(provider, left)
	a.Infof("logged out of %s/%s%s", provider, name, a.stillValid(provider, left))
	return a.acknowledge(provider, name)
}

// leftOutcome is what the provider answered, for the audit log.
func leftOutcome(left auth.LogoutResult) string {
	switch {
	case left.Remote == nil:
		return "ok: revoked"
	case errors.Is(left.Remote, flows.ErrNoRevocation):
		return "ok"
	}
	return "ok: not revoked"
}

// reportLeft says what the provider answered.
func (a *app) reportLeft(provider string, left auth.LogoutResult) {
	what := "the tokens of " + left.Connection
	if left.Connection == "" {
		what = "the OAuth client"
	}
	switch {
	case left.Remote == nil:
		a.Infof("%s revoked %s", provider, what)
	case errors.Is(left.Remote, flows.ErrNoRevocation), errors.Is(left.Remote, flows.ErrNotManaged):
	default:
		a.Warnf("%s did not revoke %s, which may still be valid: %v", provider, what, left.Remote)
	}
}

// stillValid says that the service still accepts what was only deleted here, and where
// to delete it there.
func (a *app) stillValid(provider string, all ...auth.LogoutResult) string {
	kept := func(left auth.LogoutResult) bool { return errors.Is(left.Remote, flows.ErrNoRevocation) }
	if !slices.ContainsFunc(all, kept) {
		return ""
	}
	set, err := a.providers()
	if err != nil {
		return ""
	}
	d, err := set.Lookup(provider)
	if err != nil || d.KeyURL == "" {
		return "; the service still accepts the credential"
	}
	return "; the service still accepts the credential until you delete it at " + d.KeyURL
}

func newRevokeCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "revoke PROVIDER", Short: "Revoke and forget every connection of a provider",
		Long: `Revoke has the tokens of all connections of a provider revoked there, and the
OAuth client deleted if a login registered one, and forgets them here, whatever
the provider says. The definition stays.`,
		Example: "  authsome revoke github",
		Args:    exactArgs("PROVIDER"),
		RunE:    func(cmd *cobra.Command, args []string) error { return revoke(cmd.Context(), a, args[0]) },
	}
}

func revoke(ctx context.Context, a *app, provider string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*opener.VaultWait) // once for the vault, once for the provider
	defer cancel()
	if err := checkKnown(ctx, a, provider); err != nil {
		return err
	}
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
	a.Infof("removed all %s connections from this vault%s", provider, a.stillValid(provider, all...))
	return a.acknowledge(provider, "")
}

// checkKnown refuses a name that has neither a definition nor a stored connection. A
// definition can be missing while its connections remain.
func checkKnown(ctx context.Context, a *app, provider string) error {
	set, err := a.providers()
	if err != nil {
		return err
	}
	if _, err := set.Lookup(provider); err == nil {
		return nil
	}
	own, err := connectionsOf(ctx, a, provider)
	if err != nil {
		return err
	}
	if len(own) == 0 {
		_, err = set.Lookup(provider)
	}
	return err
}

// acknowledge is the --json answer of commands that change one thing.
func (a *app) acknowledge(provider, connection string) error {
	if !a.JSON {
		return nil
	}
	return a.PrintJSON(struct {
		Provider   string `json:"provider"`
		Connection string `json:"connection,omitempty"`
		Status     string `json:"status"`
	}{provider, connection, "ok"})
}

func newRemoveCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "remove PROVIDER", Short: "Forget a provider: connections, client credentials, custom definition",
		Long: `Remove forgets all that is stored of a provider, and contacts nobody. A custom
definition is uninstalled; a bundled one is as it came.`,
		Example: "  authsome remove acme",
		Args:    exactArgs("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := opener.Bounded(cmd.Context())
			defer cancel()
			return remove(ctx, a, args[0])
		},
	}
}

func remove(ctx context.Context, a *app, provider string) error {
	if err := checkKnown(ctx, a, provider); err != nil {
		return err
	}
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	h, err := a.home()
	if err != nil {
		return err
	}
	// The definition goes first: the vault's generation moves with Remove, and a
	// running proxy must then find both gone.
	if err := providers.Uninstall(h.ProvidersDir(), provider); err != nil {
		return err
	}
	if err := credentials.Remove(ctx, provider); err != nil {
		return err
	}
	if err := a.record(audit.Event{Event: audit.Remove, Provider: provider, Outcome: "ok"}); err != nil {
		return err
	}
	a.Infof("removed %s from this vault", provider)
	return a.acknowledge(provider, "")
}

func newDefaultCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: "default PROVIDER CONNECTION", Short: "Choose the connection used when none is named",
		Long:    "Default sets which of a provider's connections is used when a run names none.",
		Example: "  authsome default github work",
		Args:    exactArgs("PROVIDER", "CONNECTION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := opener.Bounded(cmd.Context())
			defer cancel()
			credentials, err := a.auth()
			if err != nil {
				return err
			}
			if err := checkKnown(ctx, a, args[0]); err != nil {
				return err
			}
			if err := credentials.SetDefault(ctx, args[0], args[1]); err != nil {
				return err
			}
			a.Infof("the default connection of %s is now %s", args[0], args[1])
			return a.acknowledge(args[0], args[1])
		},
	}
}
