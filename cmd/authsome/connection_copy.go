package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/authsome/authsome/internal/audit"
)

func newConnectionCopyCmd(a *app) *cobra.Command {
	return transferCmd(a, &cobra.Command{
		Use: "copy PROVIDER [CONNECTION]", Short: "Copy a connection to another profile",
		Long: `Copy stores a connection in another profile too: the named one, else the
default, else the only one. In that profile it becomes the provider's default if
it is the first. The service knows only one key or token: revoking it ends both
copies.

A connection with a refresh token cannot be copied. Each refresh replaces that
token, and most providers revoke both copies when they see the old one again.
Move the connection, or log in again in the other profile.`,
		Example: `  authsome connection copy openai --to agents
  authsome connection copy resend work --to agents --as mail`,
	}, copyConnection)
}

func copyConnection(ctx context.Context, a *app, o *transferOptions) error {
	from, t, err := o.open(ctx, a, "copy")
	if err != nil {
		return err
	}
	c, err := from.Copy(ctx, t)
	if err != nil {
		return o.explain(err, "copy", t)
	}
	if err := a.recordTransfer(audit.Copy, from, t, c, "ok"); err != nil {
		return err
	}
	a.Infof("copied %s/%s to profile %s as %s/%s", o.provider, t.Connection, o.to, o.provider, connectionLabel(c))
	return a.acknowledgeTransfer(from, t, c)
}
