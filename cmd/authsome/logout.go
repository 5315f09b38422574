package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/auth"
	"github.com/authsome/authsome/cmd/authsome/internal/opener"
	"github.com/authsome/authsome/internal/audit"
)

func newLogoutCmd(a *app) *cobra.Command {
	var connection string
	cmd := &cobra.Command{
		Use: "logout PROVIDER", Short: "Log out of one connection and delete it",
		Long: `Logout deletes a connection: the named one, else the default, else the only one.
If the provider can revoke tokens, it is asked to do that first; the connection
is deleted whatever it answers. Running proxies stop using the connection within
a second. An API key stays valid until you delete it at the service. To log out
of a connection that does not exist is not an error.`,
		Example: `  authsome logout openai
  authsome logout github --connection work`,
		Args: exactArgs("PROVIDER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkName("--connection", connection); err != nil {
				return err
			}
			ctx, cancel := opener.Bounded(cmd.Context())
			defer cancel()
			return logout(ctx, a, args[0], connection)
		},
	}
	cmd.Flags().StringVar(&connection, "connection", "", "log out of the connection `NAME`")
	return cmd
}

// loggedOut is the status of a logout in --json.
const loggedOut = "logged_out"

func logout(ctx context.Context, a *app, provider, connection string) error {
	credentials, err := a.auth()
	if err != nil {
		return err
	}
	if err := checkKnown(ctx, a, provider); err != nil {
		return err
	}
	left, err := credentials.Logout(ctx, provider, connection)
	if missing, ok := errors.AsType[*auth.LoginRequiredError](err); ok && missing.Reason == auth.ReasonMissing {
		// A script that cleans up must not fail because there is nothing to do.
		name := cmp.Or(missing.Connection, auth.DefaultName)
		a.Infof("nothing to do: %s/%s is not connected", provider, name)
		return a.acknowledge(provider, name, loggedOut)
	}
	if err != nil {
		return err
	}
	name := left.Connection
	if err := a.record(audit.Event{Event: audit.Logout, Provider: provider, Connection: name, Outcome: leftOutcome(left)}); err != nil {
		return err
	}
	a.reportLeft(provider, left)
	a.Infof("logged out of %s/%s%s", provider, name, a.stillValid(provider, notRevoked([]auth.LogoutResult{left})))
	return a.acknowledge(provider, name, loggedOut)
}
